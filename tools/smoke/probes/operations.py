"""By what an apply knows its own operations, and whether they have ended."""

from __future__ import annotations

import json
from typing import Any

from tools.smoke.clock import until
from tools.smoke.probe import Probe
from tools.smoke.world import World

Json = Any
_SETTLES_SECONDS = 300
_QUEUE = {"Type": "AWS::SQS::Queue"}
_STACK = "AWS::CloudFormation::Stack"
_ENDS = {"create": "CREATE_COMPLETE", "update": "UPDATE_COMPLETE", "delete": "DELETE_COMPLETE"}


def _tokens(world: World) -> Json:
    """A stack that is made, changed by a change set and deleted; how the stack's last event for each token reads."""
    client, name = world.aws().cloudformation, f"{world.name}-tokens"
    one, two = ({"Resources": dict.fromkeys(keys, _QUEUE)} for keys in ("A", "AB"))
    client.create_stack(StackName=name, TemplateBody=json.dumps(one), ClientRequestToken="create")
    stack_id = client.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    found = {"create": _end(world, stack_id, "create")}
    client.create_change_set(StackName=stack_id, ChangeSetName="more", TemplateBody=json.dumps(two), ClientToken="more")
    until(lambda: _is_made(client, stack_id), world.clock.pause, every=5, at_most=_SETTLES_SECONDS)
    client.execute_change_set(StackName=stack_id, ChangeSetName="more", ClientRequestToken="update")
    found["update"] = _end(world, stack_id, "update")
    client.delete_stack(StackName=stack_id, ClientRequestToken="delete")
    found["delete"] = _end(world, stack_id, "delete")
    return found


def _is_made(client: Any, stack_id: str) -> bool:
    return bool(client.describe_change_set(StackName=stack_id, ChangeSetName="more")["Status"] == "CREATE_COMPLETE")


def _end(world: World, stack_id: str, token: str) -> Json:
    """The last state that the stack's own events of this token tell, and the tokens of all events since its first."""

    def ended() -> Json:
        events = world.aws().cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
        ours = [at for at, event in enumerate(events) if event.get("ClientRequestToken") == token]
        since = events[: ours[-1] + 1] if ours else []
        own = [event["ResourceStatus"] for event in since if event["ResourceType"] == _STACK]
        if not own or own[0].endswith("_IN_PROGRESS"):
            return None
        return {"status": own[0], "tokens": sorted({event.get("ClientRequestToken", "") for event in since})}

    return until(ended, world.clock.pause, every=5, at_most=_SETTLES_SECONDS)


def _expect_tokens(answer: Json) -> str:
    for token, status in _ENDS.items():
        if answer[token] is None:
            return f"no end of {token} was seen among the events with its token"
        if answer[token] != {"status": status, "tokens": [token]}:
            return f"{token} ended as {answer[token]['status']}, with events of {answer[token]['tokens']}"
    return ""


PROBES = (
    Probe(
        "tokens-of-events",
        "CloudFormation and a new cluster",
        "Every event of an operation carries the ClientRequestToken that it was begun with, by CreateStack, "
        "ExecuteChangeSet and DeleteStack; the stack's own last one says how it ended, also of a stack that is gone.",
        "`apply` takes an operation of its own for somebody else's: it looks at the stack 20 s later, and says that "
        "another apply did it.",
        "`aws cloudformation describe-stack-events --stack-name STACK` after an apply",
        "all events with the token, the last of them the end",
        _tokens,
        _expect_tokens,
        takes_seconds=150,
    ),
)
