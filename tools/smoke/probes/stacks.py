"""What CloudFormation does with stacks and templates beside the product's own; and what doctor sees."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from tools.smoke import deployment
from tools.smoke.clock import until
from tools.smoke.probe import Probe
from tools.smoke.probes.schedule import AS_DEPLOYED, modify, scaling
from tools.smoke.world import World, refusal

Json = Any
SECTION = "CloudFormation and a new cluster"
_QUEUE = {"Queue": {"Type": "AWS::SQS::Queue"}}
_SETTLES_SECONDS, _ASSUMED_SECONDS = 300, 60


def _doctor(world: World) -> Json:
    deployment.need_tenants(world)
    ended = world.run("doctor --file tenants.yaml --output json")
    found = json.loads(ended.out or "{}").get("checks", ())
    return {
        "exit": ended.code,
        "findings": [{key: it[key] for key in ("check", "result", "found", "why")} for it in found],
        "text": "" if found else (ended.out + ended.err)[-2000:],
    }


def _expect_doctor(answer: Json) -> str:
    fine = ("ok", "warning", "not-checked")
    problems = [f"{it['check']}: {it['found']}" for it in answer["findings"] if it["result"] not in fine]
    if problems or answer["exit"]:
        return f"doctor exits {answer['exit']}: {'; '.join(problems) or answer['text']}"
    engine = next(it for it in answer["findings"] if it["check"] == "engine")
    return "" if engine["result"] == "ok" else f"engine is {engine['result']}: {engine['found']} {engine['why']}"


def _answered(world: World) -> Json:
    """What CloudFormation says of the shared stack's custom resource, which the provider has to answer."""
    pages = world.aws().cloudformation.get_paginator("describe_stack_events").paginate(StackName=world.name)
    events = [event for page in pages for event in page["StackEvents"] if event["LogicalResourceId"] == "Inspector"]
    return {"status": [event["ResourceStatus"] for event in events], "problem": world.outputs().get("InspectorProblem")}


def _expect_answered(answer: Json) -> str:
    is_fine = "CREATE_COMPLETE" in answer["status"] and answer["problem"] == "none"
    return "" if is_fine else f"Inspector: {', '.join(answer['status'])}; {answer['problem']}"


def _stack(world: World, name: str, template: Json, **options: Any) -> Json:
    """A stack of this name after the run's: how its creation ended, and its outputs; or how it was refused."""
    client, name = world.aws().cloudformation, f"{world.name}-{name}"
    body = template if isinstance(template, str) else json.dumps(template)
    try:
        client.create_stack(StackName=name, TemplateBody=body, **options)
    except ClientError as error:
        return {"error": refusal(error)}

    def settled() -> Json:
        stack = client.describe_stacks(StackName=name)["Stacks"][0]
        return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

    found = until(settled, world.clock.pause, every=5, at_most=_SETTLES_SECONDS)
    if found is None:
        return {"status": "not settled", "outputs": {}}
    outputs = {it["OutputKey"]: it["OutputValue"] for it in found.get("Outputs", ())}
    return {"status": found["StackStatus"], "outputs": outputs}


def _source_account(world: World) -> Json:
    """A role that only somebody may assume who says for which account, and a stack by that role."""
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "cloudformation.amazonaws.com"},
        "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    }
    queues = {"Effect": "Allow", "Action": "sqs:*", "Resource": f"arn:*:sqs:*:*:{world.name}-*"}
    role = {
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "Policies": [{"PolicyName": "queues", "PolicyDocument": {"Version": "2012-10-17", "Statement": [queues]}}],
    }
    template = {
        "Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": role}},
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}}},
    }
    made = _stack(world, "trust", template, Capabilities=["CAPABILITY_IAM"])
    if made.get("status") != "CREATE_COMPLETE":
        return {"role": made, "by_role": None}

    def assumed() -> Json:
        found = _stack(world, "assumed", {"Resources": _QUEUE}, RoleARN=made["outputs"]["Arn"])
        return None if "error" in found else found

    # A role that is new is not known everywhere at once.
    found = until(assumed, world.clock.pause, every=10, at_most=_ASSUMED_SECONDS)
    if found is None:
        found = _stack(world, "assumed", {"Resources": _QUEUE}, RoleARN=made["outputs"]["Arn"])
    return {"by_role": found}


