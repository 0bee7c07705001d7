"""Amazon RDS, as far as the sandbox knows better than moto: the one cluster that really has a server behind it.

Every call goes to moto; in the answers the cluster's endpoint, port, Data API flag, capacities, storage type and master
secret are ours, and a ModifyDBCluster that changes any of these changes our cluster too. The first Aurora MySQL cluster
that CreateDBCluster makes gets the server, unless a stack's has it; other clusters stay moto's fiction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aurora_sandbox import engines, masters, scaling
from aurora_sandbox.backing import DEFAULT_VERSION, NOT_FOR_MOTO, SCALING, Backing, new_password
from aurora_sandbox.clients import ask
from aurora_sandbox.cluster import DEFAULT_SCALING, STANDARD, Cluster
from aurora_sandbox.scaling import Scaling
from aurora_sandbox.wire import Caller, ServiceError

# Quoted by cloudposse/terraform-aws-rds-cluster#181.
NO_SCALING = (
    "Set the Serverless v2 scaling configuration on the parent DB cluster before creating a Serverless v2 DB instance."
)


class Rds:
    """The service. moto: gives a boto3 client to moto's RDS."""

    name = "rds"
    only = None

    def __init__(self, *, backing: Backing, moto: Callable[[], Any]) -> None:
        self._backing, self._clusters, self._moto = backing, backing.clusters, moto

    def handle(self, operation: str, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """moto's answer, with our cluster's facts in the place of moto's. Raises ServiceError with moto's code."""
        if operation in ("DescribeDBEngineVersions", "DescribeOrderableDBInstanceOptions"):
            return _offered(operation, parameters)
        if operation in ("EnableHttpEndpoint", "DisableHttpEndpoint"):
            return self._switch_http_endpoint(parameters["ResourceArn"], on=operation.startswith("Enable"))
        _require_page(operation, parameters)
        result = self._changed(operation, parameters)
        if result is None:
            result = ask(self._moto(), operation, parameters)
        described = [*result.get("DBClusters", ()), *([result["DBCluster"]] if "DBCluster" in result else ())]
        for description in described:
            cluster = self._clusters.get(description["DBClusterIdentifier"])
            if cluster is not None:
                description |= facts(cluster)
        return result

    def _changed(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any] | None:
        """The answer to a call that makes, changes or ends a cluster of ours; None for any other call."""
        if operation == "CreateDBCluster":
            return self._create(parameters)
        ours = self._clusters.get(parameters.get("DBClusterIdentifier", ""))
        if operation == "ModifyDBCluster" and ours is None:  # moto fails if there is no such cluster
            ask(self._moto(), "DescribeDBClusters", {"DBClusterIdentifier": parameters["DBClusterIdentifier"]})
        if ours is None:
            return None
        is_serverless = parameters.get("DBInstanceClass") == engines.SERVERLESS
        if operation == "CreateDBInstance" and is_serverless and not ours.is_serverless:
            raise ServiceError("InvalidDBClusterStateFault", NO_SCALING)
        if operation == "ModifyDBCluster":
            return self._modify(ours, parameters)
        if operation == "DeleteDBCluster":
            return self._delete(ours, parameters)
        return None

    def _create(self, parameters: dict[str, Any]) -> dict[str, Any] | None:
        """A cluster with the server behind it; None for one that is moto's, as what the server cannot be is."""
        identifier = parameters["DBClusterIdentifier"]
        if self._is_there(identifier):
            raise ServiceError("DBClusterAlreadyExistsFault", "DB Cluster already exists")
        is_ours = parameters["Engine"] == engines.ENGINE and parameters.get("EngineMode") in (None, "provisioned")
        if not is_ours or self._clusters.all() or parameters.get("MasterUsername") == "root":
            return None
        masters.check_new(parameters)
        asked = scaling.requested(parameters.get(SCALING, {}))
        version = parameters.get("EngineVersion", DEFAULT_VERSION)
        _check_version(version)
        _check_scaling(asked, version, DEFAULT_SCALING)
        password = parameters.get("MasterUserPassword") or new_password()
        wanted = {**parameters, "EngineVersion": version, "MasterUserPassword": password}
        result = ask(self._moto(), "CreateDBCluster", _for_moto(wanted))
        self._backing.begin(result["DBCluster"], parameters, password, scaling=DEFAULT_SCALING.changed(**asked))
        return result

    def _is_there(self, identifier: str) -> bool:
        try:
            ask(self._moto(), "DescribeDBClusters", {"DBClusterIdentifier": identifier})
        except ServiceError as error:
            if error.code == "DBClusterNotFoundFault":
                return False
            raise
        return True

    def _delete(self, cluster: Cluster, parameters: dict[str, Any]) -> dict[str, Any]:
        """moto refuses a protected cluster and one that has instances, with RDS's words."""
        if not parameters.get("SkipFinalSnapshot") and "FinalDBSnapshotIdentifier" not in parameters:
            why = "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
            raise ServiceError("InvalidParameterCombination", why)
        moto = self._moto()
        result = ask(moto, "DeleteDBCluster", parameters)
        if parameters.get("DeleteAutomatedBackups", True):  # which moto keeps, and another cluster would stumble over
            automated = {"DBClusterIdentifier": cluster.identifier, "SnapshotType": "automated"}
            for backup in ask(moto, "DescribeDBClusterSnapshots", automated)["DBClusterSnapshots"]:
                backup_name = {"DBClusterSnapshotIdentifier": backup["DBClusterSnapshotIdentifier"]}
                ask(moto, "DeleteDBClusterSnapshot", backup_name)
        result["DBCluster"] |= facts(cluster) | {"Status": "deleting"}
        self._backing.end(cluster)
        return result

    def _switch_http_endpoint(self, arn: str, *, on: bool) -> dict[str, Any]:
        if self._clusters.get(arn) is None:
            raise ServiceError("ResourceNotFoundFault", f"There is no cluster {arn}.", status=404)
        self._clusters.modify(arn, http_endpoint_enabled=on)
        return {"ResourceArn": arn, "HttpEndpointEnabled": on}

    def _modify(self, cluster: Cluster, parameters: dict[str, Any]) -> dict[str, Any]:
        change = scaling.requested(parameters.get(SCALING, {}))
        version = parameters.get("EngineVersion", cluster.engine_version)
        _check_version(version)
        _check_scaling(change, version, cluster.scaling)
        masters.check_change(parameters, is_managed=bool(cluster.master_secret_arn))
        result = ask(self._moto(), "ModifyDBCluster", _for_moto(parameters))
        self._clusters.modify(
            cluster.identifier,
            engine_version=parameters.get("EngineVersion"),
            http_endpoint_enabled=parameters.get("EnableHttpEndpoint"),
            storage_type=parameters.get("StorageType"),
            scaling=cluster.scaling.changed(**change) if SCALING in parameters else None,
        )
        if "EnableIAMDatabaseAuthentication" in parameters:
            self._backing.switch_iam(on=parameters["EnableIAMDatabaseAuthentication"])
        if parameters.get("ManageMasterUserPassword") and not cluster.master_secret_arn:
            self._backing.give_master(cluster, new_password(), is_managed=True)
        elif "MasterUserPassword" in parameters:
            self._backing.give_master(cluster, parameters["MasterUserPassword"], is_managed=False)
        return result


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
    if cluster.is_serverless:
        described[SCALING] = {
            "MinCapacity": now.min_acu,
            "MaxCapacity": now.max_acu,
            "SecondsUntilAutoPause": now.seconds,
        }
    if cluster.master_secret_arn:
        described["MasterUserSecret"] = {"SecretArn": cluster.master_secret_arn, "SecretStatus": "active"}
    return described
