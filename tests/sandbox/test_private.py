"""The cache, from which the sandbox runs programs: nothing that somebody else has put there, or could have, is run."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from aurora_sandbox import binary, mysqld, private
from aurora_sandbox.errors import Problem, SandboxError

NOBODY = 65534


class Cache:
    """A cache with one unpacked server, whose programs only note that they ran."""

    def __init__(self, directory: Path) -> None:
        self.place = directory / "aurora-tenants" / "mysqld"
        self.tree = self.place / "9.9.9"
        self.server, self.loader = self.tree / "usr/sbin/mysqld", self.tree / "usr/lib64/ld-linux-x86-64.so.2"
        self.libraries = self.tree / "usr/lib/x86_64-linux-gnu"
        self._ran = directory / "ran"
        self.libraries.mkdir(parents=True)
        for file in (self.server, self.loader):
            file.parent.mkdir(parents=True)
            file.write_text(f"#!/bin/sh\ntouch {self._ran}\necho 'mysqld  Ver 9.9.9 for Linux'\n")
            file.chmod(0o755)

    def found(self) -> binary.Binary:
        found = mysqld.find(cache=self.place)
        assert found is not None
        return found

    def refusal(self) -> Problem:
        """Why nothing is found in it, before anything of it was run."""
        with pytest.raises(SandboxError) as error:
            self.found()
        assert not self._ran.exists()
        assert error.value.problems[0].code == "cache-not-yours"
        return error.value.problems[0]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path)


@pytest.fixture
def give_away() -> Callable[[Path], None]:
    if os.geteuid() != 0:
        pytest.skip("to give a file to another user, these tests have to run as root")
    return lambda path: os.chown(path, NOBODY, NOBODY)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_cache_that_others_could_read_is_the_owners_alone_from_now_on(cache: Cache):
    cache.place.chmod(0o755)
    assert cache.found().version == "9.9.9"
    assert mode(cache.place) == 0o700


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_new_cache_is_the_owners_alone_whatever_the_umask(tmp_path: Path, umask: int):
    before = os.umask(umask)
    try:
        private.cache(tmp_path / "new" / "cache")
        private.cache(tmp_path / "new" / "cache")
    finally:
        os.umask(before)
    assert mode(tmp_path / "new" / "cache") == 0o700
    assert not mode(tmp_path / "new") & 0o022


@pytest.mark.parametrize("open_to", [0o707, 0o702, 0o1777])
def test_a_cache_that_others_may_write_to_is_refused(cache: Cache, open_to: int):
    cache.place.chmod(open_to)
    found = cache.refusal()
    assert found.what == f"{cache.place} is not used: the sandbox runs what lies there"
    assert found.why == "others may write to it"
    assert found.fix.startswith(f"rm -r {cache.place}, which is fetched and made again, or set XDG_CACHE_HOME ")
    assert mode(cache.place) == open_to


def test_a_cache_that_a_group_may_write_to_is_refused_but_for_the_users_own_group(
    cache: Cache, give_away: Callable[[Path], None]
):
    cache.place.chmod(0o770)
    os.chown(cache.place, os.geteuid(), NOBODY)
    assert cache.refusal().why == "others may write to it"
    os.chown(cache.place, os.geteuid(), os.geteuid())
    assert cache.found().version == "9.9.9"


def test_a_cache_of_somebody_else_is_refused(cache: Cache, give_away: Callable[[Path], None]):
    give_away(cache.place)
    assert cache.refusal().why == "it belongs to somebody else"


def test_a_cache_in_a_directory_of_somebody_else_is_refused(cache: Cache, give_away: Callable[[Path], None]):
    give_away(cache.place.parent)
    assert cache.refusal().why == f"{cache.place.parent} belongs to somebody else"


def test_a_cache_in_a_directory_that_others_may_write_to_is_refused(cache: Cache):
    cache.place.parent.chmod(0o777)
    found = cache.refusal()
    assert found.why == f"others may write to {cache.place.parent}"
    assert found.fix == "set XDG_CACHE_HOME to a directory of your own"


def test_a_cache_that_is_a_link_is_refused(cache: Cache):
    cache.place.rename(cache.place.with_name("elsewhere"))
    cache.place.symlink_to(cache.place.with_name("elsewhere"))
    assert str(cache.place) in cache.refusal().what


@pytest.mark.parametrize("part", ["tree", "server", "loader", "libraries"])
def test_a_server_in_the_cache_that_others_could_have_changed_is_refused(cache: Cache, part: str):
    path: Path = getattr(cache, part)
    path.chmod(0o757)
    found = cache.refusal()
    assert (found.what.split()[0], found.why) == (str(path), "others may write to it")
    assert found.fix == f"rm -r {cache.place}, which is fetched and made again"


@pytest.mark.parametrize("part", ["tree", "server", "loader", "libraries"])
def test_a_server_in_the_cache_that_belongs_to_somebody_else_is_refused(
    cache: Cache, part: str, give_away: Callable[[Path], None]
):
    path: Path = getattr(cache, part)
    give_away(path)
    found = cache.refusal()
    assert (found.what.split()[0], found.why) == (str(path), "it belongs to somebody else")


def test_a_data_directory_in_the_cache_that_others_could_have_changed_is_not_started(cache: Cache):
    data = cache.place / "data-9.9.9"
    data.mkdir(parents=True)
    assert mysqld.initialised(cache.found(), cache.place) == data
    data.chmod(0o777)
    with pytest.raises(SandboxError, match=r"data-9\.9\.9 is not used"):
        mysqld.initialised(cache.found(), cache.place)


def test_the_cache_is_where_the_user_has_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert mysqld.default_cache() == tmp_path / "aurora-tenants" / "mysqld"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert mysqld.default_cache() == Path.home() / ".cache" / "aurora-tenants" / "mysqld"


def test_files_of_a_running_sandbox_lie_where_nobody_can_put_others_in_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    place.chmod(0o777)
    with pytest.raises(SandboxError, match="is no place for the sandbox's files") as error:
        private.scratch("server-")
    assert error.value.problems[0].why == f"others may write to {place}"
    assert list(place.iterdir()) == []
    place.chmod(0o1777)
    assert mode(private.scratch("server-")) == 0o700
