"""The stand-in for AWSAuthenticationPlugin: accounts come and go with it on a real server, logins do not."""

from __future__ import annotations

import struct
import uuid
from pathlib import Path

import pymysql
import pytest

from aurora_sandbox import iam_plugin, mysqld
from aurora_sandbox.aurora import switch_iam
from aurora_sandbox.iam_plugin import NoStandIn, stand_in

NAME, DESCRIPTION = b"mysql_no_login\0", b"No login authentication plugin\0"
X86_64, R_X86_64_RELATIVE, AARCH64, R_AARCH64_RELATIVE = 62, 8, 183, 1027


@pytest.fixture
def library(mysqld_binary: mysqld.Binary, with_iam_plugin: None) -> bytes:
    """The server's own mysql_no_login.so."""
    assert mysqld_binary.plugins is not None
    return (mysqld_binary.plugins / "mysql_no_login.so").read_bytes()


def error(server: mysqld.Server, statement: str, user: str = "root", password: str = "") -> int:
    """The number of the error that a statement, or the login before it, ends in; 0 if all goes well."""
    try:
        with server.connect(user, password) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
    except pymysql.MySQLError as refusal:
        return int(refusal.args[0])
    return 0


def plugin_of(server: mysqld.Server, user: str) -> object:
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT plugin, authentication_string, ssl_type FROM mysql.user WHERE User = %s", (user,))
        return cursor.fetchone()


@pytest.fixture
def user() -> str:
    return f"iam-{uuid.uuid4().hex[:8]}"


# On a server


def test_user_is_made_as_on_aws_and_cannot_log_in(server: mysqld.Server, user: str, with_iam_plugin: None) -> None:
    made = error(server, f"CREATE USER `{user}` IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL")
    assert (made, plugin_of(server, user)) == (0, ("AWSAuthenticationPlugin", "RDS", "ANY"))
    error(server, f"ALTER USER `{user}` REQUIRE NONE")  # these connections are without TLS
    assert [error(server, "SELECT 1", user, password) for password in ("", "RDS", "a token")] == [1045] * 3


def test_user_changes_to_it_and_back_and_keeps_its_grants(
    server: mysqld.Server, user: str, with_iam_plugin: None
) -> None:
    error(server, f"CREATE USER `{user}` IDENTIFIED BY 'word-1'")
    error(server, f"GRANT SELECT ON `{user}`.* TO `{user}`")
    assert error(server, f"ALTER USER `{user}` IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'") == 0
    assert (plugin_of(server, user), error(server, "SELECT 1", user, "word-1")) == (
        ("AWSAuthenticationPlugin", "RDS", ""),
        1045,
    )
    assert error(server, f"ALTER USER `{user}` IDENTIFIED WITH caching_sha2_password BY 'word-2'") == 0
    assert error(server, f"SHOW TABLES FROM `{user}`", user, "word-2") == 1049  # seen, and not there


def test_password_without_a_plugin_leaves_a_user_of_iam_with_neither(
    server: mysqld.Server, user: str, with_iam_plugin: None
) -> None:
    """Why the way back names the plugin: IDENTIFIED BY alone goes to the plugin the user has, which forgets it."""
    error(server, f"CREATE USER `{user}` IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'")
    assert error(server, f"ALTER USER `{user}` IDENTIFIED BY 'word'") == 0
    assert plugin_of(server, user) == ("AWSAuthenticationPlugin", "", "")
    assert error(server, "SELECT 1", user, "word") == 1045


def test_plugin_is_loaded_and_unloaded_while_the_server_runs(
    mysqld_binary: mysqld.Binary, user: str, with_iam_plugin: None
) -> None:
    create = "CREATE USER `{}` IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'"
    with mysqld.start(mysqld_binary) as started:
        assert error(started, create.format(user)) == 1524
        for _ in range(2):  # the second time, nothing is to be done
            switch_iam(started, on=True)
        assert error(started, create.format(user)) == 0
        for _ in range(2):
            switch_iam(started, on=False)
        assert error(started, create.format("another")) == 1524
        assert error(started, f"ALTER USER `{user}` IDENTIFIED WITH caching_sha2_password BY 'word'") == 0
        (started.directory / iam_plugin.DIRECTORY / iam_plugin.LIBRARY).unlink()
        switch_iam(started, on=True)
        assert error(started, create.format("another")) == 1524


def test_plugins_of_the_server_can_still_be_loaded(server: mysqld.Server) -> None:
    assert error(server, "INSTALL PLUGIN mysql_no_login SONAME 'mysql_no_login.so'") == 0
    assert error(server, "UNINSTALL PLUGIN mysql_no_login") == 0


