"""The cluster pauses when nobody uses it, and wakes, and is stopped. These come last: whatever asks keeps it awake."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from aurora_tenants.aws.scaling import read_acu
from aurora_tenants.errors import AwsError
from tools.smoke.clock import until
from tools.smoke.finding import passes
from tools.smoke.probe import NotRun, Probe
from tools.smoke.world import World, refusal

Json = Any
SECTION = "The cluster that pauses, and its schedule"
_IDLE_SECONDS = 300  # as deployed
_LONGEST_SECONDS, _WAKES_SECONDS = 1500, 180
_MINUTES, _LATE_MINUTES = 5, 3
_STOPS_SECONDS = 1800


def _paused(world: World) -> Json:
    return world.once("paused", lambda: _pause(world))


def _pause(world: World) -> Json:
    """Leaves the cluster alone until the metric reads 0."""
    arn = world.cluster_arn
    began = world.clock.seconds()
    world.clock.pass_time(_IDLE_SECONDS)

    def is_zero() -> bool:
        try:
            return read_acu(world.aws(), arn) == 0
        except AwsError as error:
            if passes(error):
                return False
            raise

    is_paused = until(is_zero, world.clock.pass_time, every=30, at_most=_LONGEST_SECONDS)
    status = world.describe_cluster()["DBClusters"][0]["Status"]
    took = round(world.clock.seconds() - began, 1)
    return {
        "acu": read_acu(world.aws(), arn),
        "is_paused": bool(is_paused),
        "status": status,
        "took_seconds": took,
    }


def _each_minute(world: World) -> Json:
    """Some minutes of the pause that are over, and old enough for CloudWatch."""
    if world.is_sandbox:
        raise NotRun("the metric is of real time, of which no minutes pass in the sandbox")
    if not _paused(world)["is_paused"]:
        raise NotRun("the cluster did not pause")
    world.clock.pass_time(60 * (_MINUTES + _LATE_MINUTES))
    end = world.clock.now().replace(second=0, microsecond=0) - timedelta(minutes=_LATE_MINUTES)
    cluster = [{"Name": "DBClusterIdentifier", "Value": world.cluster}]
    metric = {"Namespace": "AWS/RDS", "MetricName": "ServerlessDatabaseCapacity", "Dimensions": cluster}
    answer = world.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "acu", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}],
        StartTime=end - timedelta(minutes=_MINUTES),
        EndTime=end,
    )
    return {"of_minutes": _MINUTES, "values": answer["MetricDataResults"][0]["Values"]}


def _expect_each_minute(answer: Json) -> str:
    values, wanted = answer["values"], answer["of_minutes"]
    if len(values) != wanted:
        return f"{wanted} minutes have {len(values)} values"
    return f"the values are {values}" if any(values) else ""


def _expect_paused(answer: Json) -> str:
    if not answer["is_paused"] or answer["acu"] != 0:
        return f"after {answer['took_seconds']} s the metric reads {answer['acu']}"
    return "" if answer["status"] == "available" else f"DescribeDBClusters says {answer['status']}"


def _woken(world: World) -> Json:
    if not _paused(world)["is_paused"]:
        raise NotRun("the cluster did not pause")
    secret = world.master_secret()
    began = world.clock.seconds()
    refused: dict[tuple[str, str], int] = {}

    def ask() -> bool:
        try:
            world.aws().rds_data.execute_statement(resourceArn=world.cluster_arn, secretArn=secret, sql="SELECT 1")
        except ClientError as error:
            said = refusal(error)
            key = said["code"], said["message"]
            refused[key] = refused.get(key, 0) + 1
            return False
        except BotoCoreError as error:  # a connection that breaks off says nothing of the cluster
            if not passes(error):
                raise
            return False
        return True

    is_awake = until(ask, world.clock.pass_time, every=3, at_most=_WAKES_SECONDS)
    answers = [{"code": code, "message": message} for code, message in sorted(refused)]
    return {"is_awake": bool(is_awake), "answers": answers, "woke_seconds": round(world.clock.seconds() - began, 1)}


def _expect_woken(answer: Json) -> str:
    if not answer["is_awake"]:
        return f"it did not wake within {answer['woke_seconds']} s"
    first = answer["answers"][:1]
    if [it["code"] for it in answer["answers"]] != ["DatabaseResumingException"]:
        return f"while it woke the Data API said {first or 'nothing'}"
    text = "is resuming after being auto-paused"
    return "" if text in first[0]["message"] else f"the text is: {first[0]['message']}"


def _stopped(world: World) -> Json:
    """What the Data API and RDS say of a cluster that is stopped; it is started again whatever comes of that."""
    rds, secret, name = world.client("rds"), world.master_secret(), {"DBClusterIdentifier": world.cluster}
    said: dict[str, Json] = {}

    def is_now(wanted: str) -> bool:
        status = world.describe_cluster()["DBClusters"][0]["Status"]
        if status not in said:
            statement = {"resourceArn": world.cluster_arn, "secretArn": secret, "sql": "SELECT 1"}
            said[status] = _refused(world.aws().rds_data.execute_statement, **statement)
        return bool(status == wanted)

    rds.stop_db_cluster(**name)
    try:
        is_stopped = until(lambda: is_now("stopped"), world.clock.pass_time, every=15, at_most=_STOPS_SECONDS)
        days = world.describe_cluster()["DBClusters"][0]["BackupRetentionPeriod"]
        modify = _refused(rds.modify_db_cluster, **name, BackupRetentionPeriod=days)
    finally:  # a stopped cluster cannot be deleted
        until(lambda: not _refused(rds.start_db_cluster, **name), world.clock.pass_time, every=15, at_most=600)
        until(lambda: is_now("available"), world.clock.pass_time, every=15, at_most=_STOPS_SECONDS)
    return {"is_stopped": bool(is_stopped), "data_api": said, "modify": modify}


def _refused(call: Callable[..., Any], **parameters: Any) -> Json:
    try:
        call(**parameters)
    except ClientError as error:
        return refusal(error)
    return None


def _expect_stopped(answer: Json) -> str:
    if not answer["is_stopped"]:
        return f"it did not stop; its statuses were {', '.join(answer['data_api'])}"
    found = {"the Data API": answer["data_api"]["stopped"], "ModifyDBCluster": answer["modify"]}
    wanted = {"the Data API": "InvalidResourceStateException", "ModifyDBCluster": "InvalidDBClusterStateFault"}
    told = [f"{who} says {found[who] or 'nothing'}" for who in wanted if (found[who] or {}).get("code") != wanted[who]]
    return "; ".join(told)


PROBES = (
    Probe(
        "metric-while-paused",
        SECTION,
        "ServerlessDatabaseCapacity is 0 while a cluster is paused, and DescribeDBClusters calls it available.",
        "`plan --no-wake` cannot tell whether the cluster is paused, and exits with 1.",
        "`aurora-tenants pause-schedule show`, six minutes after the last connection",
        "0 ACU, and the cluster is available",
        _paused,
        _expect_paused,
        takes_seconds=600,
    ),
    Probe(
        "metric-each-minute",
        SECTION,
        "That metric has a value for each minute of a pause, three minutes later at most.",
        "`plan --no-wake` sometimes cannot tell whether the cluster is paused, and exits with 1.",
        "`aws cloudwatch get-metric-data` with a period of 60 s, ten minutes after the cluster has paused",
        "5 values of 0 for 5 minutes",
        _each_minute,
        _expect_each_minute,
        takes_seconds=480,
        needs=("metric-while-paused",),
    ),
    Probe(
        "waking",
        SECTION,
        "How long a paused cluster takes to wake: 15 s, 30 s and more after a day; until then the Data API answers "
        "DatabaseResumingException.",
        "Nothing has to be changed: a plan waits 180 s, and the functions as long as Lambda lets them.",
        "`aurora-tenants plan` in the morning",
        "DatabaseResumingException, then a SELECT within 180 s",
        _woken,
        _expect_woken,
        takes_seconds=30,
        needs=("metric-while-paused",),
    ),
    Probe(
        "stopped-cluster",
        SECTION,
        "The Data API answers InvalidResourceStateException for a cluster that is stopped, and ModifyDBCluster "
        "InvalidDBClusterStateFault.",
        "nothing after any answer that is waited for: then DescribeDBClusters is asked. After any other a plan tells "
        "that answer, and not how to start the cluster.",
        "`aws rds stop-db-cluster`, ten minutes later `aurora-tenants plan`, then `aws rds start-db-cluster`",
        "InvalidResourceStateException, InvalidDBClusterStateFault",
        _stopped,
        _expect_stopped,
        takes_seconds=1500,
        disturbs="stops the cluster of the run and starts it again, which takes another half an hour",
    ),
)
