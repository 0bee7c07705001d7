"""Saved plans: one is made, something moves or not, and exactly that plan is applied or nothing is."""

from __future__ import annotations

import io
import json
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from aurora_tenants.revision import FIRST, all_counted_up
from aurora_tenants.saved import parse
from tests.cli.conftest import HEAD, CommandLine
from tests.cloud import Cloud
from tests.endpoint import until

BEFORE = """
  shop:
    databases: {shop: , shop_old: {on_remove: drop}}
    users: {shop: {privileges: [{permission: ALL, database: shop}]}}
  blog:
    databases: {blog: }
    users: {blog: {privileges: [{permission: ALL, database: blog}]}}
"""
AFTER = BEFORE.replace("ALL, database: shop}", "[SELECT, INSERT], database: shop}")
NEW = """
  more:
    databases: {more: }
    users: {more: {privileges: [{permission: ALL, database: more}]}}
"""
REVIEW = "    fix: make it again, and review that: aurora-tenants plan --out plan.json"


@pytest.fixture(scope="module", autouse=True)
def clean(cloud: Cloud) -> Iterator[None]:
    """The tenants are deployed once."""
    yield
    cloud.clean()


@pytest.fixture
def pending(run: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """BEFORE is applied, AFTER is in the file, and nobody is there to be asked."""
    run.file(BEFORE)
    assert run("aurora-tenants apply --yes").code == 0
    run.file(AFTER)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    return run


def save(run: CommandLine, *options: str) -> Path:
    ended = run(" ".join(("aurora-tenants plan --out plan.json", *options)))
    assert ended.code == 0, ended
    return run.directory / "plan.json"


def writes(calls: Counter[str]) -> set[str]:
    """What CloudFormation was asked to change. Others call, too: functions that are in the middle of a rotation."""
    ours = {name.removeprefix("cloudformation:") for name in calls if name.startswith("cloudformation:")}
    return {name for name in ours if not name.startswith(("Describe", "List", "Get"))}


def test_a_saved_plan_is_applied_without_a_question_and_only_once(pending: CommandLine, cloud: Cloud):
    path = save(pending)
    applied = pending("aurora-tenants apply plan.json")
    assert applied.code == 0, applied
    assert applied.out.endswith("Applied: 1 of 1 tenants. MySQL holds what the file says of them.\n")
    assert applied.err.startswith("Applying plan.json, made ")
    assert pending("aurora-tenants plan --detailed-exitcode").code == 0
    (granted,) = {str(row[0]) for row in cloud.sql("SHOW GRANTS FOR shop") if "`shop`.*" in str(row[0])}
    assert granted == "GRANT SELECT, INSERT ON `shop`.* TO `shop`@`%`"
    again = pending("aurora-tenants apply plan.json")
    assert again.code == 1
    assert "error: MySQL: user shop@% was changed (privileges)  [plan-moved]\n" in again.err
    assert again.err.endswith(f"{REVIEW}\nNothing was changed.\n")
    assert path.exists()


def test_the_file_is_its_owners_alone_is_the_plan_and_holds_no_secret(pending: CommandLine, cloud: Cloud):
    pending.file(AFTER + NEW)
    planned = json.loads(pending("aurora-tenants plan --output json").out)
    path = save(pending)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in pending.directory.iterdir() if each.name not in ("tenants.yaml", "plan.json")] == []
    assert json.loads(path.read_text())["plan"] == planned
    assert pending("aurora-tenants apply plan.json").code == 0
    found = {name: json.loads(text) for name, text in cloud.secrets().items()}
    passwords = {str(secret["password"]) for secret in found.values()}
    assert len(passwords) >= 4
    text = path.read_text() + pending.printed
    assert [password for password in passwords if password in text] == []
    pending.file(AFTER)
    assert pending("aurora-tenants apply --yes").code == 0


def test_saving_a_plan_calls_nothing_more(pending: CommandLine, cloud: Cloud):
    counts = []
    for line in ("aurora-tenants plan", "aurora-tenants plan --out plan.json"):
        before = cloud.calls()
        assert pending(line).code == 0
        counts.append(cloud.calls() - before)
    assert counts[0] == counts[1]


# What moves, by hand and beside this program


def revoke(run: CommandLine, cloud: Cloud) -> Callable[[], object]:
    cloud.sql("REVOKE INSERT ON blog.* FROM blog")
    return lambda: cloud.sql("GRANT INSERT ON blog.* TO blog")


