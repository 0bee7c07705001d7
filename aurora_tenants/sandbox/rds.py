"""Amazon RDS, as far as the sandbox knows better than moto: the one cluster that really has a server behind it.

Every call goes to moto; in the answers the cluster's endpoint, port, Data API flag, capacities and master secret are
ours, and a ModifyDBCluster that changes any of these changes our cluster too. Other clusters stay moto's fiction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from aurora_tenants.sandbox.cluster import Cluster, Clusters
from aurora_tenants.sandbox.wire import Caller, ServiceError


class Rds:
    """The service. moto: gives a boto3 client to moto's RDS."""

    name = "rds"

    def __init__(self, *, clusters: Clusters, moto: Callable[[], Any]) -> None:
        self._clusters, self._moto = clusters, moto

    def handle(self, operation: str, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """moto's answer, with our cluster's facts in the place of moto's. Raises ServiceError with moto's code."""
        result = self._of_moto(operation, parameters)
        if operation == "ModifyDBCluster" and self._clusters.get(parameters["DBClusterIdentifier"]):
            self._modify(parameters)
        described = [*result.get("DBClusters", ()), *([result["DBCluster"]] if "DBCluster" in result else ())]
        for description in described:
            cluster = self._clusters.get(description["DBClusterIdentifier"])
            if cluster is not None:
                description |= facts(cluster)
        return result

    def _of_moto(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        client = self._moto()
        methods = {api: method for method, api in client.meta.method_to_api_mapping.items()}
        try:
            result: dict[str, Any] = getattr(client, methods[operation])(**parameters)
        except ClientError as error:
            said, status = error.response["Error"], error.response["ResponseMetadata"]["HTTPStatusCode"]
            raise ServiceError(said["Code"], said["Message"], status=status) from error
        del result["ResponseMetadata"]
        return result

    def _modify(self, parameters: dict[str, Any]) -> None:
        scaling = parameters.get("ServerlessV2ScalingConfiguration", {})
        self._clusters.modify(
            parameters["DBClusterIdentifier"],
            engine_version=parameters.get("EngineVersion"),
            http_endpoint_enabled=parameters.get("EnableHttpEndpoint"),
            min_acu=scaling.get("MinCapacity"),
            max_acu=scaling.get("MaxCapacity"),
            seconds_until_auto_pause=scaling.get("SecondsUntilAutoPause"),
        )


def facts(cluster: Cluster) -> dict[str, Any]:
    """What DescribeDBClusters says of our cluster; a paused one is "available" there too, as on AWS."""
    scaling: dict[str, Any] = {"MinCapacity": cluster.min_acu, "MaxCapacity": cluster.max_acu}
    if cluster.seconds_until_auto_pause is not None:
        scaling["SecondsUntilAutoPause"] = cluster.seconds_until_auto_pause
    described: dict[str, Any] = {
        "DBClusterArn": cluster.arn,
        "Engine": cluster.engine,
        "EngineVersion": cluster.engine_version,
        "Endpoint": cluster.host,
        "ReaderEndpoint": cluster.host,
        "Port": cluster.port,
        "HttpEndpointEnabled": cluster.http_endpoint_enabled,
        "MasterUsername": cluster.master_username,
        "ServerlessV2ScalingConfiguration": scaling,
    }
    if cluster.master_secret_arn:
        described["MasterUserSecret"] = {"SecretArn": cluster.master_secret_arn, "SecretStatus": "active"}
    return described
