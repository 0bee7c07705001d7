"""What somebody tries who may deploy any stack on the exported tokens, who is a tenant, or who calls the function."""

from __future__ import annotations

import json
import math
import time
from types import SimpleNamespace
from typing import Any

import pytest

from aurora_tenants.lambdas import accounts, caller, provider
from aurora_tenants.lambdas.request import Request, Secret
from aurora_tenants.lambdas.user import serve_user
from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.live import read_shares
from tests.endpoint import client
from tests.lambdas.world import ONCE, PREFIX, PROVIDER, SHARED, World, after, database, fresh, on, ref, role, user
from tests.mysql_server import hashes

pytestmark = ONCE

ARN = f"arn:aws:lambda:eu-west-1:123456789012:function:{PROVIDER}"


def refused(world: World, privilege: Any, **more: Any) -> str:
    """What a stack of its own is told that asks for a privilege without anybody's consent."""
    name = fresh("mallory")
    world.deploy(stack := fresh("stack"), {"Own": database(own := fresh("own"))})
    app = after(user(world.secret(name), on(own), privilege, **more), "Own")
    ended = world.deploy(stack, {"Own": database(own), "App": app}, consent=False)
    assert ended.status == "UPDATE_ROLLBACK_COMPLETE"
    assert not world.has_user(name)
    return ended.failures["App"]


@pytest.fixture
def victim(world: World) -> tuple[str, str]:
    """The stack and the database, with two rows, of somebody else."""
    stack, name = fresh("stack"), fresh("shop")
    world.deploy(stack, {"Db": database(name)})
    world.make_table(name)
    return stack, name


@pytest.mark.parametrize(
    "more", [{}, {"Table": "t"}, {"Table": "t", "Columns": ["id"]}, {"GrantOption": True}, {"Procedure": "p"}], ids=str
)
def test_nothing_is_granted_on_a_database_that_is_not_shared(
    world: World, victim: tuple[str, str], more: dict[str, Any]
) -> None:
    stack, name = victim
    permission = "EXECUTE" if "Procedure" in more else "SELECT"
    privilege = {"Permission": permission, "Database": name, **more}
    said = refused(world, privilege)
    assert said.startswith(f"nothing can be granted on database {name}: it belongs to stack {stack}, which does not")


def test_nothing_is_granted_on_a_database_of_nobodys(world: World) -> None:
    world.make_database(name := fresh("legacy"))
    reason = f"nothing can be granted on database {name}: it belongs to nobody; a stack has to create it before"
    assert refused(world, on(name, "SELECT")).startswith(reason)
    assert refused(world, on(fresh("nowhere"), "SELECT")).startswith("nothing can be granted on database nowhere-")


def test_a_role_gets_no_more_than_a_user(world: World, victim: tuple[str, str]) -> None:
    stack, name = victim
    ended = world.deploy(fresh("stack"), {"Reader": role(reader := fresh("reader"), on(name))}, consent=False)
    assert ended.failures["Reader"].startswith(
        f"nothing can be granted on database {name}: it belongs to stack {stack}"
    )
    assert not world.has_user(reader)


def test_what_is_shared_can_be_granted_until_it_is_withdrawn(world: World, victim: tuple[str, str]) -> None:
    """The other stack does not fail for it: its next update revokes what it had, and says so."""
    (owner, name), stack, app = victim, fresh("stack"), fresh("billing")
    arn = world.secret(app)
    reading = user(arn, on(name, "SELECT"))
    assert world.deploy(owner, {"Db": database(name, SharedWith=[stack])}).failures == {}
    assert world.deploy(stack, {"App": reading}, consent=False).failures == {}
    assert world.grants(app) == {f"GRANT SELECT ON `{name}`.* TO `{app}`@`%`"}
    assert world.deploy(owner, {"Db": database(name, SharedWith=["others"])}).failures == {}
    assert read_shares(world.sql, name) == {name: (frozenset({"others"}), frozenset({stack}))}
    assert world.grants(app) != set()
    again, told = user(arn, on(name, "SELECT"), Revision="2"), {"Told": {"Fn::GetAtt": ["App", "Refused"]}}
    ended = world.deploy(stack, {"App": again}, told, consent=False)
    assert (ended.status, world.grants(app)) == ("UPDATE_COMPLETE", set())
    reason = f"database {name} is not shared with stack {stack} any more: it belongs to stack {owner}"
    assert ended.outputs == {"Told": reason}
    # The way back is not refused either.
    ended = world.deploy(stack, {"App": reading, "Bad": database("mysql")}, consent=False)
    assert (ended.status, world.grants(app)) == ("UPDATE_ROLLBACK_COMPLETE", set())