def make_account(run: CommandLine, cloud: Cloud) -> Callable[[], object]:
    cloud.sql("CREATE USER shop@'10.%' IDENTIFIED BY 'Pass-word-1'")
    return lambda: cloud.sql("DROP USER shop@'10.%'")


def drop_database(run: CommandLine, cloud: Cloud) -> Callable[[], object]:
    cloud.sql("DROP DATABASE blog")
    return lambda: cloud.sql("CREATE DATABASE blog")


def lock(run: CommandLine, cloud: Cloud) -> Callable[[], object]:
    cloud.sql("ALTER USER shop ACCOUNT LOCK")
    return lambda: cloud.sql("ALTER USER shop ACCOUNT UNLOCK")


def let_in(run: CommandLine, cloud: Cloud) -> Callable[[], object]:
    cloud.sql("CREATE USER dba IDENTIFIED BY 'Pass-word-1'", "GRANT SELECT ON blog.* TO dba")
    return lambda: cloud.sql("DROP USER dba")


def update_stack(run: CommandLine, cloud: Cloud) -> Callable[[], object]:
    client = cloud.client("cloudformation")
    client.update_stack(
        StackName="shared-global-blog",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "Revision", "ParameterValue": all_counted_up(FIRST)}],
        Capabilities=["CAPABILITY_IAM"],
    )
    assert cloud.settled("shared-global-blog") == "UPDATE_COMPLETE"
    return lambda: None


def end_rotation(run: CommandLine, cloud: Cloud) -> Callable[[], object]:
    secrets, name = cloud.client("secretsmanager"), "/shared-global/database/blog"
    held = secrets.describe_secret(SecretId=name)
    secrets.cancel_rotate_secret(SecretId=name)
    as_before = {"RotationLambdaARN": held["RotationLambdaARN"], "RotationRules": held["RotationRules"]}
    return lambda: secrets.rotate_secret(SecretId=name, RotateImmediately=False, **as_before)


def edit(run: CommandLine, cloud: Cloud) -> Callable[[], object]:
    run.file(AFTER.replace("INSERT]", "DELETE]"))
    return lambda: run.file(AFTER)


def remove_tenant(run: CommandLine, cloud: Cloud) -> Callable[[], object]:
    run.file(AFTER.partition("  blog:")[0])
    return lambda: run.file(AFTER)


MOVES: list[tuple[Callable[[CommandLine, Cloud], Callable[[], object]], str]] = [
    (revoke, "MySQL: user blog@% was changed (privileges)"),
    (make_account, "MySQL: user shop@10.% was made"),
    (drop_database, "MySQL: database blog was dropped"),
    (lock, "MySQL: user shop@% was changed (options)"),
    (let_in, "the plan: the access of dba@% to others' databases was added"),
    (end_rotation, "Secrets Manager: secret /shared-global/database/blog differs now"),
    (edit, "tenants.yaml: tenant shop was changed (users)"),
    (remove_tenant, "tenants.yaml: tenant blog was taken out"),
    (
        update_stack,
        "CloudFormation: stack shared-global-blog was changed (status CREATE_COMPLETE, now UPDATE_COMPLETE; revision)",
    ),
]


def test_what_has_moved_is_named_and_nothing_is_changed(pending: CommandLine, cloud: Cloud):
    save(pending)
    for move, sentence in MOVES:
        undo, before = move(pending, cloud), cloud.calls()
        ended = pending("aurora-tenants apply plan.json")
        assert ended.code == 1
        # Each time but the last it is undone, so this is all that has moved.
        assert [line for line in ended.err.split("\n") if line.startswith("error: ")] == [
            f"error: {sentence}  [plan-moved]"
        ]
        assert ended.err.endswith(f"{REVIEW}\nNothing was changed.\n")
        assert writes(cloud.calls() - before) == set()
        undo()


def test_a_comment_and_a_rotated_password_move_nothing(pending: CommandLine, cloud: Cloud):
    save(pending)
    pending.file(AFTER, head=HEAD + "  # who made this, and why\n\n")
    secrets, name = cloud.client("secretsmanager"), "/shared-global/database/blog"
    version = secrets.rotate_secret(SecretId=name)["VersionId"]
    until(lambda: "AWSCURRENT" in secrets.describe_secret(SecretId=name)["VersionIdsToStages"].get(version, ()))
    cloud.sql("CREATE DATABASE scratch", "CREATE USER intern IDENTIFIED BY 'Pass-word-1'")
    ended = pending("aurora-tenants apply plan.json")
    assert ended.code == 0, ended


