"""The cluster that a shared stack is for: found, looked at, and told as the parameters of cfn/shared.yml.

read_names(aws)                                      ("orders", "shop"): every Aurora MySQL cluster of the region
read_parameters(aws, Existing("shop"))               {"ClusterArn": "arn:…", "ClusterHost": …, "MasterSecretArn": …}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from aurora_tenants.aws.clients import Aws, asking, code_of
from aurora_tenants.aws.deployed import read_cluster_facts
from aurora_tenants.doctor.cluster import ClusterFacts, NoCluster, check_cluster, unavailable
from aurora_tenants.doctor.finding import Verdict
from aurora_tenants.errors import AwsError, Problem, Refused

# The parameters of cfn/shared.yml that read_parameters gives.
READ_FROM_CLUSTER = frozenset(
    {
        "ClusterArn",
        "ClusterHost",
        "ClusterPort",
        "ClusterResourceId",
        "MasterUser",
        "MasterSecretArn",
        "MasterSecretKeyArn",
    }
)
_RDS_KEEPS = ":secret:rds!"


@dataclass(frozen=True, slots=True)
class Existing:
    """A cluster that there is. name: its identifier or ARN.

    master_secret: ARN or name of a secret that was made by hand, with a user who may do what a master user may; empty
    for the one that RDS keeps.
    """

    name: str
    master_secret: str = ""


def read_names(aws: Aws) -> tuple[str, ...]:
    """The identifiers of the region's Aurora MySQL clusters, sorted."""
    with asking("list the clusters", if_denied="allow rds:DescribeDBClusters"):
        of_engine = [{"Name": "engine", "Values": ["aurora-mysql"]}]
        pages = aws.client("rds").get_paginator("describe_db_clusters").paginate(Filters=of_engine)
        return tuple(sorted(cluster["DBClusterIdentifier"] for page in pages for cluster in page["DBClusters"]))


def remembered(parameters: Mapping[str, str]) -> Existing:
    """The cluster that a deployed shared stack is for. parameters: that stack's."""
    secret = parameters.get("MasterSecretArn", "")
    return Existing(parameters["ClusterArn"], "" if _RDS_KEEPS in secret else secret)


def read_parameters(aws: Aws, existing: Existing) -> dict[str, str]:
    """What cfn/shared.yml wants to know of a cluster.

    Raises Refused, with the command that mends it, for one that cannot be used; AwsError if it cannot be read.
    """
    found = read_cluster_facts(aws, existing.name)
    _require_usable(found, existing)
    assert isinstance(found, ClusterFacts)
    if existing.master_secret:
        user, secret, key = _read_secret(aws, existing.master_secret)
    else:
        user, secret, key = found.master_user, found.master_secret, found.master_key
        key = _own_key(aws, key) if key else ""
    return {
        "ClusterArn": found.arn,
        "ClusterHost": found.host,
        "ClusterPort": str(found.port),
        "ClusterResourceId": found.resource_id,
        "MasterUser": user,
        "MasterSecretArn": secret,
        "MasterSecretKeyArn": key,
    }


def _require_usable(found: ClusterFacts | NoCluster, existing: Existing) -> None:
    has_own_secret = bool(existing.master_secret)
    looked_at = found._replace(has_secret=True) if isinstance(found, ClusterFacts) and has_own_secret else found
    verdicts = [*check_cluster(looked_at)]
    state = unavailable(found.identifier, found.status) if isinstance(found, ClusterFacts) else None
    if state in verdicts:  # nothing else can be mended before it is available, and a new one may not be whole yet
        raise Refused(_not_available(state))
    problems = []
    for verdict in verdicts:
        if verdict.result == "problem":
            fix = verdict.fix
            if isinstance(found, ClusterFacts) and "--manage-master-user-password" in fix:
                fix += "; or pass --master-secret with the ARN of a secret that holds username and password"
            problems.append(Problem("unfit-cluster", verdict.found, verdict.why, fix))
    if problems:
        raise Refused(*problems)


def require_available(aws: Aws, cluster_arn: str) -> None:
    """Raises AwsError for a cluster that does not become available by itself, or is not there."""
    name = cluster_arn.rpartition(":")[2]
    status = _status(aws, cluster_arn)
    if status is None:
        (gone,) = check_cluster(NoCluster(name, aws.region))
        raise AwsError(Problem("no-cluster", gone.found, gone.why, gone.fix))
    state = unavailable(name, status)
    if state and state.result == "problem":
        raise AwsError(_not_available(state))


