"""A tenant as a CloudFormation template. Pure.

Per user: a secret, its attachment to the cluster, the user, the rotation of its password; of one that logs in by IAM
the user alone. Per database and per role: the database, the role. With `outputs: ssm` the parameters of parameters.py.
The same tenant always gives the same template, and its digest stands in the stack's outputs: a plan compares the two
without reading any template back.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from aurora_tenants.model import (
    HOSTED,
    OWN,
    WHOLE_SERVER,
    Cluster,
    Privilege,
    Tenant,
    TenantDatabase,
    TenantRole,
    TenantUser,
)
from aurora_tenants.mysql.options import Options
from aurora_tenants.naming import (
    DIGEST,
    DROP_ON_REMOVE,
    HOSTED_EXPORT,
    ON_REMOVE_USERS,
    RENAMED_USERS,
    REVISION,
    SERVER,
    LogicalIds,
    secret_name,
    stack_name,
)
from aurora_tenants.revision import PARAMETER, counter_of, short
from aurora_tenants.rotations.choice import rules_of
from aurora_tenants.stack import Template
from aurora_tenants.tenant.parameters import parameters

# A custom resource that never answers blocks its stack for an hour unless told otherwise. Twice what the provider has.
_SERVICE_TIMEOUT_SECONDS = 600
_OPTION_DEFAULTS: Mapping[str, object] = {
    "Require": "NONE",
    **dict.fromkeys(("MaxQueriesPerHour", "MaxUpdatesPerHour", "MaxConnectionsPerHour", "MaxUserConnections"), 0),
    "Locked": False,
    **dict.fromkeys(("PasswordExpireAfterDays", "PasswordHistory", "PasswordReuseAfterDays", "PasswordRequireCurrent")),
    **dict.fromkeys(("Plugin", "Comment")),
}


def template(
    cluster: Cluster, tenant: Tenant, *, keeps_server: bool = False, renamed: Mapping[str, str] = MappingProxyType({})
) -> Template:
    """What is deployed for a tenant. keeps_server: with the output that stacks had which were deployed before, because
    another stack may import it, and CloudFormation then refuses to take it away. renamed: the first names of users
    that were renamed since, by the names that they have now; their resources keep the ids and the secret of those.
    """
    builder = _Builder(cluster, tenant, LogicalIds.of(tenant, renamed), keeps_server, renamed)
    body = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Databases and users of {tenant.name} on {cluster.stack}, deployed by aurora-tenants.",
        "Parameters": {REVISION: PARAMETER},
        "Resources": builder.resources(),
        "Outputs": builder.outputs(),
    }
    made = Template.of(body)
    return made if made.fits() else Template.of(short(body))


def allowing_drops(body: Mapping[str, Any], databases: Collection[str]) -> Template:
    """A deployed template that also lets the provider drop these databases when they are not empty."""

    def allowed(resource: Mapping[str, Any]) -> Mapping[str, Any]:
        properties = resource["Properties"]
        if resource["Type"] != "Custom::Database" or properties["Name"] not in databases:
            return resource
        return {**resource, "Properties": {**properties, "AllowDrop": properties["Name"], "OnRemove": "drop"}}

    resources = {name: allowed(resource) for name, resource in body["Resources"].items()}
    digest = "allows drops"  # of no file: the next plan takes the permission back
    outputs = {**body["Outputs"], DIGEST: {**body["Outputs"][DIGEST], "Value": digest}}
    return Template({**body, "Resources": resources, "Outputs": outputs}, digest)


@dataclass(frozen=True, slots=True)
class _Builder:
    """Makes the parts of one tenant's template."""

    cluster: Cluster
    tenant: Tenant
    ids: LogicalIds
    keeps_server: bool
    renamed: Mapping[str, str]

    def resources(self) -> dict[str, Any]:
        ids, resources = self.ids, dict[str, Any]()
        for database in self.tenant.databases:
            resources[ids.databases[database.name]] = self._database(database)
        for role in self.tenant.roles:
            resources[ids.roles[role.name]] = self._role(role)
        for user in self.tenant.users:
            resources |= self._user(user)
        return resources | parameters(self.cluster, self.tenant, ids)

    def outputs(self) -> dict[str, Any]:
        """What a service needs. Exports are named by logical ids, which hold nothing that an export's name may not."""
        outputs = dict[str, Any]()
        if self.keeps_server:
            outputs |= _exported(SERVER, self._import("database-server"), "ARN of the cluster")
        for name, logical_id in self.ids.databases.items():
            outputs |= _exported(logical_id, {"Ref": logical_id}, f"Name of database {name}")
        for name, logical_id in self.ids.roles.items():
            # Nobody needs it: it tells a plan that the role is this stack's, should its entry in MySQL be lost.
            outputs[logical_id] = {"Value": name, "Description": f"Name of role {name}"}
        for user in self.tenant.users:
            # Outputs are read when every resource is there, so the secret is told of after its user, and not by the
            # user: one that once logged in by IAM keeps the id it had then, which is no ARN.
            if user.auth == "iam":
                text = f"Name of user {user.name}, who logs in by IAM"
                outputs |= _exported(self.ids.users[user.name], user.name, text)
            else:
                secret = self.ids.secrets[user.name]
                outputs |= _exported(secret, {"Ref": secret}, f"ARN of the secret of user {user.name}")
        if dropped := [database.name for database in self.tenant.databases if database.on_remove == "drop"]:
            text = "Databases dropped when they are removed"
            outputs[DROP_ON_REMOVE] = {"Value": ",".join(dropped), "Description": text}
        if removed := [f"{user.name}={user.on_remove}" for user in self.tenant.users if user.on_remove]:
            text = "What becomes of users when they are removed"
            outputs[ON_REMOVE_USERS] = {"Value": ",".join(removed), "Description": text}
        if renamed := [f"{user.name}={first}" for user in self.tenant.users if (first := self._first(user))]:
            text = "Users that had another name when they were made"
            outputs[RENAMED_USERS] = {"Value": ",".join(renamed), "Description": text}
        return outputs

    def _database(self, database: TenantDatabase) -> dict[str, Any]:
        optional: dict[str, Any] = {
            "Charset": database.charset,
            "Collation": database.collation,
            "Adopt": database.adopt,
        }
        optional["OnRemove"] = "drop" if database.on_remove == "drop" else None
        optional["SharedWith"] = sorted(stack_name(self.cluster, name) for name in database.shared_with)
        optional["MovedFrom"] = self._giver(database)
        properties = {"Name": database.name, **_present(optional)}
        return self._custom(self.ids.databases[database.name], "Custom::Database", properties)

    def _role(self, role: TenantRole) -> dict[str, Any]:
        properties: dict[str, Any] = {"Name": role.name, "Privileges": [_privilege(p) for p in role.privileges]}
        if role.comment is not None:
            properties["Comment"] = role.comment
        properties |= _present({"Adopt": role.adopt, "MovedFrom": self._giver(role)})
        custom = self._custom(self.ids.roles[role.name], "Custom::DatabaseRole", properties)
        return _after(self._databases_of(role.privileges), custom)

    def _user(self, user: TenantUser) -> dict[str, Any]:
        """The id of the user itself is the same for both kinds of login, so that a change of it is an update."""
        name, ids = user.name, self.ids
        roles = [ids.roles[grant.name] for grant in user.roles if grant.name in ids.roles]
        before = [*self._databases_of(user.privileges), *roles]
        by_iam = {"UserName": name, "Auth": "iam"}
        login = by_iam if user.auth == "iam" else {"SecretId": {"Ref": ids.secrets[name]}}
        first, giver = self._first(user), self._giver(user)
        renamed = {"UserName": name, "RenamedFrom": user.renamed_from if first else None}
        properties = {**login, **_user_properties(user), **_present({**(renamed if first else {}), "MovedFrom": giver})}
        custom = self._custom(ids.users[name], "Custom::DatabaseUser", properties)
        if user.auth == "iam":
            return {ids.users[name]: _after(before, custom)}
        return {
            ids.secrets[name]: self._secret(user),
            ids.attachments[name]: {
                "Type": "AWS::SecretsManager::SecretTargetAttachment",
                "Properties": {
                    "SecretId": {"Ref": ids.secrets[name]},
                    "TargetId": self._import("database-server"),
                    "TargetType": "AWS::RDS::DBCluster",
                },
            },
            ids.users[name]: _after([ids.attachments[name], *before], custom),
            **({ids.rotations[name]: self._rotation(user)} if user.rotate_after_days else {}),
        }

    def _secret(self, user: TenantUser) -> dict[str, Any]:
        """The secret with the user's password; its attachment completes it with the cluster's address.

        Of a renamed user it stays as it was: another text to generate would be another password.
        """
        first = self._first(user) or user.name
        return {
            "Type": "AWS::SecretsManager::Secret",
            "Properties": {
                "Name": secret_name(self.cluster, first),
                "Description": f"Login of MySQL user {user.name}, tenant {self.tenant.name}",
                # Letters and digits alone: nothing that SQL, a shell or a connection URL would take for its own.
                "GenerateSecretString": {
                    "SecretStringTemplate": json.dumps({"username": first}),
                    "GenerateStringKey": "password",
                    "PasswordLength": 32,
                    "ExcludePunctuation": True,
                },
            },
        }

    def _rotation(self, user: TenantUser) -> dict[str, Any]:
        return {
            "Type": "AWS::SecretsManager::RotationSchedule",
            "DependsOn": self.ids.users[user.name],
            "Properties": {
                "SecretId": {"Ref": self.ids.secrets[user.name]},
                "RotationLambdaARN": self._function(user.rotation),
                "RotationRules": rules_of(user, self.cluster.pause_schedule).properties(),
                # Otherwise every change of the schedule would rotate at once.
                "RotateImmediatelyOnUpdate": False,
            },
        }

    def _function(self, rotation: str) -> object:
        """What rotates a password. rotation: of a user."""
        exports = {OWN: "database-secret-rotation-lambda", HOSTED: HOSTED_EXPORT}
        return self._import(exports[rotation]) if rotation in exports else rotation

    def _first(self, user: TenantUser) -> str:
        """The name that a renamed user had when its resources were made; empty for one that was never renamed."""
        return self.renamed.get(user.name, "")

    def _giver(self, thing: TenantDatabase | TenantRole | TenantUser) -> str:
        """The stack that something comes from; empty for no other."""
        return stack_name(self.cluster, thing.moved_from) if thing.moved_from else ""

    def _custom(self, logical_id: str, kind: str, properties: Mapping[str, Any]) -> dict[str, Any]:
        service = "database-service-token" if kind == "Custom::Database" else "database-user-service-token"
        token = {"ServiceToken": self._import(service), "ServiceTimeout": _SERVICE_TIMEOUT_SECONDS}
        return {"Type": kind, "Properties": {**token, **properties, REVISION: counter_of(logical_id)}}

    def _databases_of(self, privileges: Iterable[Privilege]) -> list[str]:
        """The tenant's own databases that privileges reach, all of them for one on the whole server."""
        reached = {privilege.database for privilege in privileges}
        ids = self.ids.databases
        return [ids[name] for name in ids if name in reached or WHOLE_SERVER in reached]

    def _import(self, export: str) -> Mapping[str, str]:
        return {"Fn::ImportValue": f"{self.cluster.stack}-{export}"}