def test_what_only_a_login_shows_is_healed_by_a_plan_that_was_made_with_logins(pending: CommandLine, cloud: Cloud):
    cloud.sql("ALTER USER blog IDENTIFIED BY 'Pass-word-1'")
    save(pending, "--logins --tenant blog")
    ended = pending("aurora-tenants apply plan.json")
    assert ended.code == 0, ended
    secret = json.loads(cloud.secrets()["/shared-global/database/blog"])
    cloud.connect("blog", secret["password"]).close()


# What was allowed


def test_a_danger_is_allowed_when_the_plan_is_saved_or_applied_and_by_nobody_else(pending: CommandLine, cloud: Cloud):
    pending.file(AFTER.replace(", shop_old: {on_remove: drop}", ""))
    saved = pending("aurora-tenants plan --out plan.json")
    assert (saved.code, saved.err) == (
        0,
        "Saved as plan.json; but 1 thing would stop apply (drops-database): aurora-tenants apply plan.json\n",
    )
    refused = pending("aurora-tenants apply plan.json")
    assert refused.code == 1
    assert "error: database shop_old would be dropped" in refused.err
    assert refused.err.count("[drops-database]") == 1
    assert refused.err.endswith("Nothing was changed.\n")
    allowed = pending("aurora-tenants plan --out plan.json --allow-drop shop_old --allow-drop more")
    assert allowed.err == (
        "--allow-drop more: no database of this name would be dropped\n"
        "Saved as plan.json; apply it with: aurora-tenants apply plan.json\n"
    )
    cloud.sql("CREATE TABLE shop_old.orders (id INT)")
    filled = pending("aurora-tenants apply plan.json")
    assert (filled.code, "database shop_old was changed (contents no table, now some)" in filled.err) == (1, True)
    cloud.sql("DROP TABLE shop_old.orders")
    applied = pending("aurora-tenants apply plan.json")
    assert applied.code == 0, applied
    assert " with --allow-drop shop_old --allow-drop more.\n" in applied.err
    assert cloud.sql("SHOW DATABASES LIKE 'shop_old'") == []


def test_a_danger_may_be_allowed_to_a_plan_that_was_saved_without(pending: CommandLine, cloud: Cloud):
    pending.file(AFTER.replace(", shop_old: {on_remove: drop}", ""))
    save(pending)
    assert pending("aurora-tenants apply plan.json --allow-drop shop_old").code == 0
    assert cloud.sql("SHOW DATABASES LIKE 'shop_old'") == []


def test_a_plan_that_nothing_may_be_applied_of_is_saved_and_shown(pending: CommandLine):
    shared = AFTER.replace("{blog: }", "{blog: {shared_with: [shop]}}")
    pending.file(shared.replace("INSERT], database: shop}", "INSERT], database: blog}"))
    ended = pending("aurora-tenants plan --out plan.json --tenant shop")
    assert ended.code == 1
    assert "Saved as plan.json; but 1 thing would stop apply" in ended.err
    refused = pending("aurora-tenants apply plan.json")
    assert refused.code == 1
    assert refused.err.endswith("Nothing was changed.\n")


# Where, and of what


def test_a_plan_without_changes_says_that_there_is_nothing_to_do(pending: CommandLine, cloud: Cloud):
    pending.file(BEFORE)
    save(pending)
    before = cloud.calls()
    ended = pending("aurora-tenants apply plan.json")
    assert ended.code == 0
    assert ended.out.endswith("No changes: MySQL and CloudFormation hold what the file says.\n")
    assert writes(cloud.calls() - before) == set()


def test_the_plan_of_one_tenant_in_another_file_is_applied_as_it_was_asked_for(pending: CommandLine):
    (pending.directory / "tenants.yaml").rename(pending.directory / "prod.yaml")
    save(pending, "--file prod.yaml --tenant shop")
    contradiction = pending("aurora-tenants apply plan.json --tenant shop")
    assert (contradiction.code, contradiction.err.partition("\n")[0]) == (
        64,
        "error: --tenant cannot be given with plan.json  [saved-plan-tenants]",
    )
    pending.file(BEFORE)
    other = pending("aurora-tenants apply plan.json --file tenants.yaml")
    assert (other.code, "tenants.yaml: tenant shop was changed (users)" in other.err) == (1, True)
    applied = pending("aurora-tenants apply plan.json --yes")
    assert applied.code == 0, applied
    assert " with --file prod.yaml --tenant shop.\n" in applied.err


