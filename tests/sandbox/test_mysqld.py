"""A private MySQL server: which program it may be, and that it comes and goes without a trace."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymysql
import pytest

from aurora_sandbox import binary, mysqld
from aurora_sandbox.errors import SandboxError
from tests.mysql_variables import variables


def value(server: mysqld.Server, expression: str) -> Any:
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT {expression}")
        row = cursor.fetchone()
        assert row is not None
        return row[0]


def program(directory: Path, answer: str) -> Path:
    """A program named mysqld that says of itself what is given."""
    path = directory / "mysqld"
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(0o755)
    return path


def eventually(holds: Callable[[], bool], *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return held


def test_server_answers_on_loopback_only(server: mysqld.Server) -> None:
    assert value(server, "@@bind_address") == "127.0.0.1"
    assert value(server, "@@port") == server.port


def test_partial_revokes_is_a_choice(server: mysqld.Server, server_without_partial_revokes: mysqld.Server) -> None:
    assert value(server, "@@partial_revokes") == 1
    assert value(server_without_partial_revokes, "@@partial_revokes") == 0


def test_folding_of_names_is_a_choice(server: mysqld.Server, server_folding_names: mysqld.Server) -> None:
    assert value(server_folding_names, "@@lower_case_table_names") == 1
    assert value(server, "@@lower_case_table_names") != 1
    with server_folding_names.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE Folded_by_MySQL")
        cursor.execute("SHOW DATABASES LIKE 'folded%'")
        assert cursor.fetchall() == (("folded_by_mysql",),)


@pytest.mark.parametrize(
    ("option", "variable", "wanted"),
    [
        ("--sql-mode=ANSI_QUOTES", "@@sql_mode", "ANSI_QUOTES"),
        ("--sql-mode=NO_BACKSLASH_ESCAPES", "@@sql_mode", "NO_BACKSLASH_ESCAPES"),
        ("--activate-all-roles-on-login=ON", "@@activate_all_roles_on_login", 1),
    ],
)
def test_server_takes_other_options(
    server_with: Callable[..., mysqld.Server], option: str, variable: str, wanted: object
) -> None:
    assert value(server_with(option), variable) == wanted
    assert server_with(option) is server_with(option)


def test_variables_hold_for_new_connections_in_the_block_alone(server: mysqld.Server) -> None:
    before = value(server, "@@sql_mode")
    with pytest.raises(KeyError), variables(server, sql_mode="ANSI_QUOTES", activate_all_roles_on_login=1):
        assert (value(server, "@@sql_mode"), value(server, "@@activate_all_roles_on_login")) == ("ANSI_QUOTES", 1)
        raise KeyError
    assert (value(server, "@@sql_mode"), value(server, "@@activate_all_roles_on_login")) == (before, 0)


def test_two_servers_run_side_by_side_on_data_of_their_own(
    server: mysqld.Server, server_without_partial_revokes: mysqld.Server
) -> None:
    assert server.port != server_without_partial_revokes.port
    assert value(server, "@@datadir") != value(server_without_partial_revokes, "@@datadir")


def test_stopped_server_leaves_neither_process_nor_data(mysqld_binary: mysqld.Binary) -> None:
    with mysqld.start(mysqld_binary) as stopped:
        assert stopped.is_running()
    stopped.stop()  # once more is allowed
    assert not stopped.is_running()
    assert not stopped.directory.exists()
    with pytest.raises(pymysql.OperationalError):
        stopped.connect()


def test_server_ends_and_tidies_up_when_its_starter_is_killed() -> None:
    script = """
import tempfile
import time
from aurora_sandbox import mysqld
server = mysqld.start(mysqld.find())
print(server.port, server.directory, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        port, directory = starter.stdout.readline().split()
        starter.kill()

    def is_gone() -> bool:
        with socket.socket() as probe:
            is_listening = probe.connect_ex(("127.0.0.1", int(port))) == 0
        return not is_listening and not Path(directory).exists()

    assert eventually(is_gone, seconds=20)


def test_server_that_does_not_start_says_why(mysqld_binary: mysqld.Binary) -> None:
    with pytest.raises(SandboxError) as caught:
        mysqld.start(mysqld_binary, options=("--no-such-option=1",))
    assert "unknown variable 'no-such-option=1'" in caught.value.problems[0].why


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("mysqld  Ver 10.11.6-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)", "it is MariaDB"),
        ("/usr/sbin/mysqld  Ver 8.0.20 for Linux on x86_64 (MySQL Community Server - GPL)", "it is MySQL 8.0.20"),
        ("hello", "it does not say its version"),
    ],
)
def test_server_asked_for_must_be_a_mysql_that_is_new_enough(tmp_path: Path, answer: str, reason: str) -> None:
    path = program(tmp_path, answer)
    with pytest.raises(SandboxError, match=reason):
        mysqld.find(str(path))


def test_server_asked_for_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="there is no such file"):
        mysqld.find(str(tmp_path / "mysqld"))


def test_server_asked_for_wins_over_the_cache(tmp_path: Path) -> None:
    path = program(tmp_path, "mysqld  Ver 8.4.6 for Linux on x86_64 (Source distribution)")
    assert mysqld.find(str(path)) == mysqld.Binary(path, (), tmp_path.parent, "8.4.6")


def test_mariadb_on_the_path_is_passed_over_and_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "mysqld  Ver 10.11.6-MariaDB")
    monkeypatch.delenv(binary.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    told: list[str] = []
    mysqld.find(cache=tmp_path / "cache", tell=told.append)
    assert told[0].startswith(f"{tmp_path}/mysqld cannot be the sandbox's MySQL server: it is MariaDB")


def test_first_of_two_that_fill_the_cache_at_once_wins(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "made-by").write_text(name)
        binary.publish(tmp_path / name, tmp_path / "place")
    assert (tmp_path / "place" / "made-by").read_text() == "first"


def test_a_socket_whose_path_is_too_long_for_a_system_is_refused_before_the_start(
    mysqld_binary: mysqld.Binary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / ("x" * 90)
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    with pytest.raises(SandboxError) as caught:
        mysqld.start(mysqld_binary)
    assert caught.value.problems[0].fix == "set TMPDIR to a directory with a shorter path"
    assert list(place.iterdir()) == []


def test_root_logs_in_by_the_socket_and_a_password_that_is_new_for_each_server(
    server: mysqld.Server, server_without_partial_revokes: mysqld.Server
) -> None:
    assert value(server, "CURRENT_USER()") == "root@localhost"
    logins = [mysqld.as_root(each.socket) for each in (server, server_without_partial_revokes)]
    assert logins[0]["password"] != logins[1]["password"]
    for password in ("", logins[1]["password"]):
        with pytest.raises(pymysql.OperationalError, match="1045"):
            pymysql.connect(**{**logins[0], "password": password})
        with pytest.raises(pymysql.OperationalError, match="1045"):
            pymysql.connect(host="127.0.0.1", port=server.port, user="root", password=password, ssl_disabled=True)
