"""What `sandbox sql` and its neighbours print, for people and for pipes."""

from __future__ import annotations

import json
import sys

import pytest

from aurora_sandbox.keys import new_key
from tests.cli.conftest import CommandLine, Ended, Terminal


def test_rows_are_tab_separated_lines(run: CommandLine):
    ended = run("aurora-tenants sandbox sql -e \"SELECT 1 AS a, NULL AS b, 'x\\ty' AS c UNION SELECT 2, 'ü', '[red]'\"")
    assert ended == Ended(0, "a\tb\tc\n1\tNULL\tx\\ty\n2\tü\t[red]\n", "")


def test_rows_as_json(run: CommandLine):
    ended = run("aurora-tenants sandbox sql --output json -e 'SELECT 1 AS a, NULL AS b'")
    assert (ended.code, json.loads(ended.out)) == (0, [{"a": 1, "b": None}])


def test_cells_that_json_has_no_type_for_are_text(run: CommandLine):
    ended = run(
        "aurora-tenants sandbox sql --output json -e"
        " \"SELECT TIMESTAMP'2026-01-02 03:04:05' AS t, 1.50 AS d, CAST('text' AS BINARY) AS b, X'00ff' AS x, 1e0 AS f,"
        " TIME'25:00:00' AS h\""
    )
    assert (ended.code, json.loads(ended.out)) == (
        0,
        [{"t": "2026-01-02 03:04:05", "d": "1.50", "b": "text", "x": "0x00ff", "f": 1.0, "h": "25:00:00"}],
    )


def test_an_empty_statement_is_a_statement(run: CommandLine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", Terminal("SELECT 1"))
    assert "Query was empty (1065)" in run("aurora-tenants sandbox sql -e ''").err


def test_at_a_terminal_a_statement_is_asked_for(run: CommandLine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", Terminal("SELECT 1 AS a"))
    assert run("aurora-tenants sandbox sql") == Ended(
        0, "a\n1\n", "Type a statement and end it with Ctrl-D at the beginning of a line.\n"
    )


def test_with_another_key_the_credentials_are_said_to_be_wrong(run: CommandLine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "sandbox")
    run.file("  shop: {databases: {shop: {}}}\n")
    ended = run("aurora-tenants plan")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        "error: could not learn which account this is: the AWS credentials are wrong  [wrong-credentials]\n"
        "    why: AWS does not know this access key, or the secret key does not match it\n"
        "Nothing was changed.\n"
    )


@pytest.mark.parametrize("command", ["sql -e 'SELECT 1'", "status", "env"])
def test_with_another_key_the_sandbox_in_the_background_is_found(
    run: CommandLine, monkeypatch: pytest.MonkeyPatch, command: str
):
    """As after `down` and `up`, in a terminal that still has the variables of the one before."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", new_key().id)
    assert run(f"aurora-tenants sandbox {command}").code == 0


@pytest.mark.parametrize("command", ["sql -e 'SELECT 1'", "status", "env"])
def test_a_sandbox_that_only_the_variables_lead_to_is_found(
    run: CommandLine, monkeypatch: pytest.MonkeyPatch, command: str
):
    """As within `sandbox run`, whose sandbox is in no state directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(run.directory))
    assert run(f"aurora-tenants sandbox {command}").code == 0


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


def test_the_environment_takes_out_what_leads_elsewhere(run: CommandLine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    monkeypatch.setenv("AWS_PROFILE", "production")
    assert run("aurora-tenants sandbox env").out.startswith("unset AWS_PROFILE AWS_SESSION_TOKEN\nexport AWS_")


@pytest.mark.parametrize("command", ["env", "sql -e 'SELECT 1'"])
def test_without_a_sandbox_the_way_to_one_is_told(run: CommandLine, monkeypatch: pytest.MonkeyPatch, command: str):
    monkeypatch.setenv("XDG_STATE_HOME", str(run.directory))
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert run(f"aurora-tenants sandbox {command}") == Ended(
        1, "", "error: no sandbox is running  [no-sandbox]\n    fix: run: aurora-tenants sandbox up\n"
    )