# The library


def test_stand_in_differs_in_the_name_and_the_pointer_to_it_alone(library: bytes) -> None:
    changed = stand_in(library)
    differing = {at for at in range(len(library)) if library[at] != changed[at]}
    start = library.index(DESCRIPTION)
    text = range(start, start + len("AWSAuthenticationPlugin\0"))
    pointer = differing - set(text)
    assert changed[text.start : text.stop] == b"AWSAuthenticationPlugin\0"
    assert len(changed) == len(library)
    assert pointer
    assert max(pointer) - min(pointer) < 8


def test_stand_in_cannot_be_made_from_itself(library: bytes) -> None:
    with pytest.raises(NoStandIn, match=r"^mysql_no_login\.so holds the text 'No login .* plugin' 0 times, not once$"):
        stand_in(stand_in(library))


def relocations(library: bytes) -> list[int]:
    """Where the library's relative relocations stand, that of the name first: they are neighbours, of 24 bytes each."""
    name = library.index(NAME)  # of what comes first in a segment of its own, offset and address are the same
    found = [library.index(struct.pack("<QQ", R_X86_64_RELATIVE, name)) - 8]
    for step in (24, -24):
        place = found[0] + step
        while struct.unpack_from("<Q", library, place + 8) == (R_X86_64_RELATIVE,):
            found.append(place)
            place += step
    return found


def for_arm(library: bytes, places: list[int]) -> bytes:
    """The library as another processor's, as far as the stand-in looks at it: its machine, its relocations."""
    changed = bytearray(library)
    struct.pack_into("<H", changed, 18, AARCH64)
    for place in places:
        struct.pack_into("<Q", changed, place + 8, R_AARCH64_RELATIVE)
    return bytes(changed)


def test_stand_in_is_made_for_both_processors(library: bytes) -> None:
    if struct.unpack_from("<H", library, 18) != (X86_64,):
        pytest.skip("the other processor's is made from that of x86-64")
    places = relocations(library)
    assert stand_in(for_arm(library, places)) == for_arm(stand_in(library), places)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"\x7fELF", b"\xcf\xfa\xed\xfe", "is no library of a 64-bit Linux"),
        (b"\x7fELF\x02", b"\x7fELF\x01", "is no library of a 64-bit Linux"),
        (NAME, b"mysql_nologin!\0", "holds the text 'mysql_no_login' 0 times, not once"),
        (DESCRIPTION, DESCRIPTION[:-15] + NAME, "holds the text 'mysql_no_login' 2 times, not once"),
    ],
)
def test_library_that_is_not_as_expected_is_left_alone(library: bytes, old: bytes, new: bytes, reason: str) -> None:
    assert (library.count(old), len(old)) == (1, len(new))
    with pytest.raises(NoStandIn, match=f"^mysql_no_login.so {reason}$"):
        stand_in(library.replace(old, new))


def test_library_of_a_processor_that_is_not_known_is_left_alone(library: bytes) -> None:
    changed = bytearray(library)
    struct.pack_into("<H", changed, 18, 243)
    with pytest.raises(NoStandIn, match=r"not known here \(ELF machine 243\)$"):
        stand_in(bytes(changed))


@pytest.mark.parametrize("times", [0, 2])
def test_library_that_does_not_point_to_the_name_once_is_left_alone(library: bytes, times: int) -> None:
    if struct.unpack_from("<H", library, 18) != (X86_64,):
        pytest.skip("relocations are looked for as those of x86-64")
    changed = bytearray(library)
    of_name, other, *_ = relocations(library)
    if times == 0:
        struct.pack_into("<Q", changed, of_name + 16, 0)
    else:
        changed[other + 16 : other + 24] = library[of_name + 16 : of_name + 24]
    with pytest.raises(NoStandIn, match=f"points to its name {times} times, not once"):
        stand_in(bytes(changed))


@pytest.mark.parametrize("size", [0, 6, 40, 80, 600])
def test_library_that_ends_too_early_is_left_alone(library: bytes, size: int) -> None:
    with pytest.raises(NoStandIn):
        stand_in(library[:size])


def test_server_without_the_library_has_no_stand_in(tmp_path: Path) -> None:
    assert iam_plugin.missing(None) == "this MySQL server comes without mysql_no_login.so"
    assert iam_plugin.missing(tmp_path) == "this MySQL server comes without mysql_no_login.so"
    assert iam_plugin.directory(tmp_path, tmp_path / "plugins") is None
    assert not (tmp_path / "plugins").exists()