def test_a_plan_of_another_account_or_region_is_refused(pending: CommandLine, cloud: Cloud):
    path = save(pending)
    saved = parse(path.read_text(), "plan.json")
    place = saved.fingerprint.place
    before = cloud.calls()
    ended = pending("aurora-tenants apply plan.json --region us-west-2")
    assert (ended.code, cloud.calls() - before) == (1, Counter())
    assert f"error: the plan was made for region {place.region}, and this is us-west-2  [plan-moved]\n" in ended.err
    elsewhere = replace(saved.fingerprint, place=place._replace(account="210987654321"))
    path.write_text(replace(saved, fingerprint=elsewhere).to_text())
    ended = pending("aurora-tenants apply plan.json")
    assert (ended.code, [*(cloud.calls() - before)]) == (1, ["sts:GetCallerIdentity"])
    assert f"the plan was made for account 210987654321, and this is {place.account}  [plan-moved]" in ended.err
    elsewhere = replace(saved.fingerprint, place=place._replace(cluster="arn:aws:rds:eu-west-1:1:cluster:old"))
    path.write_text(replace(saved, fingerprint=elsewhere).to_text())
    ended = pending("aurora-tenants apply plan.json")
    assert (ended.code, "the plan was made for cluster arn:aws:rds:eu-west-1:1:cluster:old" in ended.err) == (1, True)


# Files


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """A command line with a file, and no AWS account: nothing is asked of one."""
    monkeypatch.chdir(tmp_path)
    found = CommandLine(tmp_path, capsys)
    found.file(BEFORE)
    return found


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("gone.json", None, "gone.json cannot be read: No such file or directory  [unreadable-plan]"),
        ("tenants.yaml", None, "tenants.yaml is no saved plan  [not-a-plan]"),
        ("half.json", '{"version": 1, "program": "0.', "half.json is not whole, or no saved plan  [damaged-plan]"),
        ("bytes.json", "\xff\x00", "bytes.json is no saved plan  [not-a-plan]"),
        (".", None, ". cannot be read: Is a directory  [unreadable-plan]"),
    ],
)
def test_a_file_that_holds_no_plan_is_told(alone: CommandLine, name: str, content: str | None, sentence: str):
    if content is not None:
        (alone.directory / name).write_bytes(content.encode("latin-1"))
    ended = alone(f"aurora-tenants apply {name}")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"error: {sentence}\n")
    assert ended.err.endswith("Nothing was changed.\n")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("tenants.yaml", "tenants.yaml is there already, and is no saved plan  [file-exists]"),
        (".", ". is a directory  [not-writable]"),
        ("/dev/null", "/dev/null is a device or a pipe  [not-writable]"),
        ("no/plan.json", "no/plan.json cannot be written: there is no directory no  [not-writable]"),
        ("tenants.yaml/x", "tenants.yaml/x cannot be written: Not a directory  [not-writable]"),
    ],
)
def test_no_plan_is_made_that_could_not_be_saved(alone: CommandLine, name: str, sentence: str):
    ended = alone(f"aurora-tenants plan --out {name}")
    assert (ended.code, ended.out) == (64, "")
    assert ended.err.startswith(f"error: {sentence}\n")
    assert (alone.directory / "tenants.yaml").read_text() == HEAD + BEFORE


def test_what_allows_a_danger_needs_a_plan_that_is_saved(alone: CommandLine):
    for option in ("--allow-drop shop", "--allow-access dba"):
        ended = alone(f"aurora-tenants plan {option}")
        assert (ended.code, "is for a plan that is saved  [nothing-to-allow]" in ended.err) == (64, True)


def test_a_saved_plan_takes_the_place_of_the_one_before_also_behind_a_link(pending: CommandLine):
    path = pending.directory / "plan.json"
    path.touch()
    link = pending.directory / "latest.json"
    link.symlink_to(path.name)
    save(pending, "--tenant shop")
    assert pending("aurora-tenants plan --out latest.json").code == 0
    assert link.is_symlink()
    assert parse(path.read_text(), "plan.json").only == ()
