"""Amazon RDS, as far as the sandbox knows better than moto: the one cluster that really has a server behind it.

Every call goes to moto; in the answers the cluster's endpoint, port, Data API flag, capacities, storage type and master
secret are ours, and a ModifyDBCluster that changes any of these changes our cluster too. The first Aurora MySQL cluster
that CreateDBCluster makes gets the server, unless a stack's has it; other clusters stay moto's fiction.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aurora_sandbox import engines, masters, scaling, status, zones
from aurora_sandbox.backing import DEFAULT_VERSION, NOT_FOR_MOTO, SCALING, Backing, new_password
from aurora_sandbox.clients import ask
from aurora_sandbox.cluster import DEFAULT_SCALING, STANDARD, Cluster
from aurora_sandbox.scaling import Scaling
from aurora_sandbox.snapshots import Snapshots
from aurora_sandbox.wire import Caller, ServiceError

# Quoted by cloudposse/terraform-aws-rds-cluster#181.
NO_SCALING = (
    "Set the Serverless v2 scaling configuration on the parent DB cluster before creating a Serverless v2 DB instance."
)
# What an answer says of the status, however soon the change is over.
_CHANGES = {
    "CreateDBCluster": status.CREATING,
    "DeleteDBCluster": status.DELETING,
    "StartDBCluster": status.STARTING,
    "StopDBCluster": status.STOPPING,
}


class Rds:
    """The service. moto: gives a boto3 client to a service of moto's."""

    name = "rds"
    only = None

    def __init__(self, *, backing: Backing, moto: Callable[[str], Any]) -> None:
        self._backing, self._clusters, self._boto = backing, backing.clusters, moto
        self._snapshots = Snapshots(self._clusters, moto)

    def handle(self, operation: str, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """moto's answer, with our cluster's facts in the place of moto's. Raises ServiceError with moto's code."""
        if operation in ("DescribeDBEngineVersions", "DescribeOrderableDBInstanceOptions"):
            return _offered(operation, parameters)
        if operation in ("EnableHttpEndpoint", "DisableHttpEndpoint"):
            return self._switch_http_endpoint(parameters["ResourceArn"], on=operation.startswith("Enable"))
        _require_page(operation, parameters)
        if operation == "CreateDBClusterSnapshot":
            return self._snapshots.create(parameters)
        if operation == "DeleteDBClusterSnapshot":
            return self._snapshots.delete(parameters)
        if operation == "DescribeDBClusterSnapshots":
            return self._snapshots.answered(ask(self._boto("rds"), operation, parameters))
        self._require_status(operation, parameters)
        result = self._changed(operation, parameters, caller)
        if result is None:
            result = ask(self._boto("rds"), operation, parameters)
        for description in _each(result, "DBCluster"):
            cluster = self._clusters.get(description["DBClusterIdentifier"])
            if cluster is not None:
                description |= facts(cluster)
            if operation in _CHANGES:
                description["Status"] = _CHANGES[operation]
        for description in _each(result, "DBInstance"):
            cluster = self._clusters.get(description.get("DBClusterIdentifier", ""))
            if cluster is not None and cluster.status() not in (status.AVAILABLE, status.CREATING):
                description["DBInstanceStatus"] = cluster.status()
        return result

    def _require_status(self, operation: str, parameters: dict[str, Any]) -> None:
        """Raises ServiceError for what is not done with our cluster in the status that it has."""
        cluster = self._clusters.get(parameters.get("DBClusterIdentifier", ""))
        if cluster is None and operation in ("DeleteDBInstance", "ModifyDBInstance", "RebootDBInstance"):
            named = {"DBInstanceIdentifier": parameters["DBInstanceIdentifier"]}
            (instance,) = ask(self._boto("rds"), "DescribeDBInstances", named)["DBInstances"]
            cluster = self._clusters.get(instance.get("DBClusterIdentifier", ""))
        if cluster and (why := status.refusal(operation, cluster.identifier, cluster.status())):
            raise ServiceError("InvalidDBClusterStateFault", why)

    def _changed(self, operation: str, parameters: dict[str, Any], caller: Caller) -> dict[str, Any] | None:
        """The answer to a call that makes, changes or ends a cluster of ours; None for any other call."""
        if operation == "CreateDBCluster":
            return self._create(parameters, caller)
        if operation in ("CreateDBSubnetGroup", "ModifyDBSubnetGroup"):
            zones.require_subnets(self._boto("ec2"), parameters["SubnetIds"])
            return None
        ours = self._clusters.get(parameters.get("DBClusterIdentifier", ""))
        if operation == "ModifyDBCluster" and ours is None:  # moto fails if there is no such cluster
            self._described(parameters["DBClusterIdentifier"])
        if ours is None:
            return None
        is_serverless = parameters.get("DBInstanceClass") == engines.SERVERLESS
        if operation == "CreateDBInstance" and is_serverless and not ours.is_serverless:
            raise ServiceError("InvalidDBClusterStateFault", NO_SCALING)
        if operation == "ModifyDBCluster":
            return self._modify(ours, parameters, caller)
        if operation == "DeleteDBCluster":
            return self._delete(ours, parameters)
        if operation == "StopDBCluster":
            return self._turn(ours, ours.stop)
        if operation == "StartDBCluster":
            return self._turn(ours, ours.start)
        return None

    def _turn(self, cluster: Cluster, change: Callable[[float], None]) -> dict[str, Any]:
        """To moto this is no change at all: it has no statuses on the way."""
        change(self._clusters.change_seconds)
        return {"DBCluster": self._described(cluster.identifier)}

    def _described(self, identifier: str) -> dict[str, Any]:
        """moto's description. Raises ServiceError if there is no such cluster."""
        answer = ask(self._boto("rds"), "DescribeDBClusters", {"DBClusterIdentifier": identifier})
        description: dict[str, Any] = answer["DBClusters"][0]
        return description

    def _create(self, parameters: dict[str, Any], caller: Caller) -> dict[str, Any] | None:
        """A cluster with the server behind it; None for one that is moto's, as what the server cannot be is."""
        identifier = parameters["DBClusterIdentifier"]
        if self._is_there(identifier):
            raise ServiceError("DBClusterAlreadyExistsFault", "DB Cluster already exists")
        zones.require_group(self._boto("rds"), self._boto("ec2"), parameters.get("DBSubnetGroupName"))
        is_ours = parameters["Engine"] == engines.ENGINE and parameters.get("EngineMode") in (None, "provisioned")
        if not is_ours or self._clusters.all() or parameters.get("MasterUsername") == "root":
            return None
        masters.check_new(parameters)
        if "KmsKeyId" in parameters:
            self._backing.keys.of_rds(parameters["KmsKeyId"], caller, via="rds")
        asked = scaling.requested(parameters.get(SCALING, {}))
        version = parameters.get("EngineVersion", DEFAULT_VERSION)
        _check_version(version)
        _check_scaling(asked, version, DEFAULT_SCALING)
        key = self._key(parameters, caller) if parameters.get("ManageMasterUserPassword") else ""
        password = parameters.get("MasterUserPassword") or new_password()
        wanted = {**parameters, "EngineVersion": version, "MasterUserPassword": password}
        result = ask(self._boto("rds"), "CreateDBCluster", _for_moto(wanted))
        cluster = self._backing.begin(
            result["DBCluster"], parameters, password, scaling=DEFAULT_SCALING.changed(**asked), key=key
        )
        cluster.begin(self._clusters.change_seconds)
        return result

    def _key(self, parameters: dict[str, Any], caller: Caller) -> str:
        """The ARN of the key for a master secret that is to be."""
        return self._backing.keys.of_rds(parameters.get("MasterUserSecretKmsKeyId"), caller)

    def _is_there(self, identifier: str) -> bool:
        try:
            self._described(identifier)
        except ServiceError as error:
            if error.code == "DBClusterNotFoundFault":
                return False
            raise
        return True

    def _delete(self, cluster: Cluster, parameters: dict[str, Any]) -> dict[str, Any]:
        if not parameters.get("SkipFinalSnapshot") and "FinalDBSnapshotIdentifier" not in parameters:
            why = "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
            raise ServiceError("InvalidParameterCombination", why)
        moto, named = self._boto("rds"), {"DBClusterIdentifier": cluster.identifier}
        described = self._described(cluster.identifier)
        _require_deletable(described)
        if name := parameters.get("FinalDBSnapshotIdentifier"):
            ask(moto, "CreateDBClusterSnapshot", {**named, "DBClusterSnapshotIdentifier": name})
        keeps_backups = not parameters.get("DeleteAutomatedBackups", True)
        result = {"DBCluster": described | facts(cluster)}
        self._clusters.leave(cluster, lambda: self._end(cluster, keeps_backups=keeps_backups))
        return result

    def _end(self, cluster: Cluster, *, keeps_backups: bool) -> None:
        """Leaves nothing of a deleted cluster, at moto nor on the server."""
        moto, named = self._boto("rds"), {"DBClusterIdentifier": cluster.identifier}
        ask(moto, "DeleteDBCluster", {**named, "SkipFinalSnapshot": True})
        if not keeps_backups:  # which moto keeps, and another cluster would stumble over
            automated = {**named, "SnapshotType": "automated"}
            for backup in ask(moto, "DescribeDBClusterSnapshots", automated)["DBClusterSnapshots"]:
                backup_name = {"DBClusterSnapshotIdentifier": backup["DBClusterSnapshotIdentifier"]}
                ask(moto, "DeleteDBClusterSnapshot", backup_name)
        self._backing.end(cluster)

    def _switch_http_endpoint(self, arn: str, *, on: bool) -> dict[str, Any]:
        cluster = self._clusters.get(arn)
        if cluster is None:
            raise ServiceError("ResourceNotFoundFault", f"There is no cluster {arn}.", status=404)
        if why := status.refusal("ModifyDBCluster", cluster.identifier, cluster.status()):
            raise ServiceError("InvalidResourceStateFault", why)
        self._clusters.modify(arn, http_endpoint_enabled=on)
        return {"ResourceArn": arn, "HttpEndpointEnabled": on}

    def _modify(self, cluster: Cluster, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]:
        change = scaling.requested(parameters.get(SCALING, {}))
        version = parameters.get("EngineVersion", cluster.engine_version)
        _check_version(version)
        _check_scaling(change, version, cluster.scaling)
        masters.check_change(parameters, is_managed=bool(cluster.master_secret_arn))
        is_managed_anew = bool(parameters.get("ManageMasterUserPassword") and not cluster.master_secret_arn)
        key = self._key(parameters, caller) if is_managed_anew else cluster.master_key
        if parameters.get("RotateMasterUserPassword"):
            self._backing.keys.of_rds(key, caller)
        result = ask(self._boto("rds"), "ModifyDBCluster", _for_moto(parameters))
        self._clusters.modify(
            cluster.identifier,
            engine_version=parameters.get("EngineVersion"),
            http_endpoint_enabled=parameters.get("EnableHttpEndpoint"),
            storage_type=parameters.get("StorageType"),
            scaling=cluster.scaling.changed(**change) if SCALING in parameters else None,
        )
        if "EnableIAMDatabaseAuthentication" in parameters:
            self._backing.switch_iam(on=parameters["EnableIAMDatabaseAuthentication"])
        if is_managed_anew:
            self._backing.give_master(cluster, new_password(), key=key)
        elif "MasterUserPassword" in parameters:
            self._backing.give_master(cluster, parameters["MasterUserPassword"], key=None)
        elif parameters.get("RotateMasterUserPassword"):
            self._backing.rotate_master(cluster)
        return result


def _each(result: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """The descriptions of this kind in an answer, of one or of a list."""
    return [*result.get(f"{kind}s", ()), *([result[kind]] if kind in result else ())]


def _require_deletable(described: dict[str, Any]) -> None:
    """Raises ServiceError for a cluster that is protected or has instances."""
    if described.get("DeletionProtection"):
        why = "Cannot delete protected Cluster, please disable deletion protection and try again."
        raise ServiceError("InvalidParameterCombination", why)
    if described.get("DBClusterMembers"):
        why = "Cluster cannot be deleted, it still contains DB instances in non-deleting state."
        raise ServiceError("InvalidDBClusterStateFault", why)


def _require_page(operation: str, parameters: dict[str, Any]) -> None:
    """Raises ServiceError for a number of records that no page of RDS has."""
    most = 10_000 if operation == "DescribeOrderableDBInstanceOptions" else 100
    asked = parameters.get("MaxRecords", most)
    if not 20 <= asked <= most:
        message = f"Invalid value {asked} for MaxRecords. Must be between 20 and {most}"
        raise ServiceError("InvalidParameterValue", message)


def _offered(operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """The versions of Aurora MySQL that AWS has, by their full names; no other engine is known here."""
    if parameters.get("Engine") != engines.ENGINE or parameters.get("Filters"):
        message = f"The sandbox knows versions of {engines.ENGINE} only, and no filters of them."
        raise ServiceError("NotImplemented", message, status=501)
    found = [name for name in engines.versions() if parameters.get("EngineVersion") in (None, name)]
    if operation == "DescribeDBEngineVersions":
        return {"DBEngineVersions": [engines.described(name) for name in found]}
    if parameters.get("DBInstanceClass") != engines.SERVERLESS:
        raise ServiceError("NotImplemented", f"The sandbox knows {engines.SERVERLESS} only.", status=501)
    return {"OrderableDBInstanceOptions": [engines.orderable(name) for name in found if engines.is_serverless(name)]}


def _check_version(version: str) -> None:
    """Raises ServiceError for a version that RDS does not have."""
    if why_not := engines.refusal(version):
        raise ServiceError("InvalidParameterCombination", why_not)


def _check_scaling(asked: dict[str, Any], version: str, now: Scaling) -> None:
    """Raises ServiceError for a scaling range that RDS does not take: it looks at it before it changes anything."""
    why_not = scaling.refusal(**asked, engine_version=version, now=now)
    if why_not:
        raise ServiceError("InvalidParameterValue", why_not)


def _for_moto(parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name not in NOT_FOR_MOTO}


def facts(cluster: Cluster) -> dict[str, Any]:
    """What DescribeDBClusters says of our cluster; a paused one is "available" there too, as on AWS."""
    now = cluster.scaling
    described: dict[str, Any] = {
        "DBClusterArn": cluster.arn,
        "Status": cluster.status(),
        "Engine": cluster.engine,
        "EngineVersion": cluster.engine_version,
        "Endpoint": cluster.host,
        "ReaderEndpoint": cluster.host,
        "Port": cluster.port,
        "HttpEndpointEnabled": cluster.http_endpoint_enabled,
        "MasterUsername": cluster.master_username,
        # Aurora Standard is not named: "The storage type isn't returned when you set it to aurora", API Reference.
        "StorageType": None if cluster.storage_type == STANDARD else cluster.storage_type,
    }
    if restarts := cluster.restarts_at():
        described["AutomaticRestartTime"] = datetime.fromtimestamp(restarts, UTC)
    if cluster.is_serverless:
        described[SCALING] = {
            "MinCapacity": now.min_acu,
            "MaxCapacity": now.max_acu,
            "SecondsUntilAutoPause": now.seconds,
        }
    if cluster.master_secret_arn:
        described["MasterUserSecret"] = {
            "SecretArn": cluster.master_secret_arn,
            "SecretStatus": "active",
            "KmsKeyId": cluster.master_key,
        }
    return described
