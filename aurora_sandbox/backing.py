"""Puts the sandbox's MySQL server behind a cluster, and takes it away again; however the cluster was asked for.

    backing.begin(live, asked, password, scaling=…)     moto's record of a cluster becomes one with databases
    backing.give_master(cluster, password, key=…)       another password, and who keeps it
    backing.end(cluster)                                nothing is left on the server

asked: the parameters of CreateDBCluster, which have the names of AWS::RDS::DBCluster's properties.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aurora_sandbox.aurora import create_master, switch_iam, wipe
from aurora_sandbox.cluster import STANDARD, Cluster, Clusters
from aurora_sandbox.encryption import Keys
from aurora_sandbox.mysqld import Server
from aurora_sandbox.scaling import Scaling
from aurora_sandbox.secretsmanager.password import random_password
from aurora_sandbox.secretsmanager.service import SecretsManager

DEFAULT_VERSION = "8.0.mysql_aurora.3.10.0"
# moto would make a master secret of its own, knows the Data API on Serverless v1 only, and no storage of Aurora's.
NOT_FOR_MOTO = frozenset(
    {
        "ManageMasterUserPassword",
        "MasterUserSecret",
        "MasterUserSecretKmsKeyId",
        "RotateMasterUserPassword",
        "EnableHttpEndpoint",
        "StorageType",
    }
)
SCALING = "ServerlessV2ScalingConfiguration"
BAD_PASSWORD = (
    "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', '@', '\"', "  # noqa: S105
    "' ' may be used."
)
_PASSWORD = re.compile(r"[!-~]{8,41}")


def is_password(text: str) -> bool:
    """Whether RDS takes this as a master user's password."""
    return _PASSWORD.fullmatch(text) is not None and not set(text) & set('/@"')


def new_password() -> str:
    """A password as RDS makes one for a master user that it manages."""
    return random_password({"ExcludePunctuation": True})


@dataclass(frozen=True, slots=True)
class Backing:
    """The one server, and what is made on it and beside it for a cluster. For errors see `pymysql.MySQLError`."""

    secrets: SecretsManager
    clusters: Clusters
    server: Server
    keys: Keys

    def begin(
        self, live: Mapping[str, Any], asked: Mapping[str, Any], password: str, *, scaling: Scaling, key: str = ""
    ) -> Cluster:
        """The cluster, with its master user. live: moto's description. key: ARN of a managed master secret's key.

        Raises ValueError if the server has one.
        """
        cluster = self.clusters.create(
            identifier=live["DBClusterIdentifier"],
            arn=live["DBClusterArn"],
            engine=live["Engine"],
            engine_version=live["EngineVersion"],
            master_username=live["MasterUsername"],
            master_secret_arn="",
            http_endpoint_enabled=asked.get("EnableHttpEndpoint", False),
            host=self.server.host,
            port=self.server.port,
            database_name=asked.get("DatabaseName"),
            scaling=scaling,
            is_serverless=SCALING in asked,
            storage_type=asked.get("StorageType", STANDARD),
        )
        self.switch_iam(on=asked.get("EnableIAMDatabaseAuthentication", False))
        self.give_master(cluster, password, key=key if asked.get("ManageMasterUserPassword") else None)
        if cluster.database_name:
            with self.server.connect() as connection, connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{cluster.database_name.replace('`', '``')}`")
        return cluster

    def give_master(self, cluster: Cluster, password: str, *, key: str | None) -> None:
        """Gives the master user this password. key: of the new secret in which RDS keeps it; None if nobody does."""
        self._drop_secret(cluster)
        self._set_password(cluster, password)
        if key is not None:
            found = self.keys.find(key)
            own = None if found is None or found.is_of_aws else key
            name, content = f"rds!cluster-{uuid.uuid4()}", _content(cluster, password)
            cluster.master_secret_arn = self.secrets.create_managed(name, content, "rds", key=own)
            cluster.master_key = key

    def rotate_master(self, cluster: Cluster) -> None:
        """Another password, in MySQL and in the secret in which RDS keeps it."""
        password = new_password()
        self._set_password(cluster, password)
        self.secrets.put_managed(cluster.master_secret_arn, _content(cluster, password))

    def _set_password(self, cluster: Cluster, password: str) -> None:
        create_master(self.server, cluster.master_username, password, partial_revokes=_has_partial_revokes(self.server))

    def switch_iam(self, *, on: bool) -> None:
        switch_iam(self.server, on=on)

    def end(self, cluster: Cluster) -> None:
        """Deletes the cluster's databases, accounts and secret, and forgets it."""
        wipe(self.server)
        self._drop_secret(cluster)
        self.clusters.delete(cluster.identifier)

    def _drop_secret(self, cluster: Cluster) -> None:
        if cluster.master_secret_arn:
            self.secrets.delete_managed(cluster.master_secret_arn)
            cluster.master_secret_arn = cluster.master_key = ""


def _content(cluster: Cluster, password: str) -> str:
    return json.dumps({"username": cluster.master_username, "password": password})


def _has_partial_revokes(server: Server) -> bool:
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@partial_revokes")
        row = cursor.fetchone()
    return bool(row and row[0])