def require_not_stopped(aws: Aws, cluster_arn: str) -> None:
    """Raises AwsError for a cluster that has to be started before it, or anything on it, can be deleted."""
    name = cluster_arn.rpartition(":")[2]
    status = _status(aws, cluster_arn)
    if status in ("stopped", "stopping") and (state := unavailable(name, status)):
        why = "RDS deletes no cluster that is stopped, and the inspector's user could not be dropped"
        raise AwsError(replace(_not_available(state), why=why))


def _status(aws: Aws, cluster_arn: str) -> str | None:
    """None for a cluster that is not there; available where the caller may not ask, because then nobody knows."""
    try:
        with asking(f"read cluster {cluster_arn.rpartition(':')[2]}"):
            found = aws.client("rds").describe_db_clusters(DBClusterIdentifier=cluster_arn)["DBClusters"][0]
    except AwsError as error:
        if code_of(error.__cause__) == "DBClusterNotFoundFault":
            return None
        if error.problems[0].code == "access-denied":
            return "available"
        raise
    return str(found.get("Status", ""))


def _not_available(state: Verdict) -> Problem:
    return Problem("cluster-not-available", state.found, state.why, state.fix)


def _read_secret(aws: Aws, name: str) -> tuple[str, str, str]:
    """User, ARN and KMS key of a secret that was made by hand. Nothing of the password is kept or told."""
    secrets, allow = aws.client("secretsmanager"), "allow secretsmanager:DescribeSecret and GetSecretValue on it"
    try:
        with asking(f"read secret {name}", if_denied=allow):
            described = secrets.describe_secret(SecretId=name)
        key = described.get("KmsKeyId", "")
        key = _own_key(aws, key) if key else ""
        if key:
            allow += f", and kms:Decrypt on {key} in your policies and in that key's own"
        with asking(f"read secret {name}", if_denied=allow):
            text = secrets.get_secret_value(SecretId=name).get("SecretString", "")
    except AwsError as error:
        if code_of(error.__cause__) == "ResourceNotFoundException":
            what, fix = f"there is no secret {name} in {aws.region}", "name another with --master-secret"
            raise Refused(Problem("no-master-secret", what, "the functions log in with it", fix)) from error
        raise
    return _user_in(name, text), described["ARN"], key


def _user_in(name: str, text: str) -> str:
    try:
        value: Any = json.loads(text)
    except ValueError:
        value = None
    held = value if isinstance(value, dict) else {}
    missing = [key for key in ("username", "password") if not (isinstance(held.get(key), str) and held[key])]
    if missing:
        what = f"secret {name} holds no {' and no '.join(missing)}"
        why, fix = "the Data API logs in with both", 'make its value JSON like {"username": "admin", "password": "…"}'
        raise Refused(Problem("no-master-secret", what, why, fix))
    return str(held["username"])


def _own_key(aws: Aws, key: str) -> str:
    """The ARN of a key that is the customer's; empty for aws/secretsmanager, which needs no permission."""
    what, why = f"KMS key {key} of the master secret", "nobody can read the secret without it"
    try:
        with asking(f"read KMS key {key}", if_denied="allow kms:DescribeKey on it"):
            described = aws.client("kms").describe_key(KeyId=key)["KeyMetadata"]
    except AwsError as error:
        if code_of(error.__cause__) == "NotFoundException":
            fix = "make another secret, with another key, and name it with --master-secret"
            raise Refused(Problem("no-key", f"{what} does not exist", why, fix)) from error
        raise
    enable = f"aws kms enable-key --key-id {described['KeyId']}"
    if described["KeyState"] == "PendingDeletion":
        enable = f"aws kms cancel-key-deletion --key-id {described['KeyId']}, then: {enable}"
    if described["KeyState"] != "Enabled":
        what = f"KMS key {described['Arn']} of the master secret is {described['KeyState']}"
        raise Refused(Problem("no-key", what, why, f"run: {enable}; or give the secret another key"))
    return str(described["Arn"]) if described.get("KeyManager") == "CUSTOMER" else ""
