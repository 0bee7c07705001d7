"""requirements/: it is for what pyproject.toml asks, a difference is told, and script/bootstrap goes by it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tools.fits import PYTHONS, why_not
from tools.lock import FILES, beyond, differences, pins

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
TEXTS = {name: (ROOT / "requirements" / f"{name}.txt").read_text() for name in FILES}
HASH = "sha256:" + "0" * 64


def pinned(*lines: str, via: str = "other") -> str:
    return "".join(f"{line} \\\n    --hash={HASH}\n    # via {via}\n" for line in lines)


def test_requirements_are_for_what_pyproject_asks():
    assert differences(PROJECT, TEXTS) == []


def test_requirements_begin_with_the_oldest_python_that_the_package_takes():
    assert PROJECT["project"]["requires-python"] == f">={PYTHONS[0]}"


@pytest.mark.parametrize(
    ("place", "requirement", "told"),
    [
        (("project", "dependencies"), "attrs-of-ours>=1", "sandbox.txt does not name it"),
        (("project", "optional-dependencies", "sandbox"), "boto3>=999", "sandbox.txt has 1."),
        (("project", "optional-dependencies", "sandbox"), "boto3<1", "sandbox.txt has 1."),
        (("project", "optional-dependencies", "sandbox"), "moto[glue]>=5", "sandbox.txt has it without glue"),
        (("dependency-groups", "dev"), "attrs-of-ours", "dev.txt does not name it"),
        (("dependency-groups", "lock"), "pip-tools", "lock.txt does not name it"),
        (("build-system", "requires"), "setuptools", "sandbox.txt does not name it"),
    ],
)
def test_what_pyproject_asks_beyond_the_requirements_is_told(place: tuple[str, ...], requirement: str, told: str):
    project = deepcopy(PROJECT)
    section: Any = project
    for key in place:
        section = section[key]
    section.append(requirement)
    [line] = differences(project, TEXTS)
    assert line.startswith(f"pyproject.toml asks for {requirement}, and requirements/{told}")


def test_a_name_that_is_written_otherwise_is_the_same_package():
    project = deepcopy(PROJECT)
    project["dependency-groups"]["dev"].append("Types.PyMySQL")
    assert differences(project, TEXTS) == []


def test_what_pyproject_does_not_ask_for_any_more_is_told():
    project = deepcopy(PROJECT)
    project["project"]["dependencies"] = [it for it in project["project"]["dependencies"] if "rich" not in it]
    told = "has rich for pyproject.toml, which does not ask for it any more"
    assert differences(project, TEXTS) == [f"requirements/sandbox.txt {told}"]


def test_a_package_without_a_hash_is_told():
    texts = TEXTS | {"lock": TEXTS["lock"].replace("--hash=sha256:", "--hash=sha1:")}
    assert "requirements/lock.txt has no SHA-256 of uv" in differences(PROJECT, texts)


@pytest.mark.parametrize("line", ["boto3>=1.35", "boto3", "boto3==1.*,>=1.35"])
def test_a_version_that_is_not_exact_is_refused(line: str):
    with pytest.raises(ValueError, match="is not pinned to one version"):
        pins(pinned(line))


def test_what_the_tests_need_is_written_without_what_the_sandbox_needs():
    head = "# head\n"
    whole = head + pinned("boto3==1.2", 'networkx==1 ; python_version < "3.12"', "pytest==9.2")
    sandbox = head + pinned("boto3==1.2", "networkx==1")
    assert beyond(whole, sandbox) == head + "-r sandbox.txt\n" + pinned("pytest==9.2")


def test_a_python_that_requirements_are_not_for_is_told():
    assert why_not("cpython", "3.11", "linux", "x86_64") == ""
    assert why_not("cpython", "3.14", "darwin", "arm64") == ""
    for other in (
        ("cpython", "3.10", "linux", "x86_64"),
        ("cpython", "3.99", "linux", "x86_64"),
        ("pypy", "3.11", "linux", "x86_64"),
        ("cpython", "3.11", "darwin", "x86_64"),
        ("cpython", "3.11", "win32", "AMD64"),
    ):
        implementation, version, system, machine = other
        assert why_not(*other).endswith(f"and not for {implementation} {version} on {system} {machine}")
    assert "3.14 without GIL on" in why_not("cpython", "3.14", "linux", "x86_64", free_threaded=True)


class Checkout:
    """script/bootstrap beside a .venv whose Python notes what pip is told, and fits or does not.

    A stand-in, because each installation takes half a minute and the network; CI itself is the real one.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("script", "requirements", ".venv/bin"):
            (directory / name).mkdir(parents=True)
        shutil.copy(ROOT / "script" / "bootstrap", directory / "script")
        for name in ("pyproject.toml", *(f"requirements/{name}.txt" for name in FILES)):
            (directory / name).write_text((ROOT / name).read_text())
        (directory / ".venv/bin/python").write_text(
            '#!/bin/sh\ncase "$*" in\n'
            '*tools.fits*) [ -z "${UNFIT:-}" ] || { echo "it is for another"; exit 1; } ;;\n'
            f'*"pip install"*) echo "$@" >>"{directory}/calls" ;;\nesac\n'
        )
        (directory / ".venv/bin/python").chmod(0o755)

    def bootstrap(self, *arguments: str, fits: bool = True) -> tuple[int, str, list[str]]:
        """Exit code, stderr, and what pip was told to install."""
        calls = self.directory / "calls"
        calls.write_text("")
        done = subprocess.run(
            ["script/bootstrap", *arguments],
            cwd=self.directory,
            env=os.environ | {"UNFIT": "" if fits else "1"},
            capture_output=True,
            text=True,
        )
        quiet = "-m pip install --quiet --disable-pip-version-check "
        return done.returncode, done.stderr, [line.removeprefix(quiet) for line in calls.read_text().splitlines()]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.mark.parametrize(("arguments", "file"), [((), "sandbox"), (("dev",), "dev"), (("dev", "--locked"), "dev")])
