"""What ends every run of these tests: the search for all passwords that were in use in it, in all that the run said."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_sandbox.secretsmanager.password import random_password
from tests.passwords.inside.sitecustomize import VARIABLE
from tests.passwords.search import Passwords, lines_with

ROOT = Path(__file__).parents[1]
LEAKY = "tests/passwords/leaky.py"


def run(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The tests that show passwords, as a run of their own."""
    variables = {name: value for name, value in os.environ.items() if name not in (VARIABLE, "PYTHONPATH")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={directory}", *options]
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)


PLACES = {
    "prints": [f"the output of {LEAKY}::test_prints"],
    "reads_its_own_output": [f"the output of {LEAKY}::test_reads_its_own_output"],
    "leaves_a_file": ["plan.json:2"],
    "runs_a_program": [f"what a program said in {LEAKY}::test_runs_a_program"],
    "deploys_a_function_that_talks": ["the log of function talks", "the events and outputs of stack told"],
}


@pytest.mark.long
def test_run_in_which_a_password_can_be_seen_fails_and_says_where(tmp_path: Path) -> None:
    """With a process of xdist's, as script/test runs them; the run below has none."""
    done = run(tmp_path / "run", "-n", "1", *(f"{LEAKY}::test_{name}" for name in PLACES))
    said = re.sub(r"(?<=  )/\S*/(?=plan\.json)", "", done.stdout)
    expected = sorted(f"  {place}" for name in PLACES for place in PLACES[name])
    head, _, places = said.partition(f" hold some of them, in {len(expected)} places:\n")
    assert sorted(places.splitlines()[: len(expected)]) == expected, said
    assert (done.returncode, f"{len(PLACES)} passed" in said) == (1, True)
    assert head.endswith(" MB of what was said and left behind")


def test_run_in_which_no_password_can_be_seen_does_not(tmp_path: Path) -> None:
    done = run(tmp_path / "run", f"{LEAKY}::test_is_silent")
    assert done.returncode == 0
    assert re.search(
        r"^1 passwords were in use; [\d.]+ MB of what was said and left behind hold none of them\.$", done.stdout, re.M
    )


# As a function makes them, as the article's templates do, as RDS does, and with everything that may be in one.
RULES = ({"ExcludePunctuation": True}, {"ExcludeCharacters": "\"@/\\'"}, {"PasswordLength": 12}, {})
WRITTEN = {
    "as it is": str,
    "JSON": json.dumps,
    "JSON in JSON": lambda text: json.dumps(f"\n{text}\t"),
    "a URL": lambda text: f"x%2F{quote(text, safe='')}%3D",
    "HTML": lambda text: f"&nbsp;{html.escape(text)}&nbsp;",
    "hexadecimal": lambda text: f"0x{text.encode().hex()}",
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 after one": lambda text: base64.b64encode(b"x" + text.encode() + b"y").decode(),
    "base64 after two": lambda text: base64.b64encode(b"xy" + text.encode() + b"z").decode(),
    "base64 within": lambda text: base64.b64encode(f'{{"password":"{text}"}}'.encode()).decode(),
}


@pytest.mark.parametrize("written", WRITTEN)
def test_password_is_found_however_it_is_written(written: str) -> None:
    for rules in RULES:
        for _ in range(25):
            others = [random_password(rules) for _ in range(3)]
            password = random_password(rules)
            text = f"the first line\nAND={WRITTEN[written](password)}and\nthe last\n".encode()
            assert lines_with(Passwords([*others, password]), text) == [2]
            assert lines_with(Passwords(others), text) == []


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=40), st.text(max_size=50))
def test_password_is_found_exactly_where_it_stands(password: str, around: str) -> None:
    assert Passwords([password]).stand_in(f"{around}{password}{around}".encode(errors="replace"))
    text = f"{around}{password[:-1]}\0{password[-1]}{around}"
    assert Passwords([password]).stand_in(text.encode(errors="replace")) == (password in text)


def test_word_that_could_stand_anywhere_is_not_looked_for() -> None:
    assert lines_with(Passwords(["unknown", "secret", ""]), b"an unknown secret") == []
