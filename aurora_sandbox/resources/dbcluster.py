"""AWS::RDS::DBCluster: the sandbox's one cluster. What RDS says of it is moto's; its databases are a real server's."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pymysql

from aurora_sandbox import scaling
from aurora_sandbox.aurora import create_master, switch_iam, wipe
from aurora_sandbox.cloudformation.types import Outcome, Request, ResourceFailed
from aurora_sandbox.cluster import DEFAULT_SCALING, STANDARD, Cluster, Clusters
from aurora_sandbox.mysqld import Server
from aurora_sandbox.resources.api import Boto, Properties, accepted, call, discard, generated_name, tags
from aurora_sandbox.scaling import Scaling
from aurora_sandbox.secretsmanager.password import random_password
from aurora_sandbox.secretsmanager.service import SecretsManager
from aurora_sandbox.wire import ServiceError

DEFAULT_VERSION = "8.0.mysql_aurora.3.10.0"
# moto would make a master secret of its own, knows the Data API on Serverless v1 only, and no storage of Aurora's.
NOT_FOR_MOTO = ("ManageMasterUserPassword", "MasterUserSecret", "EnableHttpEndpoint", "StorageType", "Tags")
PASSWORD = re.compile(r"[!-~]{8,41}")
ONE_MASTER_PASSWORD = "Specify either ManageMasterUserPassword or MasterUserPassword, not both and not neither."  # noqa: S105
BAD_PASSWORD = (
    "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', '@', '\"', "  # noqa: S105
    "' ' may be used."
)


@dataclass(frozen=True, slots=True)
class DbCluster:
    """The resource type. The server is the cluster's while there is one, and is wiped when the cluster goes."""

    boto: Boto
    secrets: SecretsManager
    clusters: Clusters
    server: Server

    def create(self, request: Request) -> Outcome:
        properties = request.properties
        _check(properties)
        _check_scaling(properties, _requested(properties), DEFAULT_SCALING)
        if self.clusters.all():
            raise ResourceFailed("The sandbox has one cluster, and there is one already.")
        identifier = (properties.get("DBClusterIdentifier") or generated_name(request, max_length=63)).lower()
        password = properties.get("MasterUserPassword") or random_password({"ExcludePunctuation": True})
        live = self._create_at_moto(request, identifier, password)
        try:
            cluster = self._create_at_server(properties, identifier, live, password)
        except (ValueError, pymysql.MySQLError) as error:
            raise ResourceFailed(f"The cluster cannot be set up: {error}.", identifier) from error
        return self._outcome(cluster, live)

    def update(self, request: Request) -> Outcome:
        properties, old = request.properties, request.old_properties or {}
        _check(properties)
        identifier = request.physical_id or ""
        if properties.get("MasterUsername") != old.get("MasterUsername"):
            raise ResourceFailed("MasterUsername cannot be changed once the cluster exists.")
        # Scaling is sent only if the template's own has changed, and then on top of whatever a schedule has set.
        sent = _requested(properties) if _requested(properties) != _requested(old) else {}
        now = self.clusters.all()[0].scaling
        _check_scaling(properties, sent or scaling.requested({}), now)
        rds = self.boto("rds")
        changes = _for_moto(accepted(rds, "modify_db_cluster", properties))
        changes |= {
            "DBClusterIdentifier": identifier,
            "DeletionProtection": properties.get("DeletionProtection", False),
        }
        live = call(rds, "modify_db_cluster", **changes, ApplyImmediately=True)["DBCluster"]
        cluster = self.clusters.modify(
            identifier,
            engine_version=properties.get("EngineVersion"),
            http_endpoint_enabled=properties.get("EnableHttpEndpoint", False),
            storage_type=properties.get("StorageType", STANDARD),
            scaling=now.changed(**sent) if sent else None,
        )
        try:
            switch_iam(self.server, on=properties.get("EnableIAMDatabaseAuthentication", False))
            self._change_master(cluster, properties, old)
        except pymysql.MySQLError as error:
            raise ResourceFailed(f"The master user cannot be changed: {error}.") from error
        return self._outcome(cluster, live)

    def delete(self, request: Request) -> None:
        """RDS refuses a protected cluster, and one that has instances, with its own words."""
        identifier = request.physical_id or ""
        discard(self.boto("rds"), "delete_db_cluster", DBClusterIdentifier=identifier, SkipFinalSnapshot=True)
        cluster = self.clusters.get(identifier)
        if cluster is not None:
            self.forget(cluster)

    def create_by_api(self, parameters: Properties) -> None:
        """CreateDBCluster, whose parameters are called like the properties. Raises ServiceError."""
        try:
            self.create(Request("AWS::RDS::DBCluster", "", "", "", parameters))
        except ResourceFailed as error:
            raise ServiceError("InvalidParameterCombination", error.reason) from error

    def forget(self, cluster: Cluster) -> None:
        """What is left of it after RDS has deleted it: nothing."""
        wipe(self.server)
        self._drop_master_secret(cluster)
        self.clusters.delete(cluster.identifier)

    def manage_password(self, cluster: Cluster) -> None:
        """ModifyDBCluster with ManageMasterUserPassword: another password at once, in a secret that RDS keeps."""
        if not cluster.master_secret_arn:
            password = random_password({"ExcludePunctuation": True})
            self._set_master(cluster, {"ManageMasterUserPassword": True}, password)

    def _create_at_moto(self, request: Request, identifier: str, password: str) -> dict[str, Any]:
        rds = self.boto("rds")
        wanted = _for_moto(accepted(rds, "create_db_cluster", request.properties))
        wanted.setdefault("EngineVersion", DEFAULT_VERSION)
        wanted |= {"DBClusterIdentifier": identifier, "MasterUserPassword": password, "Tags": tags(request) or None}
        live: dict[str, Any] = call(rds, "create_db_cluster", **wanted)["DBCluster"]
        return live

    def _create_at_server(self, properties: Properties, identifier: str, live: Properties, password: str) -> Cluster:
        cluster = self.clusters.create(
            identifier=identifier,
            arn=live["DBClusterArn"],
            engine=live["Engine"],
            engine_version=live["EngineVersion"],
            master_username=live["MasterUsername"],
            master_secret_arn="",
            http_endpoint_enabled=properties.get("EnableHttpEndpoint", False),
            host=self.server.host,
            port=self.server.port,
            database_name=properties.get("DatabaseName"),
            scaling=_scaling(properties),
            storage_type=properties.get("StorageType", STANDARD),
            is_serverless="ServerlessV2ScalingConfiguration" in properties,
        )
        switch_iam(self.server, on=properties.get("EnableIAMDatabaseAuthentication", False))
        self._set_master(cluster, properties, password)
        if cluster.database_name:
            with self.server.connect() as connection, connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{cluster.database_name.replace('`', '``')}`")
        return cluster

    def _set_master(self, cluster: Cluster, properties: Properties, password: str) -> None:
        """Gives the master user its password and, if RDS manages it, makes the secret that holds it."""
        create_master(self.server, cluster.master_username, password, partial_revokes=_has_partial_revokes(self.server))
        if properties.get("ManageMasterUserPassword"):
            content = json.dumps({"username": cluster.master_username, "password": password})
            cluster.master_secret_arn = self.secrets.create_managed(f"rds!cluster-{uuid.uuid4()}", content, "rds")

    def _change_master(self, cluster: Cluster, properties: Properties, old: Properties) -> None:
        keys = ("MasterUserPassword", "ManageMasterUserPassword")
        if all(properties.get(key) == old.get(key) for key in keys):
            return
        self._drop_master_secret(cluster)
        password = properties.get("MasterUserPassword") or random_password({"ExcludePunctuation": True})
        self._set_master(cluster, properties, password)

    def _drop_master_secret(self, cluster: Cluster) -> None:
        if cluster.master_secret_arn:
            self.secrets.delete_managed(cluster.master_secret_arn)
            cluster.master_secret_arn = ""

    def _outcome(self, cluster: Cluster, live: Properties) -> Outcome:
        attributes = {
            "DBClusterArn": cluster.arn,
            "DBClusterResourceId": live["DbClusterResourceId"],
            "Endpoint.Address": cluster.host,
            "Endpoint.Port": str(cluster.port),
            "ReadEndpoint.Address": cluster.host,
        }
        if cluster.master_secret_arn:
            attributes["MasterUserSecret.SecretArn"] = cluster.master_secret_arn
        return Outcome(cluster.identifier, attributes)


def _check(properties: Properties) -> None:
    """Refuses what RDS refuses, and what the sandbox has no imitation of."""
    if properties.get("Engine") != "aurora-mysql":
        raise ResourceFailed(f"The sandbox imitates the engine aurora-mysql only, not {properties.get('Engine')}.")
    if properties.get("EngineMode", "provisioned") != "provisioned":
        raise ResourceFailed(f"The engine mode {properties['EngineMode']} is not supported; leave EngineMode out.")
    if properties.get("MasterUsername") == "root":
        raise ResourceFailed("The sandbox's MySQL server keeps root for itself; take another MasterUsername.")
    password = properties.get("MasterUserPassword")
    if bool(password) == bool(properties.get("ManageMasterUserPassword")):
        raise ResourceFailed(ONE_MASTER_PASSWORD)
    if password and (not PASSWORD.fullmatch(password) or set(password) & set('/@"')):
        raise ResourceFailed(BAD_PASSWORD)


def _check_scaling(properties: Properties, sent: Mapping[str, Any], now: Scaling) -> None:
    """Refuses a scaling range that RDS refuses. sent: of it, None for what is not said."""
    version = properties.get("EngineVersion", DEFAULT_VERSION)
    why_not = scaling.refusal(**sent, engine_version=version, now=now)
    if why_not:
        raise ResourceFailed(why_not)


def _for_moto(parameters: Properties) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name not in NOT_FOR_MOTO}


def _scaling(properties: Properties) -> Scaling:
    """The scaling configuration, with AWS's defaults for what is not said."""
    return DEFAULT_SCALING.changed(**_requested(properties))


def _requested(properties: Properties) -> dict[str, Any]:
    """The scaling that is asked for. As in CloudFormation's handler, a minimum of 0 without seconds asks for 300."""
    asked = scaling.requested(properties.get("ServerlessV2ScalingConfiguration", {}))
    usual = scaling.DEFAULT_SECONDS if asked["min_acu"] == 0 else None
    return asked | {"seconds": asked["seconds"] or usual}


def _has_partial_revokes(server: Server) -> bool:
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@partial_revokes")
        row = cursor.fetchone()
    return bool(row and row[0])