def test_bootstrap_installs_what_is_pinned_and_then_downloads_nothing(
    checkout: Checkout, arguments: tuple[str, ...], file: str
):
    code, _, calls = checkout.bootstrap(*arguments)
    assert (code, calls) == (
        0,
        [
            "--require-hashes --only-binary :all: -r requirements/pip.txt",
            f"--require-hashes --only-binary :all: -r requirements/{file}.txt",
            "--no-index --no-deps --no-build-isolation --editable .",
        ],
    )
    assert checkout.bootstrap(*arguments) == (0, "", [])


def test_bootstrap_installs_again_when_what_is_pinned_changes(checkout: Checkout):
    checkout.bootstrap()
    with (checkout.directory / "requirements/sandbox.txt").open("a") as file:
        file.write(pinned("another==1"))
    assert len(checkout.bootstrap()[2]) == 3


def test_bootstrap_of_another_python_takes_the_newest_and_says_so(checkout: Checkout):
    code, told, calls = checkout.bootstrap("dev", fits=False)
    assert (code, calls) == (0, ["--upgrade pip>=25.1", "--editable .[sandbox] --group build --group dev"])
    assert "the newest versions that pyproject.toml allows: it is for another." in told
    assert checkout.bootstrap("dev", fits=False) == (0, "", [])


def test_bootstrap_that_has_to_go_by_the_pins_refuses_another_python(checkout: Checkout):
    checkout.bootstrap("dev", fits=False)
    code, told, calls = checkout.bootstrap("dev", "--locked", fits=False)
    assert (code, calls) == (1, [])
    assert "error: it is for another" in told


def test_bootstrap_refuses_a_word_that_it_does_not_know(checkout: Checkout):
    code, told, calls = checkout.bootstrap("--lokced")
    assert (code, calls) == (2, [])
    assert told.startswith("usage: script/bootstrap [dev] [--locked]")


def test_ci_goes_by_the_pins():
    assert "\nscript/bootstrap dev --locked\n" in (ROOT / ".ci" / "run").read_text()


def test_contributors_are_told_for_which_pythons_the_requirements_are():
    assert f"for CPython {PYTHONS[0]} to {PYTHONS[-1]} on Linux and on macOS" in (ROOT / "CONTRIBUTING.md").read_text()
