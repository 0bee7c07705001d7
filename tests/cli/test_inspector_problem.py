"""A first deployment whose inspector cannot be made: the stack stands and says why, and `shared repair` makes it."""

from __future__ import annotations

import json
from pathlib import Path

import pymysql
import pytest

from tests.cli.conftest import command_line
from tests.cli.test_shared_repair import INSPECTOR, REPAIRED
from tests.cloud import SHARED, empty

pytestmark = pytest.mark.long

FIX = (
    f"    fix: when the cause is gone, run: aurora-tenants shared repair --stack {SHARED};"
    " or pass --secret with the ARN of a secret whose user may read the schema mysql\n"
)


@pytest.mark.parametrize(
    ("in_the_way", "said", "away"),
    [
        (
            ("CREATE DATABASE aurora_tenants", "CREATE TABLE aurora_tenants.accounts (a INT)"),
            "'aurora_tenants.accounts' is not VIEW (1347)",
            "DROP TABLE aurora_tenants.accounts",
        ),
        pytest.param(
            (f"CREATE USER {INSPECTOR} IDENTIFIED BY 'word-of-another'",),
            f"user {INSPECTOR} exists already and belongs to nobody",
            "",
            marks=pytest.mark.long,
        ),
    ],
)
def test_what_mysql_says_is_an_output_and_a_notice(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    in_the_way: tuple[str, ...],
    said: str,
    away: str,
):
    with empty(tmp_path) as cloud:
        run = command_line(cloud, tmp_path, monkeypatch, capsys)
        cloud.sql(*in_the_way)
        ended = run("aurora-tenants shared deploy --new-cluster --yes")
        assert (ended.code, ended.out) == (0, f"Stack {SHARED} is deployed.\n")
        notice = f"notice: the inspector of stack {SHARED} could not be made as it should be  [no-inspector]\n"
        assert ended.err.endswith(f"{FIX}")
        assert notice in ended.err
        assert said in ended.err
        again = json.loads(run("aurora-tenants shared deploy --yes --output json").out)
        assert (again["is_deployed"], again["notices"][0]["code"]) == (False, "no-inspector")
        run.file("  shop: {databases: {shop: {}}}\n")
        for command in ("plan", "apply --yes"):
            ended = run(f"aurora-tenants {command}")
            assert (ended.code, said in ended.err, FIX in ended.err) == (1, True, True)
        if away:
            still = run("aurora-tenants shared repair --yes")
            assert (still.code, said in still.err, FIX in still.err) == (1, True, True)
            cloud.sql(away)
        ended = run("aurora-tenants shared repair --yes")
        assert (ended.code, ended.out) == (0, REPAIRED)
        assert run("aurora-tenants apply --yes").code == 0
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            cloud.connect(INSPECTOR, "word-of-another")
