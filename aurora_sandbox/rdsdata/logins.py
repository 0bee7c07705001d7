"""Logins to MySQL, for one statement each: the connection is used again, the login and the session never.

    with Logins().use(login, keeps=True) as connection: …

MySQL itself sees user, password and everything else of the account each time, as at a login over a new connection
(COM_CHANGE_USER), and forgets the session when the statement is over (COM_RESET_CONNECTION): locks, tables and
transactions end there. What is saved is the making of a connection and its TLS, two thirds of what a login costs.
"""

from __future__ import annotations

import hashlib
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pymysql
from pymysql.constants import CLIENT
from pymysql.converters import encoders

from aurora_sandbox.wire import ServiceError

MAX_KEPT = 8
_CHANGE_USER, _RESET_CONNECTION = 0x11, 0x1F  # "Command Phase", MySQL Source Code Documentation
_PLUGIN = b"caching_sha2_password"
_UTF8MB4 = 255  # utf8mb4_0900_ai_ci, what SET NAMES utf8mb4 stands for
_FAST_LOGIN_IS_DONE = 3
_ENCODERS: dict[Any, Any] = dict(encoders)  # and no decoders: every cell stays bytes


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in where. seconds: how long a statement of theirs may take."""

    host: str
    port: int
    user: str
    password: bytes
    database: str | None
    seconds: float


class LoginRefused(Exception):
    """MySQL refuses a login, for this reason."""

    def __init__(self, error: pymysql.MySQLError) -> None:
        super().__init__(str(error))
        self.error = error


class Logins:
    """Safe to use from several threads. Logging in raises LoginRefused."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[pymysql.Connection[Any]] = []
        # As on AWS, so that users with REQUIRE SSL can log in; one context for all, making it is what takes time.
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE

    def new(self, login: Login, *, autocommit: bool = True) -> pymysql.Connection[Any]:
        """A connection of its own."""
        try:
            return pymysql.connect(
                host=login.host,
                port=login.port,
                user=login.user,
                password=login.password,
                database=login.database,
                charset="utf8mb4",
                use_unicode=False,
                conv=_ENCODERS,
                client_flag=CLIENT.FOUND_ROWS,  # an UPDATE counts the rows it matched
                autocommit=autocommit,
                read_timeout=login.seconds,
                ssl=self._tls,
            )
        except pymysql.MySQLError as error:
            raise LoginRefused(error) from error

    @contextmanager
    def use(self, login: Login, *, keeps: bool) -> Iterator[pymysql.Connection[Any]]:
        """A connection for one statement. keeps: for the next login of such a user; others' are closed, so that nobody
        but them seems to be connected between statements.
        """
        connection = (self._again(login) if keeps else None) or self.new(login)
        is_kept = False
        try:
            yield connection
            is_kept = keeps
        except ServiceError:
            is_kept = keeps
            raise
        finally:
            if connection.open and not (is_kept and self._keep(connection)):
                connection.close()

    def close(self) -> None:
        """Closes what is kept."""
        with self._lock:
            kept, self._kept = self._kept, []
        for connection in kept:
            connection.close()

    def _again(self, login: Login) -> pymysql.Connection[Any] | None:
        """A kept connection, logged in anew; None if there is none that still works."""
        while (connection := self._taken()) is not None:
            if (connection.host, connection.port) == (login.host, login.port) and _change_user(connection, login):
                return connection
            if connection.open:
                connection.close()
        return None

    def _taken(self) -> pymysql.Connection[Any] | None:
        with self._lock:
            return self._kept.pop() if self._kept else None

    def _keep(self, connection: pymysql.Connection[Any]) -> bool:
        """Whether it is kept, with nothing left of its session."""
        try:
            _ask(connection, _RESET_CONNECTION, b"")
        except pymysql.MySQLError:
            return False
        with self._lock:
            if len(self._kept) < MAX_KEPT:
                self._kept.append(connection)
                return True
        return False


def _change_user(connection: pymysql.Connection[Any], login: Login) -> bool:
    """Logs in over a connection that is there; False if it is of no use, as when the server has closed it.

    Raises LoginRefused. Sent without a password, which MySQL asks for with a new
    salt. Source: "Protocol::COM_CHANGE_USER" and "Caching_sha2 information", MySQL Source Code Documentation.
    """
    user, database = login.user.encode(), (login.database or "").encode()
    asked = user + b"\0" + b"\0" + database + b"\0" + struct.pack("<H", _UTF8MB4) + _PLUGIN + b"\0" + b"\0"
    try:
        answer = _ask(connection, _CHANGE_USER, asked)
        if answer.is_auth_switch_request():
            plugin, _, salt = answer.get_all_data()[1:].partition(b"\0")
            if plugin != _PLUGIN:
                return False
            answer = _tell(connection, _scramble(login.password, salt.removesuffix(b"\0")))
        if answer.is_extra_auth_data():
            is_done = answer.get_all_data()[1] == _FAST_LOGIN_IS_DONE
            answer = _read(connection) if is_done else _tell(connection, login.password + b"\0")
    except pymysql.MySQLError as error:
        if _is_lost(error):
            return False
        raise LoginRefused(error) from error
    return bool(answer.is_ok_packet())


# PyMySQL has neither command, and its two methods for any command are private;
# test_a_login_over_a_kept_connection_is_like_any_other fails if that changes.
def _ask(connection: Any, command: int, what: bytes) -> Any:
    connection._execute_command(command, what)
    return _read(connection)


def _tell(connection: Any, what: bytes) -> Any:
    connection.write_packet(what)
    return _read(connection)


def _read(connection: Any) -> Any:
    return connection._read_packet()


def _scramble(password: bytes, salt: bytes) -> bytes:
    """What proves the password to who knows its hash."""
    first = hashlib.sha256(password).digest()
    second = hashlib.sha256(hashlib.sha256(first).digest() + salt).digest()
    return bytes(a ^ b for a, b in zip(first, second, strict=True)) if password else b""


def _is_lost(error: pymysql.MySQLError) -> bool:
    """Whether the connection is what has failed: errors of the client, not of the server, have these numbers."""
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    return number == 0 or 2000 <= number < 3000