def test_whoever_had_a_database_before_has_no_part_in_it(world: World, victim: tuple[str, str]) -> None:
    (before, name), stack, app, mine = victim, fresh("stack"), fresh("former"), fresh("own")
    arn = world.secret(app)
    world.deploy(before, {"Db": database(name), "App": user(arn, on(ref("Db"))), "Own": database(mine)})
    world.deploy(before, {"App": user(arn, on(name)), "Own": database(mine)}, consent=False)
    assert world.owner(name) == (before, "Db", 0, 1)
    assert world.deploy(stack, {"Db": database(name, Adopt=True)}).failures == {}
    world.deploy(before, {"App": user(arn, on(name), Revision="2"), "Own": database(mine)}, consent=False)
    assert (world.grants(app), world.rows(name)) == (set(), 2)


def test_a_shared_database_that_is_let_go_of_is_shared_no_more(world: World, victim: tuple[str, str]) -> None:
    (owner, name), stack = victim, fresh("stack")
    world.deploy(owner, {"Db": database(name, SharedWith=[stack])})
    world.delete(owner)
    assert read_shares(world.sql, name) == {name: (frozenset(), frozenset({stack}))}
    assert refused(world, on(name)).startswith(f"nothing can be granted on database {name}: it belongs to nobody")


def test_a_database_is_shared_with_names_of_stacks_only(world: World) -> None:
    ended = world.deploy(fresh("stack"), {"Db": database(fresh("shop"), SharedWith=["*"])})
    assert ended.failures == {"Db": "SharedWith must be a list of names of stacks, and '*' cannot be one"}


@pytest.mark.parametrize("is_reloaded", [False, True])
def test_a_grant_on_a_routine_that_is_not_ascii_stops_nobody(
    world: World, victim: tuple[str, str], is_reloaded: bool
) -> None:
    """A tenant that may pass on its rights plants one on a neighbour; once loaded again, no spelling of it is found."""
    (stack, name), evil, app = victim, fresh("evil"), fresh("app")
    world.deploy(stack, {"Db": database(name), "App": user(arn := world.secret(app), on(ref("Db"), "SELECT"))})
    world.make_database(evil)
    world.sql(
        f"CREATE PROCEDURE `{evil}`.`pröz`() SELECT 1",
        f"GRANT EXECUTE ON PROCEDURE `{evil}`.`pröz` TO `{app}`",
        f"GRANT INSERT ON `{evil}`.* TO `{app}`",
    )
    if is_reloaded:
        world.sql("FLUSH PRIVILEGES")
    changed = user(arn, on(ref("Db"), "SELECT, INSERT"))
    assert world.deploy(stack, {"Db": database(name), "App": changed}).failures == {}
    own, *planted = sorted(world.grants(app), key=lambda grant: name not in grant)
    assert own == f"GRANT SELECT, INSERT ON `{name}`.* TO `{app}`@`%`"
    assert len(planted) == 1
    assert "PROCEDURE" in planted[0]
    world.delete(stack)
    assert not world.has_user(app)


def test_nothing_is_granted_on_a_routine_that_is_not_ascii(world: World, victim: tuple[str, str]) -> None:
    stack, name = victim
    privilege = {"Permission": "EXECUTE", "Database": name, "Procedure": "pröz"}
    ended = world.deploy(stack, {"Db": database(name), "App": user(world.secret(fresh("app")), privilege)})
    reason = "nothing can be granted on routine pröz: its name is not ASCII, and MySQL could not revoke it"
    assert ended.failures == {"App": reason}


