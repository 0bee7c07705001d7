"""AWS::RDS::DBCluster: the sandbox's one cluster. What RDS says of it is moto's; its databases are a real server's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pymysql

from aurora_sandbox import engines, scaling, status
from aurora_sandbox.backing import BAD_PASSWORD, DEFAULT_VERSION, NOT_FOR_MOTO, Backing, is_password, new_password
from aurora_sandbox.cloudformation.types import Outcome, Request, ResourceFailed
from aurora_sandbox.cluster import DEFAULT_SCALING, STANDARD, Cluster
from aurora_sandbox.resources.api import Boto, Properties, accepted, call, discard, generated_name, tags
from aurora_sandbox.resources.credentials import CLOUDFORMATION
from aurora_sandbox.scaling import Scaling
from aurora_sandbox.wire import ServiceError
from aurora_sandbox.zones import require_group

ONE_MASTER_PASSWORD = "Specify either ManageMasterUserPassword or MasterUserPassword, not both and not neither."  # noqa: S105


@dataclass(frozen=True, slots=True)
class DbCluster:
    """The resource type. The server is the cluster's while there is one, and is wiped when the cluster goes."""

    boto: Boto
    backing: Backing

    def create(self, request: Request) -> Outcome:
        properties = request.properties
        _check(properties)
        _check_scaling(properties, _requested(properties), DEFAULT_SCALING)
        if self.backing.clusters.all():
            raise ResourceFailed("The sandbox has one cluster, and there is one already.")
        try:
            require_group(self.boto("rds"), self.boto("ec2"), properties.get("DBSubnetGroupName"))
            if "KmsKeyId" in properties:
                self.backing.keys.of_rds(properties["KmsKeyId"], CLOUDFORMATION, via="rds")
        except ServiceError as error:
            raise ResourceFailed(error.message) from error
        key = self._key(properties) if properties.get("ManageMasterUserPassword") else ""
        identifier = (properties.get("DBClusterIdentifier") or generated_name(request, max_length=63)).lower()
        password = properties.get("MasterUserPassword") or new_password()
        live = self._create_at_moto(request, identifier, password)
        try:
            cluster = self.backing.begin(live, properties, password, scaling=_scaling(properties), key=key)
        except (ValueError, pymysql.MySQLError) as error:
            raise ResourceFailed(f"The cluster cannot be set up: {error}.", identifier) from error
        return self._outcome(cluster, live)

    def update(self, request: Request) -> Outcome:
        properties, old = request.properties, request.old_properties or {}
        _check(properties)
        identifier = request.physical_id or ""
        self._require_status("ModifyDBCluster", identifier)
        self._require_key(identifier, properties, old)
        if properties.get("MasterUsername") != old.get("MasterUsername"):
            raise ResourceFailed("MasterUsername cannot be changed once the cluster exists.")
        # Scaling is sent only if the template's own has changed, and then on top of whatever a schedule has set.
        sent = _requested(properties) if _requested(properties) != _requested(old) else {}
        now = self.backing.clusters.all()[0].scaling
        _check_scaling(properties, sent or scaling.requested({}), now)
        rds = self.boto("rds")
        changes = _for_moto(accepted(rds, "modify_db_cluster", properties))
        changes |= {
            "DBClusterIdentifier": identifier,
            "DeletionProtection": properties.get("DeletionProtection", False),
        }
        live = call(rds, "modify_db_cluster", **changes, ApplyImmediately=True)["DBCluster"]
        cluster = self.backing.clusters.modify(
            identifier,
            engine_version=properties.get("EngineVersion"),
            http_endpoint_enabled=properties.get("EnableHttpEndpoint", False),
            storage_type=properties.get("StorageType", STANDARD),
            scaling=now.changed(**sent) if sent else None,
        )
        try:
            self.backing.switch_iam(on=properties.get("EnableIAMDatabaseAuthentication", False))
            self._change_master(cluster, properties, old)
        except pymysql.MySQLError as error:
            raise ResourceFailed(f"The master user cannot be changed: {error}.") from error
        return self._outcome(cluster, live)

    def delete(self, request: Request) -> None:
        """RDS refuses a protected cluster, and one that has instances, with its own words."""
        identifier = request.physical_id or ""
        self._require_status("DeleteDBCluster", identifier)
        discard(self.boto("rds"), "delete_db_cluster", DBClusterIdentifier=identifier, SkipFinalSnapshot=True)
        cluster = self.backing.clusters.get(identifier)
        if cluster is not None:
            self.backing.end(cluster)

    def _require_status(self, operation: str, identifier: str) -> None:
        cluster = self.backing.clusters.get(identifier)
        if cluster and (why := status.refusal(operation, identifier, cluster.status())):
            raise ResourceFailed(why)

    def _create_at_moto(self, request: Request, identifier: str, password: str) -> dict[str, Any]:
        rds = self.boto("rds")
        wanted = _for_moto(accepted(rds, "create_db_cluster", request.properties))
        wanted.setdefault("EngineVersion", DEFAULT_VERSION)
        wanted |= {"DBClusterIdentifier": identifier, "MasterUserPassword": password, "Tags": tags(request) or None}
        live: dict[str, Any] = call(rds, "create_db_cluster", **wanted)["DBCluster"]
        return live

    def _change_master(self, cluster: Cluster, properties: Properties, old: Properties) -> None:
        names = ("MasterUserPassword", "ManageMasterUserPassword")
        if all(properties.get(name) == old.get(name) for name in names):
            return
        password = properties.get("MasterUserPassword") or new_password()
        key = self._key(properties) if properties.get("ManageMasterUserPassword") else None
        self.backing.give_master(cluster, password, key=key)

    def _require_key(self, identifier: str, properties: Properties, old: Properties) -> None:
        """Refuses another key for a secret that RDS keeps already."""
        is_kept = all(each.get("ManageMasterUserPassword") for each in (properties, old))
        if not is_kept or properties.get("MasterUserSecret") == old.get("MasterUserSecret"):
            return
        cluster = self.backing.clusters.get(identifier)
        if cluster and self._key(properties) != cluster.master_key:
            raise ResourceFailed("The KMS key of a master secret cannot be changed while RDS manages the password.")

    def _key(self, properties: Properties) -> str:
        """The ARN of the master secret's key."""
        try:
            return self.backing.keys.of_rds(properties.get("MasterUserSecret", {}).get("KmsKeyId"), CLOUDFORMATION)
        except ServiceError as error:
            raise ResourceFailed(error.message) from error

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
    if why_not := engines.refusal(properties.get("EngineVersion", DEFAULT_VERSION)):
        raise ResourceFailed(why_not)
    if properties.get("MasterUsername") == "root":
        raise ResourceFailed("The sandbox's MySQL server keeps root for itself; take another MasterUsername.")
    password = properties.get("MasterUserPassword")
    if bool(password) == bool(properties.get("ManageMasterUserPassword")):
        raise ResourceFailed(ONE_MASTER_PASSWORD)
    if password and not is_password(password):
        raise ResourceFailed(BAD_PASSWORD)


def _check_scaling(properties: Properties, sent: Mapping[str, Any], now: Scaling) -> None:
    """Refuses a scaling range that RDS refuses. sent: of it, None for what is not said."""
    version = properties.get("EngineVersion", DEFAULT_VERSION)
    why_not = scaling.refusal(**sent, engine_version=version, now=now)
    if why_not:
        raise ResourceFailed(why_not)


def _for_moto(parameters: Properties) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name not in {*NOT_FOR_MOTO, "Tags"}}


def _scaling(properties: Properties) -> Scaling:
    """The scaling configuration, with AWS's defaults for what is not said."""
    return DEFAULT_SCALING.changed(**_requested(properties))


def _requested(properties: Properties) -> dict[str, Any]:
    """The scaling that is asked for. As in CloudFormation's handler, a minimum of 0 without seconds asks for 300."""
    asked = scaling.requested(properties.get("ServerlessV2ScalingConfiguration", {}))
    usual = scaling.DEFAULT_SECONDS if asked["min_acu"] == 0 else None
    return asked | {"seconds": asked["seconds"] or usual}
