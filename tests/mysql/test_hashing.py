"""The product's own hashes of passwords, compared with what a real server stores, and used to log in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pymysql
import pytest

from aurora_sandbox.mysqld import Server
from aurora_tenants.lambdas.password import hashes_of
from aurora_tenants.mysql.hashing import HIDDEN, Hashes, hashed
from aurora_tenants.mysql.live import Execute
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import PASSWORD_PLUGINS
from aurora_tenants.mysql.passwords import identified, set_password
from tests.mysql_server import execute_as, hashes

USER = Account("hashing")
# Of this server: MySQL has no mysql_native_password any more from 9.0 on.
PLUGINS = ("caching_sha2_password", "sha256_password")
# Around every multiple of what SHA-256 works on and gives, and in binary with every mix of ones and zeros.
SIZES = (*range(1, 70), 95, 96, 97, 127, 128, 129, 159, 160, 161, 191, 192, 193, 223, 224, 225, 254, 255, 256)
# Where the salt begins in what a plugin stores; it has 20 characters.
SALT_AT = {"caching_sha2_password": 7, "sha256_password": 3}


@pytest.fixture
def execute(server: Server) -> Iterator[Execute]:
    execute = execute_as(server)
    execute(f"DROP USER IF EXISTS {USER}")
    yield execute
    execute(f"DROP USER IF EXISTS {USER}")


def logs_in(server: Server, password: str, *, tls: bool = True) -> bool:
    """Without TLS the client encrypts with the server's RSA key, which has room for 213 bytes."""
    how = {"ssl": {"check_hostname": False}} if tls else {"ssl_disabled": True}
    address = {"host": server.host, "port": server.port, "user": USER.user}
    try:
        pymysql.connect(**address, **how, password=password.encode()).close()  # type: ignore[call-overload]
    except pymysql.OperationalError as error:
        assert error.args[0] == 1045, error
        return False
    return True


def text_of(password: Hashes, plugin: str) -> str:
    return bytes.fromhex(password[plugin].removeprefix("0x")).decode()


@pytest.mark.parametrize("plugin", PLUGINS)
def test_the_hash_is_what_the_server_stores_for_the_same_password_and_salt(
    server_with: Callable[..., Server], plugin: str
):
    """With 5,000 rounds; a server of MySQL 9.7 takes 10,000 for a password that it hashes itself."""
    execute = execute_as(server_with("--caching-sha2-password-digest-rounds=5000"))
    compared = 0
    for letter in ("a", "é", "漢", "\U0001f600"):
        for size in SIZES:
            password = letter * size
            if len(password.encode()) > 256:
                break
            execute(f"CREATE USER {USER} IDENTIFIED WITH {plugin} BY '{password}'")
            ((stored,),) = execute(f"SELECT HEX(authentication_string) FROM mysql.user WHERE User = '{USER.user}'")
            execute(f"DROP USER {USER}")
            at = SALT_AT[plugin]
            salt = bytes.fromhex(str(stored))[at : at + 20].decode()
            assert hashed(password, salt)[plugin] == f"0x{str(stored).lower()}", (letter, size)
            compared += 1
    assert compared > 200


@pytest.mark.parametrize(
    ("password", "salt", "plugin", "stored"),
    [
        # "Unix crypt using SHA-256 and SHA-512", Ulrich Drepper: the first test vector of SHA-256
        (
            *("Hello world!", "saltstring", "sha256_password"),
            "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
        ),
        # "PASSWORD", MariaDB Server Documentation; a server of MariaDB 10.11 gave the same for 469 other passwords
        ("notagoodpwd", "", "mysql_native_password", "*3A70EE9FC6594F88CE9E959CD51C5A1C002DC937"),
        ("secret", "", "mysql_native_password", "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"),
    ],
)
def test_the_hash_is_the_published_one(password: str, salt: str, plugin: str, stored: str):
    assert text_of(hashed(password, salt), plugin) == stored