def _expect_source_account(answer: Json) -> str:
    if answer["by_role"] is None:
        return f"the role was not made: {answer['role']}"
    if "error" not in answer["by_role"]:
        status = answer["by_role"]["status"]
        return "" if status == "CREATE_COMPLETE" else f"the stack by this role is {status}"
    said = answer["by_role"]["error"]
    return "" if "cannot be assumed" in said["message"] else f"the refusal is {said['code']}: {said['message']}"


def _queues(parameter: Json, *periods: Json) -> Json:
    queues = {
        f"Queue{number}": {"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": period}}
        for number, period in enumerate(periods)
    }
    return {"Parameters": {"Revision": parameter}, "Resources": queues}


def _counters(world: World) -> Json:
    """Two queues have one number, and then a counter each, of which one is as that number was."""
    before = _queues({"Type": "String", "Default": "60"}, {"Ref": "Revision"}, {"Ref": "Revision"})
    made = _stack(world, "counters", before)
    if made.get("status") != "CREATE_COMPLETE":
        return {"made": made, "updated": None}
    client, name = world.aws().cloudformation, f"{world.name}-counters"
    after = _queues(
        {"Type": "CommaDelimitedList"}, *({"Fn::Select": [str(number), {"Ref": "Revision"}]} for number in range(2))
    )
    counters = [{"ParameterKey": "Revision", "ParameterValue": "60,61"}]
    client.update_stack(StackName=name, TemplateBody=json.dumps(after), Parameters=counters)

    def settled() -> Json:
        status = client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        return None if status.endswith("_IN_PROGRESS") else status

    status = until(settled, world.clock.pause, every=5, at_most=_SETTLES_SECONDS)
    pages = client.get_paginator("describe_stack_events").paginate(StackName=name)
    events = [event for page in pages for event in page["StackEvents"]]
    updated = {it["LogicalResourceId"] for it in events if it["ResourceStatus"] == "UPDATE_COMPLETE"}
    return {"made": made, "status": status, "updated": sorted(updated - {name})}


def _expect_counters(answer: Json) -> str:
    if answer["updated"] is None:
        return f"the stack was not made: {answer['made']}"
    if answer["status"] != "UPDATE_COMPLETE":
        return f"the stack is {answer['status']}"
    return "" if answer["updated"] == ["Queue1"] else f"updated were: {', '.join(answer['updated'])}"


_NO = """\
Mappings:
  Words:
    No: {Is: text}
    "false": {Is: a boolean}
Resources:
  Queue: {Type: AWS::SQS::Queue}
Outputs:
  Plain: {Value: !FindInMap [Words, "No", Is]}
"""


def _key_no(world: World) -> Json:
    return _stack(world, "key-no", _NO)


def _expect_key_no(answer: Json) -> str:
    if "error" in answer:
        return f"it was refused with {answer['error']['code']}: {answer['error']['message']}"
    seen = answer["outputs"].get("Plain")
    is_made = answer["status"] == "CREATE_COMPLETE"
    return "" if is_made and seen == "text" else f"the stack is {answer['status']}, and the key `No` is {seen}"


def _keeps_capacity(world: World) -> Json:
    """As a schedule sets it, then an update of the shared stack that changes something else of the cluster."""
    set_to = modify(world, {"MinCapacity": 0.5, "MaxCapacity": 2})
    parameters = {**deployment.PARAMETERS, "BackupRetentionPeriod": "2"}
    words = " ".join(f"--parameter {name}={value}" for name, value in parameters.items())
    ended = world.run(f"shared deploy --yes --stack {world.name} {words}")
    days = world.describe_cluster()["DBClusters"][0]["BackupRetentionPeriod"]
    afterwards = scaling(world)
    modify(world, AS_DEPLOYED)
    text = (ended.out + ended.err)[-2000:] if ended.code else ""
    return {"set": set_to, "exit": ended.code, "days": days, "afterwards": afterwards, "text": text}


