"""Ends a test run with a search for every password that was in use in it: in what the tests and their programs printed,
in the logs of functions and of MySQL, in the events and outputs of stacks, and in every file that a test left behind.

Where one is found the run fails, and says the place and never the password. What may hold passwords, and is not
searched: the memory of Secrets Manager, MySQL's data and the file of its root, which are what passwords are for, and
the directory of the run itself, which is for its owner alone and ends with the run. What a failed assertion shows is
not searched either: it compares what it has to, and the run fails anyway. A password of fewer than
`search.SHORTEST` characters, such as tests make up, could stand anywhere.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.passwords.search import Passwords, lines_with, places

_INSIDE = Path(__file__).with_name("inside")
_PATCH = pytest.StashKey[pytest.MonkeyPatch]()
_OURS = pytest.StashKey[Path]()  # of the run that has begun here, and not in a process of xdist's
_SEARCHED = pytest.StashKey["Searched"]()


class Searched(NamedTuple):
    """What was looked for, in how much, and where it was found."""

    passwords: int
    bytes: int
    places: list[str]


def pytest_configure(config: pytest.Config) -> None:
    """A directory for the run, and everything watched; a process of xdist's is of the run that started it."""
    patch = config.stash[_PATCH] = pytest.MonkeyPatch()
    inside = _inside()
    if not hasattr(config, "workerinput"):
        directory = config.stash[_OURS] = Path(tempfile.mkdtemp(prefix="aurora-tenants-run-"))
        patch.setenv(inside.VARIABLE, str(directory))
        patch.setenv("PYTHONPATH", str(_INSIDE), prepend=os.pathsep)
    if inside.Finder not in sys.meta_path:
        inside.install()
    _note_programs(inside, patch)
    _note_captured(inside, patch)


def _inside() -> Any:
    """The one that this process has loaded already, in a process of xdist's."""
    loaded = sys.modules.get("sitecustomize")
    if getattr(loaded, "__file__", None) == str(_INSIDE / "sitecustomize.py"):
        return loaded
    return importlib.import_module("tests.passwords.inside.sitecustomize")


def _test() -> str:
    """The test that runs, without the name of its phase."""
    return os.environ.get("PYTEST_CURRENT_TEST", "no test").rpartition(" ")[0]


def _text(output: Any) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else str(output or "")


def _note_programs(inside: Any, patch: pytest.MonkeyPatch) -> None:
    """What programs say that tests run."""
    its = subprocess.Popen.communicate

    def communicate(self: Any, *arguments: Any, **options: Any) -> Any:
        out, err = its(self, *arguments, **options)
        inside.say(f"what a program said in {_test()}", _text(out) + _text(err))
        return out, err

    patch.setattr(subprocess.Popen, "communicate", communicate)


def _note_captured(inside: Any, patch: pytest.MonkeyPatch) -> None:
    """What a test has read of its own output, which is in no report."""
    its = pytest.CaptureFixture.readouterr

    def readouterr(self: Any) -> Any:
        read = its(self)
        inside.say(f"the output of {_test()}", _text(read.out) + _text(read.err))
        return read

    patch.setattr(pytest.CaptureFixture, "readouterr", readouterr)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    report: pytest.TestReport = yield
    if report.when == "teardown":
        _inside().say(f"the output of {item.nodeid}", "\n".join(text for _, text in report.sections))
    return report


@pytest.fixture(scope="session", autouse=True)
def directories_are_searched(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = Path(os.environ[_inside().VARIABLE]) / f"directory-{os.getpid()}"
    path.write_text(str(tmp_path_factory.getbasetemp()))


@pytest.hookimpl(trylast=True)  # xdist's processes have ended
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _OURS not in session.config.stash:
        return
    searched = session.config.stash[_SEARCHED] = _search(session.config.stash[_OURS])
    if searched.places and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _search(directory: Path) -> Searched:
    in_use = {json.loads(line) for notes in directory.glob("in-use-*") for line in notes.read_text().splitlines()}
    passwords, mark = Passwords(in_use), _inside().MARK.encode()
    size, found = 0, list[str]()
    for said in sorted(directory.glob("said-*")):
        size += len(text := said.read_bytes())
        if passwords.stand_in(text):
            found += (place for place, piece in places(text, mark) if passwords.stand_in(piece))
    for path in _files({Path(path.read_text()) for path in directory.glob("directory-*")}):
        size += len(text := path.read_bytes())
        found += (f"{path}:{number}" for number in lines_with(passwords, text))
    return Searched(passwords.count, size, [*dict.fromkeys(found)])


def _files(tops: set[Path]) -> Iterator[Path]:
    for top in sorted(tops):
        yield from (path for path in sorted(top.rglob("*")) if path.is_file() and not path.is_symlink())


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    searched = config.stash.get(_SEARCHED, None)
    if searched is None or not searched.passwords:
        return
    looked = (
        f"{searched.passwords:,} passwords were in use; {searched.bytes / 1e6:,.1f} MB of what was said and left behind"
    )
    if not searched.places:
        terminalreporter.line(f"{looked} hold none of them.")
        return
    terminalreporter.section("passwords that can be seen", red=True)
    terminalreporter.line(f"{looked} hold some of them, in {len(searched.places)} places:")
    for place in searched.places:
        terminalreporter.line(f"  {place}")


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_PATCH].undo()
    if _OURS in config.stash:
        shutil.rmtree(config.stash[_OURS], ignore_errors=True)