def _after(names: list[str], resource: dict[str, Any]) -> dict[str, Any]:
    """A resource that is made after others, and deleted before them."""
    return {"DependsOn": names, **resource} if names else resource


def _exported(name: str, value: object, description: str) -> dict[str, Any]:
    export = {"Name": {"Fn::Sub": f"${{AWS::StackName}}-{name}"}}
    return {name: {"Value": value, "Description": description, "Export": export}}


def _present(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties without those that are empty or false, which is their default."""
    return {name: value for name, value in properties.items() if value}


def _user_properties(user: TenantUser) -> dict[str, Any]:
    """What a user is like; whatever has its default is left out."""
    roles = [_present({"Role": grant.name, "AdminOption": grant.admin_option}) for grant in user.roles]
    properties = {
        "Privileges": [_privilege(privilege) for privilege in user.privileges],
        **({"Hosts": list(user.hosts)} if user.hosts != ("%",) else {}),
        **_options(user.options),
        **_present({"Roles": roles}),
    }
    if user.default_roles is not None:
        properties["DefaultRoles"] = list(user.default_roles)
    return properties | _present({"Adopt": user.adopt, "OnRemove": user.on_remove})


@lru_cache(1_000)
def _options(options: Options) -> dict[str, Any]:
    kind, subject, issuer, cipher = options.require
    specified = {"Subject": subject, "Issuer": issuer, "Cipher": cipher}
    every = {
        "Require": {part: value for part, value in specified.items() if value} if kind == "SPECIFIED" else kind,
        "MaxQueriesPerHour": options.max_queries_per_hour,
        "MaxUpdatesPerHour": options.max_updates_per_hour,
        "MaxConnectionsPerHour": options.max_connections_per_hour,
        "MaxUserConnections": options.max_user_connections,
        "Locked": options.is_locked,
        "PasswordExpireAfterDays": options.expire_after_days,
        "PasswordHistory": options.history,
        "PasswordReuseAfterDays": options.reuse_after_days,
        "PasswordRequireCurrent": options.require_current,
        "Plugin": options.plugin,
        "Comment": options.comment,
    }
    return {name: value for name, value in every.items() if value != _OPTION_DEFAULTS[name]}


def _privilege(privilege: Privilege) -> dict[str, Any]:
    has_table = privilege.database != WHOLE_SERVER and not (privilege.procedure or privilege.function)
    optional = {
        "Table": privilege.table if has_table else None,
        "Columns": list(privilege.columns),
        "Procedure": privilege.procedure,
        "Function": privilege.function,
        "GrantOption": privilege.grant_option,
        "WhenMissing": "skip" if privilege.when_missing == "skip" else None,
    }
    return {"Permission": list(privilege.permissions), "Database": privilege.database, **_present(optional)}