def _expect_keeps_capacity(answer: Json) -> str:
    if "error" in answer["set"]:
        return f"the capacity could not be set: {answer['set']['error']}"
    if answer["exit"]:
        return f"shared deploy exits {answer['exit']}: {answer['text']}"
    if answer["days"] != 2:
        return f"the cluster keeps backups for {answer['days']} days, not 2"
    same = answer["afterwards"] == answer["set"]["afterwards"]
    return "" if same else f"the cluster scaled {answer['set']['afterwards']}, and scales {answer['afterwards']}"


PROBES = (
    Probe(
        "doctor",
        SECTION,
        "`doctor` reads the account: IAM simulates what the caller may do, or says that it does not; RDS offers the "
        "engine version, with the Data API, pauses and db.serverless.",
        "`doctor` warns or says `not checked` where nothing is wrong.",
        "`aurora-tenants doctor --output json`",
        "exit 0, no problem, engine ok",
        _doctor,
        _expect_doctor,
        takes_seconds=30,
        needs=("tenant-by-service-role",),
    ),
    Probe(
        "response-url",
        SECTION,
        "An event's ResponseURL begins with `https://cloudformation-custom-resource-response-` and the region without "
        "hyphens, then `.s3`, `.s3.<region>` or `.s3-<region>`, then `.amazonaws.com`, `.amazonaws.com.cn` or "
        "`.amazonaws.eu`; the function's own ARN says the partition, region and account of every stack it serves.",
        "`shared deploy` fails at Inspector after ten minutes without an answer; the provider's log says that the "
        "ResponseURL is not of CloudFormation.",
        "`aurora-tenants shared deploy`, then `aurora-tenants shared status`",
        "CREATE_COMPLETE, InspectorProblem: none",
        _answered,
        _expect_answered,
        takes_seconds=1,
    ),
    Probe(
        "source-account",
        SECTION,
        "Nothing: CloudFormation may or may not say `aws:SourceAccount` when it assumes a role. Where it does, only "
        "this account may use the role of tenants.",
        "nothing",
        "a role whose trust policy demands `aws:SourceAccount`, then `aws cloudformation create-stack --role-arn ROLE`",
        "a stack, or: cannot be assumed",
        _source_account,
        _expect_source_account,
        takes_seconds=120,
    ),
    Probe(
        "counters",
        SECTION,
        "An update asks for the resources alone whose properties have another value: one that takes a number from a "
        "list, where it took the same number from a parameter until now, is none of them.",
        "A drift of one user has all of its tenant's resources compared, and nothing else comes of it.",
        "two queues with a parameter as their MessageRetentionPeriod, then with `Fn::Select` of a list of two",
        "the one queue whose number is another is updated",
        _counters,
        _expect_counters,
        takes_seconds=90,
    ),
    Probe(
        "key-no",
        SECTION,
        "A key `No` in a template in YAML stays text.",
        "nothing of ours has one; the sandbox takes templates with such keys that AWS reads otherwise.",
        "`aws cloudformation create-stack` with a key `No` in a mapping, and an output that finds it",
        "the output is: text",
        _key_no,
        _expect_key_no,
        takes_seconds=60,
    ),
    Probe(
        "update-keeps-capacity",
        "The cluster that pauses, and its schedule",
        "An update of the shared stack that changes something else of the cluster leaves it the capacity that a "
        "schedule has set.",
        "After `shared deploy` the cluster has the template's capacity until the next schedule: run `pause-schedule "
        "set` again.",
        "`pause-schedule set` in a window, `aurora-tenants shared deploy --parameter BackupRetentionPeriod=8`, then "
        "`pause-schedule show`",
        "0.5 to 2 ACU before and afterwards",
        _keeps_capacity,
        _expect_keeps_capacity,
        takes_seconds=240,
    ),
)
