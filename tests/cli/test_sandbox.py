"""What `sandbox sql` and its neighbours print, for people and for pipes."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import CommandLine, Ended


def test_rows_are_tab_separated_lines(run: CommandLine):
    ended = run("aurora-tenants sandbox sql -e \"SELECT 1 AS a, NULL AS b, 'x\\ty' AS c UNION SELECT 2, 'ü', '[red]'\"")
    assert ended == Ended(0, "a\tb\tc\n1\tNULL\tx\\ty\n2\tü\t[red]\n", "")


def test_rows_as_json(run: CommandLine):
    ended = run("aurora-tenants sandbox sql --output json -e 'SELECT 1 AS a, NULL AS b'")
    assert (ended.code, json.loads(ended.out)) == (0, [{"a": 1, "b": None}])


def test_a_statement_without_rows_prints_nothing(run: CommandLine):
    assert run("aurora-tenants sandbox sql -e 'SET @a = 1'") == Ended(0, "", "")


def test_a_statement_that_mysql_refuses_is_told_in_its_words(run: CommandLine):
    ended = run("aurora-tenants sandbox sql -e 'SELEC 1'")
    assert (ended.code, ended.out) == (1, "")
    assert "You have an error in your SQL syntax" in ended.err
    assert "Traceback" not in ended.err


def test_the_environment_is_for_eval(run: CommandLine):
    ended = run("aurora-tenants sandbox env")
    assert (ended.code, ended.err) == (0, "")
    assert all(line.startswith("export AWS_") for line in ended.out.splitlines())


@pytest.mark.parametrize("command", ["env", "sql -e 'SELECT 1'"])
def test_without_a_sandbox_the_way_to_one_is_told(run: CommandLine, monkeypatch: pytest.MonkeyPatch, command: str):
    monkeypatch.setenv("XDG_STATE_HOME", str(run.directory))
    assert run(f"aurora-tenants sandbox {command}") == Ended(
        1, "", "error: no sandbox is running  [no-sandbox]\n    fix: run: aurora-tenants sandbox up\n"
    )