@pytest.fixture
def asking(world: World, master: DataApi, monkeypatch: pytest.MonkeyPatch) -> Request:
    """The Update of a user of a stack's own, served in this process."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", PROVIDER)
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn)})
    stack_id = world.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
    event = {
        "RequestType": "Update",
        "StackId": stack_id,
        "LogicalResourceId": "App",
        "PhysicalResourceId": arn,
        "ResourceProperties": {"SecretId": arn, "Privileges": []},
    }
    its = Secret(arn, f"{PREFIX}{name}", name, hashes("hush-0"))
    return Request(event, master.execute, lambda _: master.execute, lambda _: its, master.cluster_arn, math.inf)


def test_any_number_of_planted_grants_is_revoked_in_the_time_there_is(
    world: World, asking: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What there is no time for is left to the next deployment, and the stack does not fail."""
    name, count = asking.secret("").user, 40
    world.make_database(evil := fresh("evil"))
    world.sql(*(f"CREATE TABLE `{evil}`.t{number} (a INT, b INT)" for number in range(count)))
    world.sql(*(f"GRANT SELECT, INSERT (a, b) ON `{evil}`.t{number} TO `{name}`" for number in range(count)))
    statements = list[str]()

    def execute(statement: str) -> Any:
        statements.append(statement)
        # The clock goes on with what is done: after twenty REVOKEs there is no more than the reserve.
        if sum(text.startswith("REVOKE ") for text in statements) == 20:
            monkeypatch.setattr(accounts, "_RESERVE_SECONDS", math.inf)
        return asking.execute(statement)

    limited = asking._replace(execute=execute, ends=time.monotonic() + 1000)
    reason = f"the time was up before 20 REVOKEs of user {name}; deploy again to go on"
    assert serve_user(limited).data["Refused"] == reason
    assert len(world.grants(name)) == 20
    monkeypatch.setattr(accounts, "_RESERVE_SECONDS", 60.0)
    statements.clear()
    assert serve_user(limited._replace(execute=asking.execute)).data["Refused"] == "none"
    assert world.grants(name) == set()


# Forged events


