"""CloudFormation, and what the cluster does when it is new."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from aurora_tenants.naming import CLUSTER_TAG, TENANT_TAG
from tools.smoke import deployment
from tools.smoke.probe import NotRun, Probe
from tools.smoke.statements import NOT_YET
from tools.smoke.world import Ended, World, refusal

Json = Any
SECTION = "CloudFormation and a new cluster"
# What the Data API may say of a cluster that is not ready. The functions wait as long as Lambda lets them.
_EARLY = (*NOT_YET, "InternalServerErrorException", "BadRequestException")
_LONGEST_SECONDS = 180
_MOST_CALLS, _AT_ONCE = 400, 10


def _deploy(world: World) -> Json:
    ended: Ended | None = world.once("deployed", lambda: None)
    if ended is None:
        raise NotRun("the shared stack was there already")
    return {"exit": ended.code, "text": (ended.out + ended.err)[-3000:] if ended.code else ""}


def _expect_deploy(answer: Json) -> str:
    return f"shared deploy exits {answer['exit']}: {answer['text']}" if answer["exit"] else ""


def _first_select(world: World) -> Json:
    watch: deployment.Watch | None = world.once("watch", lambda: None)
    if watch is None or watch.select_at is None or watch.instance_at is None:
        raise NotRun("nobody looked while the cluster was being made")
    early = [
        {"code": code, "message": message, "times": times} for (code, message), times in sorted(watch.early.items())
    ]
    after = round(max(watch.select_at - watch.instance_at, 0.0), 1)
    return {"early": early, "available_to_select_seconds": after}


def _expect_first_select(answer: Json) -> str:
    others = [it for it in answer["early"] if it["code"] not in _EARLY]
    if others:
        return f"an early answer that is not waited for: {others[0]['code']}: {others[0]['message']}"
    took = answer["available_to_select_seconds"]
    if took > _LONGEST_SECONDS:
        return f"the first SELECT came {took} s after the instance was available"
    return ""


def _service_role(world: World) -> Json:
    ended = deployment.tenants(world)
    pages = world.aws().cloudformation.get_paginator("describe_stacks").paginate()
    stacks = [it for page in pages for it in page["Stacks"]]
    made = {it["StackName"]: it for it in stacks if it["StackName"].startswith(f"{world.name}-smoke-")}
    role = world.outputs()["CloudFormationRole"]
    return {
        "exit": ended.code,
        "text": ended.err[-2000:] if ended.code else "",
        "stacks": {
            name: {
                "status": stack["StackStatus"],
                "by_service_role": stack.get("RoleARN") == role,
                "tags": sorted(tag["Key"] for tag in stack["Tags"] if not tag["Key"].startswith("aws:")),
            }
            for name, stack in sorted(made.items())
        },
    }


def _expect_service_role(answer: Json) -> str:
    if answer["exit"]:
        return f"apply exits {answer['exit']}: {answer['text']}"
    wanted = {"status": "CREATE_COMPLETE", "by_service_role": True, "tags": sorted((CLUSTER_TAG, TENANT_TAG))}
    if len(answer["stacks"]) != 2:
        return f"{len(answer['stacks'])} tenants' stacks, not 2"
    others = [f"{name}: {stack}" for name, stack in answer["stacks"].items() if stack != wanted]
    return others[0] if others else ""


def _throttling(world: World) -> Json:
    if world.is_sandbox:
        raise NotRun("the sandbox throttles nothing by itself, only by its fault `throttle`")
    session = boto3.Session(profile_name=world.profile, region_name=world.region)
    once = Config(retries={"mode": "standard", "total_max_attempts": 1}, max_pool_connections=_AT_ONCE)
    cloudformation = session.client("cloudformation", config=once)

    def ask(_: int) -> dict[str, str] | None:
        try:
            cloudformation.describe_stacks(StackName=world.name)
        except ClientError as error:
            return refusal(error)
        return None

    began, calls = world.clock.seconds(), 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while calls < _MOST_CALLS:
            refused = next((it for it in pool.map(ask, range(_AT_ONCE)) if it), None)
            calls += _AT_ONCE
            if refused:
                break
    took = world.clock.seconds() - began
    return {"refused": refused, "calls": calls, "rate_per_second": round(calls / took, 1) if took else 0}


def _expect_throttling(answer: Json) -> str:
    refused = answer["refused"]
    if refused is None:
        return f"nothing was throttled in {answer['calls']} calls, {answer['rate_per_second']} a second"
    is_known = refused["code"] in ("Throttling", "ThrottlingException") and "Rate exceeded" in refused["message"]
    return "" if is_known else f"the refusal is {refused['code']}: {refused['message']}"


def _date(world: World) -> Json:
    header = world.describe_cluster()["ResponseMetadata"]["HTTPHeaders"].get("date", "")
    off = round((parsedate_to_datetime(header) - world.clock.now()).total_seconds(), 1) if header else None
    return {"has_date": bool(header), "is_near": off is not None and abs(off) < 300, "off_seconds": off}


def _expect_date(answer: Json) -> str:
    if not answer["has_date"]:
        return "there is no header Date"
    return "" if answer["is_near"] else f"it is {answer['off_seconds']} s off this machine's clock"


PROBES = (
    Probe(
        "shared-deploy",
        SECTION,
        "The shared stack deploys as it is: CloudFormation takes its template, its names are within AWS's limits, and "
        "the region has the zones and the engine version.",
        "`shared deploy` fails with CloudFormation's sentence.",
        "`aurora-tenants shared deploy`",
        "exit 0",
        _deploy,
        _expect_deploy,
        takes_seconds=0,
    ),
    Probe(
        "first-select",
        SECTION,
        "From the moment its instance is available, a new cluster answers within minutes, and until then with errors "
        'that mean "not yet".',
        "After another error the first `shared deploy` fails while it makes the inspector, with the Data API's "
        "sentence; deploy again.",
        "`aws rds-data execute-statement --sql 'SELECT 1'` every second while `shared deploy` runs",
        "a SELECT within 180 s",
        _first_select,
        _expect_first_select,
        takes_seconds=0,
    ),
    Probe(
        "tenant-by-service-role",
        SECTION,
        "The output `CloudFormationRole` is all that a tenant's stack needs, and CloudFormation can assume it, whether "
        "or not it names the account in `aws:SourceAccount`.",
        "`apply` fails with the missing action, or before anything is created.",
        "`aurora-tenants apply`, then `aws cloudformation describe-stacks`",
        "CREATE_COMPLETE, by the role",
        _service_role,
        _expect_service_role,
        takes_seconds=120,
    ),
    Probe(
        "describe-stacks-throttled",
        SECTION,
        "DescribeStacks is throttled as `Throttling: Rate exceeded`, which is waited for.",
        "A plan or an apply of many tenants fails with CloudFormation's sentence.",
        "`aws cloudformation describe-stacks` as fast as it goes, with `AWS_MAX_ATTEMPTS=1`",
        "Throttling: Rate exceeded",
        _throttling,
        _expect_throttling,
        takes_seconds=30,
        disturbs="has DescribeStacks throttled for up to a minute, for everybody in this account and region",
    ),
    Probe(
        "date-of-answers",
        "The cluster that pauses, and its schedule",
        "Answers from RDS have a Date header, by which `set` and `apply` know which capacity should hold now.",
        "They use the clock of the machine.",
        "`aws rds describe-db-clusters --debug`",
        "a Date, within five minutes of this machine's",
        _date,
        _expect_date,
    ),
)
