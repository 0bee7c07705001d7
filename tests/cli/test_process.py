"""A process that is one command line: that it ends as Python would end it, only sooner."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Ended

# An object of the process's own, which says when it is taken apart.
WITNESS = (
    "import os\nclass Witness:\n    def __del__(self, write=os.write): write(1, b'taken apart')\nwitness = Witness()\n"
)


def ended(before: str, *arguments: str, options: tuple[str, ...] = ()) -> Ended:
    """A command line in a process in which something has been done before."""
    program = f"import sys\n{before}\nsys.argv = ['aurora-tenants', *{arguments!r}]\n"
    program += "from aurora_tenants.cli import main\nmain()\n"
    command = [sys.executable, *options, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--version"], 0),
        (["schema"], 0),
        (["plan", "--help"], 0),
        (["schema", "--plan", "--apply"], 64),
        (["plna"], 64),
        (["validate", "--file", "nowhere"], 1),
        (["validate", "--file", "nowhere", "--output", "json"], 1),
    ],
)
def test_exit_code_and_output_are_those_of_a_process_that_python_ends(arguments: list[str], code: int):
    by_python = ended("sys.settrace(lambda *_: None)", *arguments)
    assert by_python.code == code
    assert ended("", *arguments) == by_python


def test_objects_are_not_taken_apart():
    assert "taken apart" not in ended(WITNESS, "schema").out


@pytest.mark.parametrize(
    "watched",
    [
        "sys.settrace(lambda *_: None)",
        "sys.setprofile(lambda *_: None)",
        "import cProfile; profile = cProfile.Profile(); profile.enable()",
        "import threading; threading.Thread(target=threading.main_thread().join).start()",
    ],
)
def test_python_ends_what_is_watched_and_what_has_threads(watched: str):
    assert "taken apart" in ended(f"{WITNESS}{watched}", "schema").out


def test_what_is_to_be_done_at_the_end_is_done(tmp_path: Path):
    directory = f"import atexit, tempfile; sys.kept = tempfile.TemporaryDirectory(dir={str(tmp_path)!r})"
    last = "atexit.register(print, 'last', end='')"
    assert ended(f"{directory}\n{last}", "schema").out.endswith("}\nlast")
    assert list(tmp_path.iterdir()) == []


def test_a_prompt_that_was_asked_for_comes():
    command = [sys.executable, "-i", "-m", "aurora_tenants", "schema"]
    done = subprocess.run(command, capture_output=True, text=True, input="print(6 * 7)\n", timeout=60)
    assert done.stdout.endswith("42\n")


def test_a_profile_is_written(tmp_path: Path):
    """As docs on performance have it: python -m cProfile -o FILE -m aurora_tenants plan."""
    file = tmp_path / "profile"
    command = [sys.executable, "-m", "cProfile", "-o", str(file), "-m", "aurora_tenants", "schema"]
    subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert file.stat().st_size


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_what_cannot_be_written_is_told_by_whoever_told_it_before():
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "aurora_tenants", "--version"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    why = os.strerror(28)
    assert (done.returncode, done.stderr) == (
        1,
        f"error: the output could not be written to its end: {why}  [output-not-written]\n",
    )


@pytest.mark.parametrize("closed", [1, 2])
def test_a_stream_that_is_closed_is_no_failure(closed: int):
    line = f"{sys.executable} -m aurora_tenants schema {closed}>&-"
    done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=60)
    assert done.returncode == 0
