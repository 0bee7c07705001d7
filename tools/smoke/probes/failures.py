"""What CloudFormation does with a stack whose creation failed and was not rolled back."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from tools.smoke.clock import until
from tools.smoke.probe import Probe
from tools.smoke.world import World, refusal

Json = Any
SECTION = "CloudFormation and a new cluster"
_SETTLES_SECONDS = 300


def _template(seconds: int) -> str:
    """A queue that is made, and after it one that keeps messages this long; SQS takes 60 seconds and more."""
    second = {"Type": "AWS::SQS::Queue", "DependsOn": "First", "Properties": {"MessageRetentionPeriod": seconds}}
    return json.dumps({"Resources": {"First": {"Type": "AWS::SQS::Queue"}, "Second": second}})


def _change(world: World, stack: str, kind: str, body: str, **options: Any) -> Json:
    """A change set that can be executed: what it announces, as `Add First`."""
    client, name = world.aws().cloudformation, f"of-{kind.lower()}"
    client.create_change_set(
        StackName=stack, ChangeSetName=name, ChangeSetType=kind, TemplateBody=body, Capabilities=[], **options
    )

    def made() -> Json:
        found = client.describe_change_set(StackName=stack, ChangeSetName=name)
        return found if found["Status"] in ("CREATE_COMPLETE", "FAILED") else None

    found = until(made, world.clock.pause, every=2, at_most=_SETTLES_SECONDS) or {}
    changes = (it["ResourceChange"] for it in found.get("Changes", ()))
    return sorted(f"{it['Action']} {it['LogicalResourceId']}" for it in changes)


def _execute(world: World, stack: str, kind: str, **options: Any) -> Json:
    """How the stack ended, or how that was refused."""
    client = world.aws().cloudformation
    try:
        client.execute_change_set(StackName=stack, ChangeSetName=f"of-{kind.lower()}", **options)
    except ClientError as error:
        return {"refused": refusal(error)["message"]}

    def settled() -> Json:
        status = client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        return None if status.endswith("_IN_PROGRESS") else status

    return {"status": until(settled, world.clock.pause, every=5, at_most=_SETTLES_SECONDS) or "not settled"}


def _first(world: World, stack: str) -> str:
    """The first queue."""
    found = world.aws().cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId="First")
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


def _goes_on(world: World) -> Json:
    stack = f"{world.name}-goes-on"
    _change(world, stack, "CREATE", _template(1))
    created = _execute(world, stack, "CREATE", DisableRollback=True)
    first = _first(world, stack)
    announced = _change(world, stack, "UPDATE", _template(60))
    plain = _execute(world, stack, "UPDATE")
    updated = _execute(world, stack, "UPDATE", DisableRollback=True)
    kept = _first(world, stack) == first
    return {"created": created, "announced": announced, "plain": plain, "updated": updated, "kept": kept}


def _expect_goes_on(answer: Json) -> str:
    if answer["created"] != {"status": "CREATE_FAILED"}:
        return f"the creation ended as {answer['created']}"
    if answer["announced"] != ["Add Second"]:
        return f"the change set announces {', '.join(answer['announced']) or 'nothing'}"
    if "please use the disable-rollback parameter" not in answer["plain"].get("refused", ""):
        return f"without DisableRollback the update ended as {answer['plain']}"
    if answer["updated"] != {"status": "UPDATE_COMPLETE"}:
        return f"the update ended as {answer['updated']}"
    return "" if answer["kept"] else "the queue that was made is another one"


def _for_good(world: World) -> Json:
    stack = f"{world.name}-for-good"
    _change(world, stack, "CREATE", _template(1), OnStackFailure="DO_NOTHING")
    created = _execute(world, stack, "CREATE")
    _change(world, stack, "UPDATE", _template(60))
    return {"created": created, "updated": _execute(world, stack, "UPDATE", DisableRollback=True)}


def _expect_for_good(answer: Json) -> str:
    if answer["created"] != {"status": "CREATE_FAILED"}:
        return f"the creation ended as {answer['created']}"
    said = answer["updated"].get("refused", "")
    return "" if "contains [on-failure: DO_NOTHING]" in said else f"the update ended as {answer['updated']}"


PROBES = (
    Probe(
        "failed-stack-goes-on",
        SECTION,
        "A stack that a change set created with DisableRollback is gone on with from CREATE_FAILED: another change set "
        "announces what failed, and leaves what was made; executed without DisableRollback it is refused.",
        "`shared deploy` cannot go on with a cluster's stack whose creation failed, and ends with CloudFormation's "
        "sentence: `aurora-tenants shared delete --with-cluster`, then deploy again.",
        "`aws cloudformation execute-change-set --disable-rollback` of a creation that fails, then of an update",
        "CREATE_FAILED, then UPDATE_COMPLETE with the same queue",
        _goes_on,
        _expect_goes_on,
        takes_seconds=120,
    ),
    Probe(
        "do-nothing-on-failure",
        SECTION,
        "Nothing: OnStackFailure DO_NOTHING is not used. CreateStack's OnFailure DO_NOTHING is known to rule out every "
        "later update, which the sandbox takes to hold for change sets, too.",
        "nothing; the sandbox refuses what AWS takes.",
        "`aws cloudformation create-change-set --on-stack-failure DO_NOTHING` of a creation that fails, then an update",
        "it contains [on-failure: DO_NOTHING]",
        _for_good,
        _expect_for_good,
        takes_seconds=60,
    ),
)
