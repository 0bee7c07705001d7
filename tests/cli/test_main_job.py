"""The main job, from a file in git to rights in MySQL and back: plan, apply, remove, refuse, tell."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import pytest

from aurora_tenants.mysql import dataapi
from aurora_tenants.revision import all_counted_up
from tests.cli.conftest import HEAD, CommandLine, Ended, Meanwhile, Terminal
from tests.cloud import PROVIDER, ROTATION, SHARED, Cloud
from tests.endpoint import until
from tests.goldens import golden

pytestmark = pytest.mark.usefixtures("clean")

COMPARED = "Compared {} of tenants.yaml with cluster shared-global: MySQL N with N databases and N users.\n"
NO_CHANGES = "No changes: MySQL and CloudFormation hold what the file says.\n"
NOTHING = "Nothing was changed.\n"


def shop(name: str = "shop", *, database: str = "", permission: str = "ALL") -> str:
    """A tenant with a database and a user of its own name."""
    return f"""
  {name}:
    databases: {{{name}: {{{database}}}}}
    users:
      {name}: {{privileges: [{{permission: {permission}, database: {name}}}]}}
"""


def broken(name: str) -> str:
    """A tenant whose stack fails: its user is granted a table that does not exist."""
    return shop(name, permission="SELECT").replace(f"database: {name}}}]", f"database: {name}, table: missing}}]")


def applied(run: CommandLine, tenants: str, options: str = "") -> Ended:
    run.file(tenants)
    ended = run(f"aurora-tenants apply --yes {options}")
    assert ended.code == 0, ended
    return ended


def importing(export: str) -> dict[str, Any]:
    """The template of a service that uses what a tenant exports."""
    properties = {"Type": "String", "Value": {"Fn::ImportValue": export}}
    return {"Resources": {"Parameter": {"Type": "AWS::SSM::Parameter", "Properties": properties}}}


def databases(cloud: Cloud) -> set[str]:
    """Those that tests made."""
    return {str(name) for (name,) in cloud.sql("SHOW DATABASES")} - cloud.databases


def users(cloud: Cloud) -> set[str]:
    return {
        str(user) for user, host in cloud.sql("SELECT User, Host FROM mysql.user") if (user, host) not in cloud.accounts
    }


def grants(cloud: Cloud, user: str) -> set[str]:
    usage = f"GRANT USAGE ON *.* TO `{user}`@`%`"
    return {str(line) for (line,) in cloud.sql(f"SHOW GRANTS FOR `{user}`")} - {usage}


# Plan and apply


def test_the_main_job_line_by_line(run: CommandLine, cloud: Cloud):
    """The transcript is what users see; afterwards no password is in it, nor anywhere else but in its secret."""
    text = ""

    def line(command: str) -> None:
        nonlocal text
        ended = run(command)
        text += f"$ {command}\n{ended.out}{ended.err}[exit {ended.code}]\n\n"

    run.file(shop("shop", permission="[SELECT, INSERT]"))
    line("aurora-tenants validate")
    line("aurora-tenants plan --detailed-exitcode")
    line("aurora-tenants apply --yes")
    line("aurora-tenants plan --detailed-exitcode")
    run.file(shop("shop", permission="[SELECT]"))
    line("aurora-tenants apply --yes")
    cloud.sql("REVOKE SELECT ON shop.* FROM shop")
    line("aurora-tenants plan --detailed-exitcode")
    line("aurora-tenants apply --yes")
    line("aurora-tenants plan --detailed-exitcode")
    assert text == golden("main_job.txt", text)
    assert grants(cloud, "shop") == {"GRANT SELECT ON `shop`.* TO `shop`@`%`"}
    assert_no_password(cloud, run.printed)


def assert_no_password(cloud: Cloud, printed: str) -> None:
    """In nothing printed, no template, change set, event or log; and the search itself would find one."""
    cloudformation = cloud.client("cloudformation")
    said = {"printed": printed}
    for stack in [SHARED, *cloud.stacks()]:
        said[f"template of {stack}"] = repr(cloudformation.get_template(StackName=stack)["TemplateBody"])
        said[f"events of {stack}"] = repr(cloudformation.describe_stack_events(StackName=stack)["StackEvents"])
        said[f"stack {stack}"] = repr(cloudformation.describe_stacks(StackName=stack))
        said[f"change set of {stack}"] = change_set(cloudformation, stack)
    said |= {f"log of {function}": cloud.log(function) for function in (PROVIDER, ROTATION)}
    secrets = cloud.secrets()
    passwords = {json.loads(text)["password"] for text in secrets.values()}
    assert len(passwords) == len(secrets) >= 3  # the master's, the inspector's, a tenant's
    assert [(where, name) for where, text in said.items() for name, it in secrets.items() if _in(it, text)] == []
    assert _in(
        secrets["/shared-global/database/shop"],
        f"BY '{json.loads(secrets['/shared-global/database/shop'])['password']}'",
    )
    assert {where.split()[0] for where in said} == {"printed", "template", "events", "stack", "change", "log"}
    assert all(said.values())


def change_set(cloudformation: Any, stack: str) -> str:
    """A change set that touches every resource of a stack; those that were executed are gone."""
    body = json.loads(json.dumps(cloudformation.get_template(StackName=stack)["TemplateBody"]))
    text = body if isinstance(body, str) else json.dumps(body)
    parameters = cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("Parameters", [])
    made = cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName="look",
        TemplateBody=text,
        Parameters=[
            it | {"ParameterValue": all_counted_up(it["ParameterValue"])} if it["ParameterKey"] == "Revision" else it
            for it in parameters
        ],
        Tags=[{"Key": "touches", "Value": "everything"}],
        Capabilities=["CAPABILITY_IAM"],
    )["Id"]

    def described() -> str | None:
        answer = cloudformation.describe_change_set(ChangeSetName=made)
        return repr(answer) if answer["Status"] == "CREATE_COMPLETE" else None

    found = until(described)
    assert "'Action': 'Modify'" in found
    return found


def _in(secret: str, text: str) -> bool:
    return json.loads(secret)["password"] in text


def test_a_tenants_user_can_log_in_and_reach_its_own_database_alone(run: CommandLine, cloud: Cloud):
    applied(run, shop("shop") + shop("shop2"))
    password = json.loads(cloud.secrets()["/shared-global/database/shop"])["password"]
    assert re.fullmatch(r"[A-Za-z0-9]{32}", password)
    with cloud.connect("shop", password) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE shop.t (id INT)")
        cursor.execute("SHOW DATABASES")
        assert {name for (name,) in cursor.fetchall()} == {"shop", "information_schema", "performance_schema"}


def test_a_plan_changes_nothing(run: CommandLine, cloud: Cloud):
    run.file(shop())
    before = cloud.sql("SELECT User FROM mysql.user"), cloud.sql("SHOW DATABASES"), cloud.stacks()
    assert run("aurora-tenants plan").code == 0
    assert (cloud.sql("SELECT User FROM mysql.user"), cloud.sql("SHOW DATABASES"), cloud.stacks()) == before


def test_only_the_named_tenants_are_planned_and_applied(run: CommandLine, cloud: Cloud):
    run.file(shop("a") + shop("b") + shop("c"))
    ended = run("aurora-tenants apply --yes --tenant a --tenant c --parallel 1")
    assert ended.code == 0
    assert ended.err == ("a: started\n[1/2] a: created in N s\nc: started\n[2/2] c: created in N s\n")
    assert ended.out.endswith("Applied: 2 of 2 tenants. MySQL holds what the file says of them.\n")
    assert databases(cloud) == users(cloud) == {"a", "c"}


def test_many_tenants_in_parallel(run: CommandLine, cloud: Cloud):
    names = [f"t{number}" for number in range(6)]
    ended = applied(run, "".join(shop(name) for name in names), "--parallel 6")
    started = [line.split(":")[0] for line in ended.err.splitlines() if line.endswith(": started")]
    assert sorted(started) == names
    assert re.findall(r"\[(\d)/6\]", ended.err) == ["1", "2", "3", "4", "5", "6"]
    assert cloud.stacks() == {f"shared-global-{name}": "CREATE_COMPLETE" for name in names}


def test_an_apply_without_changes_says_so_and_does_nothing(run: CommandLine):
    applied(run, shop())
    assert run("aurora-tenants apply") == Ended(0, COMPARED.format("1 tenant") + "\n" + NO_CHANGES, "")


def test_json_says_what_the_text_says(run: CommandLine):
    run.file(shop())
    text, ended = run("aurora-tenants plan"), run("aurora-tenants plan --output json")
    plan = json.loads(ended.out)
    assert (ended.code, ended.err) == (0, "")
    assert plan["server"]["partial_revokes"] is True
    del plan["server"]
    (tenant,) = plan.pop("tenants")
    assert plan == {
        "version": 1,
        "account": "123456789012",
        "region": "eu-west-1",
        "cluster": "shared-global",
        "has_changes": True,
        "woke_cluster": False,
        "rollout": None,
        "snapshot": None,
        "pause_schedule": None,
        "cost": None,
        "waiting": [],
        "notices": [],
        "dangers": [],
        "problems": [],
    }
    changes, items = tenant.pop("changes"), tenant.pop("items")
    assert tenant == {
        "tenant": "shop",
        "group": None,
        "stack": "shared-global-shop",
        "action": "create",
        "origin": "file",
        "reason": "new",
        "drops": [],
        "dropped": [],
    }
    shown = [line for line in text.out.splitlines() if line.startswith("  ")]
    assert shown == [f"  {it['sign']} {it['kind']} {it['name']}  {it['text']}" for it in items]
    assert len(shown) == 2 and len(changes) == 5
    assert [change["where"] for change in changes] == [
        [{"file": "tenants.yaml", "line": line, "column": column}]
        for line, column in ((6, 17), (6, 17), (8, 7), (8, 7), (8, 27))
    ]


def test_a_file_elsewhere_and_a_region_on_the_command_line(run: CommandLine):
    run.file(
        shop(), name="other.yaml", head="version: 1\ncluster: {stack: shared-global, region: us-east-1}\ntenants:\n"
    )
    assert run("aurora-tenants plan --file other.yaml --region eu-west-1").code == 0
    ended = run("aurora-tenants plan -f other.yaml")
    assert (ended.code, ended.out) == (1, "")


def test_a_plan_asks_as_much_for_six_tenants_as_for_one(run: CommandLine, cloud: Cloud):
    # Without rotations, whose trial runs would be counted as well.
    head = HEAD.replace("tenants:", "defaults: {rotate_after_days: 0}\ntenants:")
    run.file(shop(), head=head)
    before = cloud.calls()
    assert run("aurora-tenants plan").code == 0
    for_one = cloud.calls() - before
    run.file("".join(shop(f"t{number}") for number in range(6)), head=head)
    assert run("aurora-tenants apply --yes").code == 0
    before = cloud.calls()
    assert run("aurora-tenants plan").code == 0
    assert cloud.calls() - before == for_one
    assert for_one == {
        "sts:GetCallerIdentity": 1,
        "cloudformation:DescribeStacks": 2,
        "rds-data:ExecuteStatement": 11,
        "secretsmanager:ListSecrets": 1,
    }


def test_a_paused_cluster_is_waited_for_and_told_of(run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dataapi, "_POLL_SECONDS", 0.05)
    run.file(shop())
    cloud.post("pause", {"seconds": 0.2})
    ended = run("aurora-tenants plan")
    assert (ended.code, ended.err) == (0, "The cluster is waking, usually 15 s.\n")


# Removal


def test_a_tenant_that_is_taken_out_loses_its_user_and_secret_and_keeps_its_database(run: CommandLine, cloud: Cloud):
    applied(run, shop("a") + shop("b"))
    ended = applied(run, shop("a"))
    assert ended.out == (
        "- tenant b  no longer in the file\n"
        "  - database b  kept, belongs to nobody from then on\n"
        "  - user b  dropped, and its secret deleted\n"
        "\n"
        "Tenants: 1 to remove, 1 unchanged. 3 statements in MySQL.\n"
        "Applied: 1 of 1 tenants. MySQL holds what the file says of them.\n"
    )
    assert (databases(cloud), users(cloud), cloud.stacks()) == (
        {"a", "b"},
        {"a"},
        {"shared-global-a": "CREATE_COMPLETE"},
    )
    assert [name for name in cloud.secrets() if name.endswith("/b")] == []
    assert run("aurora-tenants plan").out == COMPARED.format("1 tenant") + (
        "\n"
        "Notices: nothing here is touched\n"
        "  database b was kept when stack shared-global-b let go of it  [kept-database]\n"
        f"\n{NO_CHANGES}"
    )


@pytest.mark.usefixtures("blind")
def test_a_removed_tenant_may_be_the_only_one_named(run: CommandLine, cloud: Cloud):
    applied(run, shop("a") + shop("b"))
    run.file(shop("a") + broken("c"))
    ended = run("aurora-tenants apply --yes --tenant b")
    assert (ended.code, ended.err) == (0, "b: started\n[1/1] b: removed in N s\n")
    assert users(cloud) == {"a"}


def test_a_tenant_that_comes_back_gets_its_database_back(run: CommandLine, cloud: Cloud):
    applied(run, shop("a") + shop("b"))
    cloud.sql("CREATE TABLE b.kept (id INT)")
    applied(run, shop("a"))
    # Its stack is another one, and whoever deploys stacks can choose a name.
    run.file(shop("a") + shop("b"))
    refused = run("aurora-tenants apply --yes")
    assert (refused.code, refused.err.splitlines()[0]) == (
        1,
        "error: database b was kept when stack shared-global-b, resource DatabaseB let go of it;"
        " set adopt: true to take it over as it is  [exists-already]",
    )
    applied(run, shop("a") + shop("b", database="adopt: true"))
    assert cloud.sql("SHOW TABLES FROM b") == [("kept",)]
    assert users(cloud) == {"a", "b"}


def test_a_database_is_dropped_only_when_that_is_asked_for_twice(run: CommandLine, cloud: Cloud):
    applied(run, shop("a") + shop("b", database="on_remove: drop"))
    cloud.sql("CREATE TABLE b.orders (id INT)", "INSERT INTO b.orders VALUES (1)")
    run.file(shop("a"))
    refused = run("aurora-tenants apply --yes")
    contents = r": 1 table, about \d rows?, 16 kB"  # InnoDB counts the rows a moment later
    assert len(re.findall(f"with everything in it{contents}  ", refused.err)) == 1
    assert (refused.code, re.sub(contents, "", refused.err)) == (
        1,
        "error: database b would be dropped with everything in it  [drops-database]\n"
        "    tenant b\n"
        "    why: it is no longer in tenants.yaml, and its on_remove was drop\n"
        "    fix: if that is meant: --allow-drop b\n" + NOTHING,
    )
    assert re.search(f"  - database b  DROPPED{contents}\n", refused.out)
    assert run("aurora-tenants apply --yes --allow-drop a").code == 1
    assert databases(cloud) == users(cloud) == {"a", "b"}
    allowed = run("aurora-tenants apply --yes --allow-drop b")
    assert allowed.code == 0, allowed
    assert databases(cloud) == users(cloud) == {"a"}
    assert run("aurora-tenants plan").out == COMPARED.format("1 tenant") + "\n" + NO_CHANGES


def test_a_database_taken_out_of_a_tenant_that_stays_is_dropped_too(run: CommandLine, cloud: Cloud):
    two = shop("a").replace("{a: {}}", "{a: , more: {on_remove: drop}}")
    applied(run, two)
    cloud.sql("CREATE TABLE more.t (id INT)")
    run.file(shop("a"))
    assert run("aurora-tenants apply --yes").code == 1
    assert run("aurora-tenants apply --yes --allow-drop more").code == 0
    assert databases(cloud) == {"a"}


def test_the_cluster_is_saved_before_something_is_dropped(run: CommandLine, cloud: Cloud):
    head = "version: 1\ncluster: {stack: shared-global, snapshot_before_drop: true}\ntenants:\n"
    rds = cloud.client("rds")
    applied(run, shop("a") + shop("b", database="on_remove: drop"))
    cloud.sql("CREATE TABLE b.orders (id INT)")
    run.file(shop("a"), head=head)
    line = "aurora-tenants apply --yes --allow-drop b"
    assert "a snapshot of the cluster is made, because of database b." in run("aurora-tenants plan").out
    cloud.changes_take(3600)
    late = run(f"{line} --snapshot-wait 0")
    cloud.changes_take(0)
    assert (late.code, databases(cloud), NOTHING in late.err) == (1, {"a", "b"}, True), late
    assert "is not available yet (0 %)  [snapshot-not-ready]" in late.err
    ended = run(line)
    (*_, made) = rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
    name = made["DBClusterSnapshotIdentifier"]
    assert (ended.code, databases(cloud), f"Snapshot {name} is available after 0 s.\n" in ended.err) == (0, {"a"}, True)
    assert {"Key": "aurora-tenants:tenants", "Value": "b"} in made["TagList"]


def test_the_last_tenants_are_not_removed_without_a_word_of_their_own(run: CommandLine, cloud: Cloud):
    applied(run, shop("a"))
    run.file(shop("b"))
    refused = run("aurora-tenants apply --yes")
    assert (refused.code, refused.err) == (
        1,
        "error: the only deployed tenant would be removed: a  [mass-removal]\n"
        "    why: they are no longer in tenants.yaml; their users and secrets would be deleted\n"
        "    fix: if that is meant: --allow-mass-removal\n" + NOTHING,
    )
    assert run("aurora-tenants apply --yes --allow-mass-removal").code == 0
    assert users(cloud) == {"b"}


def test_a_file_without_tenants_is_more_likely_a_mistake(run: CommandLine, cloud: Cloud):
    applied(run, shop("a"))
    run.file(" {}\n", head="version: 1\ncluster: {stack: shared-global}\ntenants:")
    expected = (
        "error: the file lists no tenants, but CloudFormation holds 1  [no-tenants]\n"
        "    why: every user and every secret of theirs would be deleted\n"
        "    fix: if that is meant: --allow-mass-removal\n" + NOTHING
    )
    assert run("aurora-tenants plan") == Ended(1, "", expected)
    assert run("aurora-tenants apply --yes") == Ended(1, "", expected)
    assert run("aurora-tenants apply --yes --allow-mass-removal").code == 0
    assert (users(cloud), databases(cloud), cloud.stacks()) == (set(), {"a"}, {})


# Confirmation


def test_without_a_terminal_an_apply_needs_a_yes(run: CommandLine, cloud: Cloud):
    run.file(shop())
    ended = run("aurora-tenants apply")
    assert (ended.code, ended.err) == (
        1,
        "error: this needs to be confirmed  [not-confirmed]\n"
        "    why: standard input is not a terminal, so nobody can be asked\n"
        "    fix: pass --yes\n" + NOTHING,
    )
    assert ended.out == run("aurora-tenants plan").out
    assert cloud.stacks() == {}


@pytest.mark.parametrize("typed", ["no\n", "y\n", "YES\n", "\n", ""], ids=["no", "y", "YES", "return", "end of input"])
def test_at_a_terminal_only_yes_is_a_yes(run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, typed: str):
    run.file(shop())
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    ended = run("aurora-tenants apply")
    assert (ended.code, ended.err) == (
        1,
        "Apply to 1 tenant? Type yes to go on.\nerror: not confirmed  [not-confirmed]\n" + NOTHING,
    )
    assert cloud.stacks() == {}


def test_a_yes_at_the_terminal_applies(run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    run.file(shop())
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    assert run("aurora-tenants apply").code == 0
    assert databases(cloud) == {"shop"}


# Failure


@pytest.mark.usefixtures("blind")
def test_one_tenant_that_fails_stops_no_other_and_is_told_by_its_cause(run: CommandLine, cloud: Cloud):
    run.file(broken("a") + shop("b"))
    ended = run("aurora-tenants apply --yes --parallel 1")
    assert ended.code == 1
    assert ended.err == (
        "a: started\n"
        "[1/2] a: failed after N s: UserA: Table 'a.missing' doesn't exist (1146)\n"
        "b: started\n"
        "[2/2] b: created in N s\n"
        "error: UserA: Table 'a.missing' doesn't exist (1146)  [stack-failed]\n"
        "    stack shared-global-a\n"
        "    why: stack shared-global-a was rolled back; the next apply creates it again\n"
        "1 of 2 tenants applied, 1 failed.\n"
        "  a: UserA: Table 'a.missing' doesn't exist (1146)\n"
        "For what is left, when the cause is gone: aurora-tenants apply --tenant a\n"
    )
    assert cloud.stacks() == {"shared-global-a": "ROLLBACK_COMPLETE", "shared-global-b": "CREATE_COMPLETE"}
    assert users(cloud) == {"b"}


@pytest.mark.usefixtures("blind")
def test_a_stack_whose_creation_failed_is_made_anew_when_the_cause_is_gone(run: CommandLine, cloud: Cloud):
    run.file(broken("a"))
    assert run("aurora-tenants apply --yes").code == 1
    run.file(shop("a"))
    planned = run("aurora-tenants plan").out
    assert planned.startswith(
        "~ tenant a  to be made again\n"
        "  ~ stack shared-global-a  its creation failed (ROLLBACK_COMPLETE): it is deleted and made again\n"
    )
    assert "takes it back if it is empty; if there is something in it by now, set adopt: true" in planned
    ended = run("aurora-tenants apply --yes")
    assert (ended.code, ended.err) == (0, "a: started\n[1/1] a: created anew in N s\n")
    assert cloud.stacks() == {"shared-global-a": "CREATE_COMPLETE"}
    assert grants(cloud, "a") == {"GRANT ALL PRIVILEGES ON `a`.* TO `a`@`%`"}


@pytest.mark.usefixtures("blind")
def test_what_was_put_into_a_database_after_its_stack_failed_is_adopted(run: CommandLine, cloud: Cloud):
    run.file(broken("a"))
    assert run("aurora-tenants apply --yes").code == 1
    cloud.sql("CREATE TABLE a.missing (id INT)")
    refused = run("aurora-tenants apply --yes")
    assert refused.code == 1
    assert "error: DatabaseA: database a was kept when stack shared-global-a, resource DatabaseA let go" in refused.err
    run.file(broken("a").replace("a: {}", "a: {adopt: true}"))
    ended = run("aurora-tenants apply --yes")
    assert (ended.code, ended.err) == (0, "a: started\n[1/1] a: created anew in N s\n")
    assert grants(cloud, "a") == {"GRANT SELECT ON `a`.`missing` TO `a`@`%`"}


@pytest.mark.usefixtures("blind")
def test_a_failed_update_is_rolled_back_and_takes_nothing_away(run: CommandLine, cloud: Cloud):
    applied(run, shop("a"))
    run.file(broken("a"))
    ended = run("aurora-tenants apply --yes")
    assert ended.code == 1
    assert "    why: stack shared-global-a was rolled back to what it was\n" in ended.err
    assert cloud.stacks() == {"shared-global-a": "UPDATE_ROLLBACK_COMPLETE"}
    assert grants(cloud, "a") == {"GRANT ALL PRIVILEGES ON `a`.* TO `a`@`%`"}
    applied(run, shop("a"))


def test_a_tenant_whose_stack_others_import_from_is_told_why_it_stays(run: CommandLine, cloud: Cloud):
    applied(run, shop("a") + shop("b"))
    cloud.deploy("service", importing("shared-global-b-DatabaseB"))
    run.file(shop("a"))
    ended = run("aurora-tenants apply --yes")
    assert ended.code == 1
    assert "service" in ended.err
    assert users(cloud) == {"a", "b"}


def test_a_removal_that_failed_can_be_repeated_with_its_drop(run: CommandLine, cloud: Cloud):
    applied(run, shop("a") + shop("b", database="on_remove: drop"))
    cloud.sql("CREATE TABLE b.orders (id INT)")
    cloud.deploy("service", importing("shared-global-b-DatabaseB"))
    run.file(shop("a"))
    assert run("aurora-tenants apply --yes --allow-drop b").code == 1
    cloud.client("cloudformation").delete_stack(StackName="service")
    cloud.settled("service")
    ended = run("aurora-tenants apply --yes --allow-drop b")
    assert ended.code == 0, ended.err
    assert databases(cloud) == users(cloud) == {"a"}


def test_a_rollback_that_failed_is_continued_when_the_cause_is_gone(run: CommandLine, cloud: Cloud):
    """Only RDS itself can take SUPER away: neither the update nor its rollback succeeds."""
    applied(run, shop())
    cloud.sql("GRANT SUPER ON *.* TO shop")
    failed = run("aurora-tenants apply --yes")
    assert (failed.code, cloud.stacks()) == (1, {"shared-global-shop": "UPDATE_ROLLBACK_FAILED"})
    assert (
        "error: UserShop: Access denied for user 'admin'@'%' (using password: YES) (1045): the cluster's master user"
        " does not hold this itself, so it cannot grant or revoke it  [stack-failed]\n"
        "    stack shared-global-shop\n"
        "    why: stack shared-global-shop ended as UPDATE_ROLLBACK_FAILED\n"
    ) in failed.err
    cloud.sql("REVOKE SUPER ON *.* FROM shop")
    planned = run("aurora-tenants plan").out
    assert planned.startswith(
        "~ tenant shop  its stack has failed\n"
        "  ~ stack shared-global-shop  its last update failed, and so did undoing it (UPDATE_ROLLBACK_FAILED):"
        " undoing it is continued, then it is updated\n"
    )
    assert run("aurora-tenants apply --yes").code == 0
    assert run("aurora-tenants plan --detailed-exitcode").code == 0


def test_somebody_who_changes_mysql_meanwhile_is_noticed(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "stderr", Meanwhile(lambda: cloud.sql("REVOKE ALL ON shop.* FROM shop")))
    run.file(shop())
    ended = run("aurora-tenants apply --yes")
    assert ended.code == 1
    assert (
        "~ tenant shop  something was changed by hand\n"
        "  ~ user shop  shop.*: none → ALL (wider)\n"
        "\n"
        "Tenants: 1 to update (1 by drift). 1 statement in MySQL.\n"
        "error: applied, but MySQL still differs: shop  [not-converged]\n"
        "    why: somebody else changes it at the same time, or has changed the code of the shared stack's functions\n"
        "    fix: run: aurora-tenants plan; if it stays so, aurora-tenants shared repair --stack shared-global\n"
    ) in sys.stderr.getvalue()
    assert sys.stderr.getvalue().endswith(
        "For what is left, when the cause is gone: aurora-tenants apply --tenant shop\n"
    )


def test_what_cannot_be_read_back_is_said_to_be_applied(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "stderr", Meanwhile(lambda: cloud.meet("oversize")))
    run.file(shop())
    ended = run("aurora-tenants apply --yes")
    cloud.clear("oversize")
    assert (ended.code, cloud.stacks()) == (1, {"shared-global-shop": "CREATE_COMPLETE"})
    assert (
        "error: applied, but could not read back  [not-read-back]\n"
        "error: Database response exceeded size limit (BadRequestException)  [database-refused]\n"
    ) in sys.stderr.getvalue()


def test_a_file_that_is_edited_during_an_apply_is_a_matter_of_the_next(
    run: CommandLine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "stderr", Meanwhile(lambda: run.file(shop("other"))))
    run.file(shop())
    ended = run("aurora-tenants apply --yes")
    assert (ended.code, ended.out.splitlines()[-1]) == (
        0,
        "Applied: 1 of 1 tenants. MySQL holds what the file says of them.",
    )


# What services are told


def test_what_a_service_is_told_in_four_forms(run: CommandLine, cloud: Cloud):
    applied(run, shop())
    cluster = cloud.client("rds").describe_db_clusters()["DBClusters"][0]
    values = {
        "DATABASE_RESOURCE": cluster["DBClusterArn"],
        "DATABASE_SECRET": cloud.client("secretsmanager").describe_secret(SecretId="/shared-global/database/shop")[
            "ARN"
        ],
        "DATABASE_NAME": "shop",
        "DATABASE_USER": "shop",
        "DATABASE_HOST": cluster["Endpoint"],
        "DATABASE_PORT": str(cluster["Port"]),
    }
    lines = [f"{name}={value}\n" for name, value in values.items()]
    assert run("aurora-tenants env shop") == Ended(0, "".join(f"export {line}" for line in lines), "")
    assert run("aurora-tenants env shop --format dotenv") == Ended(0, "".join(lines), "")
    ended = run("aurora-tenants env shop --format json --user shop --database shop")
    assert (ended.code, json.loads(ended.out)) == (0, values)
    url = f"mysql://shop@{cluster['Endpoint']}:{cluster['Port']}/shop\n"
    assert run("aurora-tenants env shop --format url") == Ended(0, url, "")
    ended = run("aurora-tenants env shop --format json --reader")
    assert (ended.code, json.loads(ended.out)) == (0, values | {"DATABASE_HOST": cluster["ReaderEndpoint"]})
    assert ended.err == (
        "notice: the cluster has no reader now  [no-reader]\n"
        "    why: until it has one, its reader endpoint leads to the instance that writes\n"
    )


def test_a_database_called_server_hides_no_cluster(run: CommandLine):
    applied(run, shop("server"))
    ended = run("aurora-tenants env server --format json")
    values = json.loads(ended.out)
    assert values["DATABASE_RESOURCE"].startswith("arn:aws:rds:")
    assert values["DATABASE_NAME"] == "server"


def test_a_tenant_that_is_not_deployed_has_no_environment(run: CommandLine):
    run.file(shop())
    assert run("aurora-tenants env shop") == Ended(
        1,
        "",
        "error: tenant shop is not deployed as the file says  [not-deployed]\n"
        "    why: it has no stack\n"
        "    fix: run apply\n" + NOTHING,
    )


def test_a_user_that_is_new_in_the_file_has_no_environment_yet(run: CommandLine):
    applied(run, shop())
    run.file(shop() + "      other: {}\n")
    ended = run("aurora-tenants env shop --user other")
    assert (ended.code, ended.out) == (1, "")
    assert "    why: its stack is CREATE_COMPLETE\n" in ended.err