def forged(world: World, **changes: Any) -> tuple[str, str]:
    """The status and the reason with which the function answers such an event of the shared stack's inspector."""
    answers = list[dict[str, Any]]()
    event = {
        "RequestType": "Create",
        "ResourceType": "Custom::Database",
        "ResponseURL": f"{world.sandbox.environment['AWS_ENDPOINT_URL']}/_sandbox/nowhere",
        "StackId": f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{SHARED}/1",
        "RequestId": "r",
        "LogicalResourceId": "Db",
        "ResourceProperties": {"Name": fresh("forged")},
        **changes,
    }
    context = SimpleNamespace(invoked_function_arn=ARN, get_remaining_time_in_millis=lambda: 100_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", world.sandbox.environment["AWS_ENDPOINT_URL"])
        patch.setenv("AWS_LAMBDA_FUNCTION_NAME", PROVIDER)
        # There is nobody at that address; what would be sent is what is looked at.
        patch.setattr(provider, "send", lambda *args, **more: answers.append({"args": args, **more}))
        provider.handler(event, context)
    [answer] = answers
    return answer["args"][1], answer.get("reason", "")


@pytest.mark.parametrize(
    "stack_id",
    [
        "arn:aws:cloudformation:eu-west-1:999999999999:stack/shared-global/1",
        "arn:aws:cloudformation:us-east-1:123456789012:stack/shared-global/1",
        "arn:aws-cn:cloudformation:eu-west-1:123456789012:stack/shared-global/1",
    ],
)
def test_a_stack_of_another_account_region_or_partition_is_not_served(world: World, stack_id: str) -> None:
    reason = "this function serves stacks of account 123456789012 in eu-west-1 only"
    assert forged(world, StackId=stack_id) == ("FAILED", reason)
    inspector = {"ResourceType": "Custom::DatabaseUser", "ResourceProperties": {"OnRefusal": "report"}}
    assert forged(world, StackId=stack_id, **inspector) == ("FAILED", reason)


@pytest.mark.parametrize(
    "changes",
    [
        {"StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/a/b/c"},
        {"StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/a'b/1"},
        {"StackId": "nonsense"},
        {"LogicalResourceId": "a.b"},
        {"LogicalResourceId": ""},
        {"ResourceType": "Custom::Database\nDelete Custom::Database Db of arn:"},
        {"RequestType": "Drop"},
    ],
    ids=str,
)
def test_what_is_no_stack_is_not_served(world: World, changes: dict[str, str]) -> None:
    reason = "the event's StackId and resource are not as CloudFormation's are"
    assert forged(world, **changes) == ("FAILED", reason)


BUCKET = "https://cloudformation-custom-resource-response-euwest1"


@pytest.mark.parametrize("suffix", [".s3.amazonaws.com", ".s3-eu-west-1.amazonaws.com", ".s3.eu-west-1.amazonaws.com"])
def test_an_answer_goes_to_cloudformation(suffix: str) -> None:
    caller.check_url({"ResponseURL": f"{BUCKET}{suffix}/arn%3Aaws?X-Amz-Signature=1"}, ARN)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.170.2/v2/credentials",
        "file:///proc/self/environ",
        f"{BUCKET}.s3.amazonaws.com.evil.example/",
        f"{BUCKET}.s3.eu-west-1.amazonaws.com@evil.example/",
        f"{BUCKET}-mine.s3.eu-west-1.amazonaws.com/",
        f"{BUCKET.replace('https', 'http')}.s3.eu-west-1.amazonaws.com/",
        "https://cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com/",
        "https://evil.example/",
        "",
    ],
)
def test_an_answer_goes_nowhere_else(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with pytest.raises(ValueError, match=r"^the event's ResponseURL is not of CloudFormation, so it is not answered$"):
        caller.check_url({"ResponseURL": url}, ARN)


def test_an_event_that_is_not_to_be_answered_is_not_served(world: World) -> None:
    name = fresh("forged")
    with pytest.raises(ValueError, match="is not of CloudFormation"):
        forged(world, ResponseURL="https://evil.example/", ResourceProperties={"Name": name})
    assert not world.has_database(name)


def test_the_inspector_holds_what_it_has_to_whatever_an_event_asks_for(world: World) -> None:
    """Also one that names the shared stack, as whoever may call the function can."""
    name = "aurora_tenants_inspector"
    before = (world.grants(name), world.accounts(name))
    arn = world.secrets.describe_secret(SecretId=f"{PREFIX}{name}")["ARN"]
    stack_id = world.cloudformation.describe_stacks(StackName=SHARED)["Stacks"][0]["StackId"]
    event = {
        "RequestType": "Update",
        "ResourceType": "Custom::DatabaseUser",
        "ResponseURL": f"{world.sandbox.environment['AWS_ENDPOINT_URL']}/_sandbox/nowhere",
        "StackId": stack_id,
        "RequestId": "r",
        "LogicalResourceId": "Inspector",
        "PhysicalResourceId": arn,
        "ResourceProperties": {
            "SecretId": arn,
            "Privileges": [{"Permission": "SHOW DATABASES, PROCESS, SELECT", "Database": "*"}],
            "Hosts": ["%", "10.0.0.1"],
            "Locked": "true",
        },
    }
    client(world.sandbox.environment, "lambda").invoke(FunctionName=PROVIDER, Payload=json.dumps(event))
    assert (world.grants(name), world.accounts(name)) == before


def test_no_failure_of_the_inspector_fails_the_shared_stack(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is: here there is nothing that the function could work with at all."""
    monkeypatch.delenv("CLUSTER_ARN", raising=False)
    inspector = {
        "ResourceType": "Custom::DatabaseUser",
        "ResourceProperties": {"SecretId": "gone", "OnRefusal": "report"},
        "PhysicalResourceId": "arn",
    }
    for kind in ("Create", "Update", "Delete"):
        assert forged(world, RequestType=kind, **inspector)[0] == "SUCCESS"
    # A user of another stack's is not lost sight of.
    other = f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{fresh('stack')}/1"
    assert forged(world, RequestType="Delete", StackId=other, **inspector)[0] == "FAILED"