@pytest.mark.parametrize("plugin", PLUGINS)
@pytest.mark.parametrize(
    "password", ["x", "back\\slash'\"`;--", "tab\t, line\n, \x01", "Pä漢\U0001f600", "a" * 64, "a" * 213], ids=len
)
def test_a_password_logs_in_with_and_without_tls_and_no_other_does(
    server: Server, execute: Execute, plugin: str, password: str
):
    """Also while the server's cache of caching_sha2_password is empty, which FLUSH PRIVILEGES makes it."""
    execute(f"CREATE USER {USER}{identified(plugin, hashes('another one'))}")
    assert logs_in(server, "another one")
    execute(set_password(USER, plugin, hashes_of("its", password), retain=False))
    for tls in (False, True, True, False):
        if tls:
            execute("FLUSH PRIVILEGES")
        assert logs_in(server, password, tls=tls)
        assert not logs_in(server, f"-{password[1:]}", tls=tls)
        assert not logs_in(server, "another one", tls=tls)
        execute("FLUSH PRIVILEGES")


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_password_of_256_bytes_logs_in_and_a_longer_one_is_refused(
    server: Server, execute: Execute, monkeypatch: pytest.MonkeyPatch, plugin: str
):
    execute(f"CREATE USER {USER}{identified(plugin, hashes('ü' * 128))}")
    assert logs_in(server, "ü" * 128)
    with pytest.raises(ValueError, match=r"^has 257 bytes; change it to one of 1 to 256$"):
        hashes("x" * 257)
    # The refusal is right: MySQL stores what no client can log in with.
    monkeypatch.setattr("aurora_tenants.mysql.hashing._MOST_BYTES", 257)
    execute(set_password(USER, plugin, hashes("x" * 257), retain=False))
    assert not logs_in(server, "x" * 257)


@pytest.mark.parametrize("password", ["", "a\0b", "\ud800"], ids=repr)
def test_a_password_that_no_client_can_log_in_with_is_refused_without_being_shown(password: str):
    with pytest.raises(ValueError, match=r"^the password in secret its (has 0 bytes|contains a NUL or half)") as told:
        hashes_of("its", password)
    assert "\ud800" not in str(told.value)


def test_every_plugin_that_a_user_may_have_has_a_hash_and_a_stand_in_for_it():
    first, second = hashes_of("its", "word"), hashes_of("its", "word")
    assert set(first) == set(HIDDEN) == {*PASSWORD_PLUGINS}
    assert re.fullmatch(r"\$A\$005\$[\w-]{20}[./\w]{43}", text_of(first, "caching_sha2_password"))
    assert first["caching_sha2_password"] != second["caching_sha2_password"]


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_password_of_the_history_is_set_again_and_noted_there(execute: Execute, plugin: str):
    rules = "PASSWORD HISTORY 3 PASSWORD REUSE INTERVAL 365 DAY"
    execute(f"CREATE USER {USER} IDENTIFIED WITH {plugin} BY 'first' {rules}")
    with pytest.raises(pymysql.OperationalError, match="3638"):
        execute(f"ALTER USER {USER} IDENTIFIED BY 'first'")
    for password in ("first", "first", "second", "first"):
        execute(set_password(USER, plugin, hashes(password), retain=True))
    for noted in ("first", "second"):
        with pytest.raises(pymysql.OperationalError, match="3638"):
            execute(f"ALTER USER {USER} IDENTIFIED BY '{noted}'")
    execute(f"ALTER USER {USER} IDENTIFIED BY 'third'")


def test_no_policy_for_passwords_sees_a_hash(execute: Execute):
    component = "'file://component_validate_password'"
    execute(f"INSTALL COMPONENT {component}")
    try:
        with pytest.raises(pymysql.OperationalError, match="1819"):
            execute(f"CREATE USER {USER} IDENTIFIED BY 'x'")
        execute(f"CREATE USER {USER}{identified('caching_sha2_password', hashes('x'))}")
    finally:
        execute(f"UNINSTALL COMPONENT {component}")


def test_a_new_hash_ends_the_expiry_of_a_password_and_needs_no_current_one(server: Server, execute: Execute):
    execute(f"CREATE USER {USER} IDENTIFIED BY 'first' PASSWORD REQUIRE CURRENT PASSWORD EXPIRE")
    execute(set_password(USER, "caching_sha2_password", hashes("second"), retain=True))
    assert execute("SELECT password_expired FROM mysql.user WHERE User = 'hashing'") == [("N",)]
    assert (logs_in(server, "first"), logs_in(server, "second")) == (True, True)
