"""Literal command lines, run in this process against a sandbox that has the shared stack."""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader

from aurora_tenants.cli import main
from tests.cloud import Cloud
from tests.endpoint import set_environment
from tests.quick import look_often

LOCATED = r"\AAWS account \d{12}, region [a-z0-9-]+\n"
HEAD = "version: 1\ncluster: {stack: shared-global}\ntenants:\n"


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a command line. Versions, counts of what else the server holds and times read N, ids ID.

    The first line, with account and region, is left out of `out`; test_account.py looks at it in `CommandLine.printed`.
    """

    code: Any
    out: str
    err: str


class CommandLine:
    """Runs command lines in a directory of their own; remembers all they printed."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.printed = ""
        self._capsys = capsys

    def __call__(self, line: str) -> Ended:
        program, *arguments = shlex.split(line)
        assert program == "aurora-tenants"
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = self._capsys.readouterr()
        self.printed += out + err
        return Ended(ended.value.code, _steady(re.sub(LOCATED, "", out)), _steady(err))

    def file(self, tenants: str, *, head: str = HEAD, name: str = "tenants.yaml") -> None:
        """Writes the file with these tenants."""
        (self.directory / name).write_text(head + tenants)


def _steady(text: str) -> str:
    text = re.sub(r"MySQL \S+ with [\d,]+ databases? and [\d,]+ users?", "MySQL N with N databases and N users", text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", text)
    return re.sub(r"(in|after) \d+\.\d s\b", r"\1 N s", text)


@pytest.fixture(scope="session", autouse=True)
def models_read_once() -> Iterator[None]:
    """botocore reads 2 MB of JSON for each session, and every command line makes one: a third of the time of a test."""
    read, load = dict[str, Any](), JSONFileLoader.load_file

    def load_once(self: JSONFileLoader, path: str) -> Any:
        if path not in read:
            read[path] = load(self, path)
        return read[path]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", load_once)
        yield


def command_line(
    cloud: Cloud, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    """A command line whose AWS account is this sandbox, in a directory."""
    set_environment(monkeypatch, cloud.environment)
    monkeypatch.chdir(directory)
    monkeypatch.setenv("COLUMNS", "1000")  # tests/render looks at how lines are broken
    look_often(monkeypatch)
    return CommandLine(directory, capsys)


@pytest.fixture
def run(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    return command_line(cloud, tmp_path, monkeypatch, capsys)


@pytest.fixture
def clean(cloud: Cloud) -> Iterator[None]:
    """Every stack, database and user that a test makes is gone afterwards."""
    yield
    cloud.clean()


@pytest.fixture
def blind(cloud: Cloud) -> Iterator[None]:
    """The inspector cannot look whether tables are there, so that a stack fails where one is missing."""
    right = "EXECUTE ON FUNCTION aurora_tenants.objects_1"
    cloud.sql(f"REVOKE {right} FROM aurora_tenants_inspector")
    yield
    cloud.sql(f"GRANT {right} TO aurora_tenants_inspector")


class Meanwhile(io.StringIO):
    """Standard error that lets something happen as soon as something is told, for the first time."""

    def __init__(self, happen: Callable[[], None], told: str = "[1/") -> None:
        super().__init__()
        self._next = [(told, happen)]

    def and_then(self, happen: Callable[[], None], told: str) -> Meanwhile:
        """Something else happens after that, as soon as this is told."""
        self._next.append((told, happen))
        return self

    def write(self, text: str) -> int:
        if self._next and self._next[0][0] in text:
            _, happen = self._next.pop(0)
            happen()
        return super().write(text)


class Terminal(io.StringIO):
    """Standard input where somebody types."""

    def isatty(self) -> bool:
        return True
