"""What is deployed, read for `doctor`: a cluster, functions, the inspector's secret, lost events, an answer of MySQL.

Every function makes read-only calls, and raises AwsError. None asks MySQL of a cluster that is known to be paused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aurora_tenants.aws.clients import Aws, asking, code_of
from aurora_tenants.aws.scaling import require_awake
from aurora_tenants.doctor.cluster import ClusterFacts, Instance, NoCluster
from aurora_tenants.doctor.finding import Skipped, Unread
from aurora_tenants.doctor.shared import DataApiAnswer, FunctionFacts, Functions, SecretFacts
from aurora_tenants.errors import AwsError, DatabaseError
from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.live import select
from aurora_tenants.stack import Shared, Stack

# A cluster pauses after five minutes without use at the earliest, and CloudWatch's values come a minute or two late.
_FRESH_MINUTES = 2
_WOKEN = "run doctor again in a minute to see whether MySQL answers; the cluster will pause again by itself"
_FUNCTIONS = ("DatabaseServiceToken", "DatabaseSecretRotationLambda")


def read_cluster_facts(aws: Aws, name: str) -> ClusterFacts | NoCluster:
    """A cluster by identifier or ARN, with the classes of its instances."""
    rds, allow = aws.client("rds"), "allow rds:DescribeDBClusters and rds:DescribeDBInstances"
    try:
        with asking(f"read cluster {name}", if_denied=allow):
            cluster = rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]
    except AwsError as error:
        if code_of(error.__cause__) in ("DBClusterNotFoundFault", "InvalidParameterValue"):
            return NoCluster(name, aws.region)
        raise
    identifier = cluster["DBClusterIdentifier"]
    with asking(f"read the instances of cluster {identifier}", if_denied=allow):
        of_cluster = [{"Name": "db-cluster-id", "Values": [identifier]}]
        pages = rds.get_paginator("describe_db_instances").paginate(Filters=of_cluster)
        instances = [instance for page in pages for instance in page["DBInstances"]]
    return _cluster_facts(cluster, instances)


def _cluster_facts(cluster: Mapping[str, Any], instances: list[Mapping[str, Any]]) -> ClusterFacts:
    kinds = {each["DBInstanceIdentifier"]: each.get("DBInstanceClass", "") for each in instances}
    members = tuple(
        Instance(
            each["DBInstanceIdentifier"], kinds.get(each["DBInstanceIdentifier"], ""), bool(each["IsClusterWriter"])
        )
        for each in cluster.get("DBClusterMembers", ())
    )
    least = cluster.get("ServerlessV2ScalingConfiguration", {}).get("MinCapacity")
    return ClusterFacts(
        identifier=cluster["DBClusterIdentifier"],
        arn=cluster["DBClusterArn"],
        engine=cluster["Engine"],
        version=cluster.get("EngineVersion", ""),
        status=cluster.get("Status", ""),
        engine_mode=cluster.get("EngineMode", ""),
        has_data_api=bool(cluster.get("HttpEndpointEnabled")),
        has_iam=bool(cluster.get("IAMDatabaseAuthenticationEnabled")),
        has_secret=bool(cluster.get("MasterUserSecret")),
        least_acu=None if least is None else float(least),
        instances=members,
        host=cluster.get("Endpoint", ""),
        port=cluster.get("Port", 0),
        resource_id=cluster.get("DbClusterResourceId", ""),
        master_user=cluster.get("MasterUsername", ""),
        master_secret=cluster.get("MasterUserSecret", {}).get("SecretArn", ""),
        master_key=cluster.get("MasterUserSecret", {}).get("KmsKeyId", ""),
    )


def read_functions(aws: Aws, stack: Stack) -> Functions:
    """The provider and the rotation of a shared stack."""
    arns = [stack.outputs[name] for name in _FUNCTIONS if name in stack.outputs]
    functions = tuple(_function(aws.client("lambda"), arn) for arn in arns)
    return Functions(functions, stack.name, datetime.now(UTC).date())


def _function(functions: Any, arn: str) -> FunctionFacts:
    name = arn.rpartition(":")[2]
    try:
        with asking(f"read function {name}", if_denied="allow lambda:GetFunctionConfiguration"):
            answer = functions.get_function_configuration(FunctionName=arn)
    except AwsError as error:
        if code_of(error.__cause__) == "ResourceNotFoundException":
            return FunctionFacts(name)
        raise
    return FunctionFacts(
        name,
        answer.get("State", "Active"),
        answer.get("StateReason", ""),
        answer.get("LastUpdateStatus", ""),
        answer.get("LastUpdateStatusReason", ""),
        answer.get("Runtime", ""),
    )


def read_inspector(aws: Aws, shared: Shared) -> SecretFacts:
    """The inspector's secret, without its value."""
    now, name = datetime.now(UTC), shared.inspector_secret
    try:
        with asking("read the inspector's secret", if_denied="allow secretsmanager:DescribeSecret"):
            answer = aws.client("secretsmanager").describe_secret(SecretId=name)
    except AwsError as error:
        if code_of(error.__cause__) == "ResourceNotFoundException":
            return SecretFacts(name, shared.stack, now, is_there=False)
        raise
    stages = answer.get("VersionIdsToStages", {}).values()
    return SecretFacts(
        answer["Name"],
        shared.stack,
        now,
        is_there="DeletedDate" not in answer,
        is_rotated=answer.get("RotationEnabled"),
        has_pending=any("AWSPENDING" in each and "AWSCURRENT" not in each for each in stages),
        changed=answer.get("LastChangedDate"),
        next=answer.get("NextRotationDate"),
        is_marked="DeletedDate" in answer,
    )


def read_lost_events(aws: Aws, shared: Shared) -> int:
    """How many events of the pause schedule are in the queue of those that were not delivered."""
    with asking("read the queue of lost events", if_denied="allow sqs:GetQueueAttributes"):
        attributes = aws.client("sqs").get_queue_attributes(
            QueueUrl=shared.pause_dead_letters, AttributeNames=["ApproximateNumberOfMessages"]
        )
    return int(attributes.get("Attributes", {}).get("ApproximateNumberOfMessages", 0))


def ask_mysql(aws: Aws, shared: Shared) -> DataApiAnswer | Skipped | Unread:
    """Whether the Data API answers; not asked of a cluster that is paused, or was not measured just now.

    One that has paused in the meantime is woken by the question, which is told.
    """
    try:
        require_awake(aws, shared.cluster_arn, minutes=_FRESH_MINUTES)
    except AwsError as error:
        if error.problems[0].code != "would-wake":
            raise
        return Skipped("the cluster is paused, or may be, and asking MySQL would wake it")
    api = DataApi(aws.rds_data, shared.cluster_arn, shared.inspector_secret, wait_seconds=0)
    try:
        with asking("ask MySQL"):
            api.execute(select(("1",), "FROM DUAL"))
    except DatabaseError as error:
        if error.code == "AccessDeniedException":
            fix = "allow rds-data:ExecuteStatement on the cluster and secretsmanager:GetSecretValue on its secret"
            return Unread(f"the caller may not use the Data API: {error}", fix, is_denied=True)
        if error.code == "DatabaseResumingException":
            return Unread("the cluster had paused in the last minutes, and asking MySQL has woken it", _WOKEN)
        return DataApiAnswer(error.problems[0])
    return DataApiAnswer()
