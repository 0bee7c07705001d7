"""Amazon RDS, as far as the sandbox knows better than moto: the one cluster that really has a server behind it.

Every call goes to moto; in the answers the cluster's endpoint, port, Data API flag, capacities, storage type and master
secret are ours, and a ModifyDBCluster that changes any of these changes our cluster too. Other clusters stay moto's
fiction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from aurora_sandbox import engines, scaling
from aurora_sandbox.clients import ask
from aurora_sandbox.cluster import STANDARD, Cluster, Clusters
from aurora_sandbox.wire import Caller, ServiceError

SCALING = "ServerlessV2ScalingConfiguration"
# moto has no storage of Aurora's, and would make a master secret of its own.
NOT_FOR_MOTO = ("StorageType", "ManageMasterUserPassword")


class Maker(Protocol):
    """What makes and unmakes the cluster that has a server behind it."""

    def create_by_api(self, parameters: Mapping[str, Any]) -> None: ...

    def forget(self, cluster: Cluster) -> None: ...

    def manage_password(self, cluster: Cluster) -> None: ...


class Rds:
    """The service. moto: gives a boto3 client to moto's RDS. maker: of the cluster with a server behind it."""

    name = "rds"
    only = None

    def __init__(self, *, clusters: Clusters, moto: Callable[[], Any], maker: Maker) -> None:
        self._clusters, self._moto, self._maker = clusters, moto, maker

    def handle(self, operation: str, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """moto's answer, with our cluster's facts in the place of moto's. Raises ServiceError with moto's code."""
        if operation in ("DescribeDBEngineVersions", "DescribeOrderableDBInstanceOptions"):
            return _offered(operation, parameters)
        if operation in ("EnableHttpEndpoint", "DisableHttpEndpoint"):
            return self._switch_http_endpoint(parameters["ResourceArn"], on=operation.startswith("Enable"))
        _require_page(operation, parameters)
        if operation == "CreateDBCluster" and parameters.get("Engine") == engines.ENGINE and not self._clusters.all():
            return self._create(parameters)
        if operation == "DeleteDBCluster" and (deleted := self._clusters.get(parameters["DBClusterIdentifier"])):
            result = ask(self._moto(), operation, parameters)
            self._maker.forget(deleted)
            return result
        ours = self._clusters.get(parameters["DBClusterIdentifier"]) if operation == "ModifyDBCluster" else None
        if ours is not None:
            _check(ours, parameters)
        elif operation == "ModifyDBCluster":  # on which moto fails if there is no such cluster
            ask(self._moto(), "DescribeDBClusters", {"DBClusterIdentifier": parameters["DBClusterIdentifier"]})
        result = ask(
            self._moto(), operation, {k: v for k, v in parameters.items() if not ours or k not in NOT_FOR_MOTO}
        )
        if ours is not None:
            self._modify(ours, parameters)
        described = [*result.get("DBClusters", ()), *([result["DBCluster"]] if "DBCluster" in result else ())]
        for description in described:
            cluster = self._clusters.get(description["DBClusterIdentifier"])
            if cluster is not None:
                description |= facts(cluster)
        return result

    def _switch_http_endpoint(self, arn: str, *, on: bool) -> dict[str, Any]:
        if self._clusters.get(arn) is None:
            raise ServiceError("ResourceNotFoundFault", f"There is no cluster {arn}.", status=404)
        self._clusters.modify(arn, http_endpoint_enabled=on)
        return {"ResourceArn": arn, "HttpEndpointEnabled": on}

    def _create(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """The account's first cluster of Aurora MySQL is the one with a server behind it, whoever makes it."""
        self._maker.create_by_api(parameters)
        asked = {"DBClusterIdentifier": parameters["DBClusterIdentifier"].lower()}
        described = ask(self._moto(), "DescribeDBClusters", asked)["DBClusters"][0]
        cluster = self._clusters.all()[0]
        return {"DBCluster": described | facts(cluster)}

    def _modify(self, cluster: Cluster, parameters: dict[str, Any]) -> None:
        if parameters.get("ManageMasterUserPassword"):
            self._maker.manage_password(cluster)
        change = scaling.requested(parameters.get(SCALING, {}))
        self._clusters.modify(
            cluster.identifier,
            engine_version=parameters.get("EngineVersion"),
            http_endpoint_enabled=parameters.get("EnableHttpEndpoint"),
            storage_type=parameters.get("StorageType"),
            scaling=cluster.scaling.changed(**change) if SCALING in parameters else None,
        )


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


def _check(cluster: Cluster, parameters: dict[str, Any]) -> None:
    """Raises ServiceError for a scaling range that RDS does not take: it looks at it before it changes anything."""
    version = parameters.get("EngineVersion", cluster.engine_version)
    why_not = scaling.refusal(
        **scaling.requested(parameters.get(SCALING, {})), engine_version=version, now=cluster.scaling
    )
    if why_not:
        raise ServiceError("InvalidParameterValue", why_not)


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
