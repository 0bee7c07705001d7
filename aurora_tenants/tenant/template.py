"""A tenant as a CloudFormation template. Pure.

Per user: a secret, its attachment to the cluster, the user, the rotation of its password; of one that logs in by IAM
the user alone. Per database and per role: the database, the role.
The same tenant always gives the same template, and its digest stands in the stack's outputs: a plan compares the two
without reading any template back.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from aurora_tenants.model import WHOLE_SERVER, Cluster, Privilege, Tenant, TenantDatabase, TenantRole, TenantUser
from aurora_tenants.mysql.options import Options
from aurora_tenants.naming import DIGEST, DROP_ON_REMOVE, REVISION, SERVER, logical_id, secret_name
from aurora_tenants.stack import Template

# A custom resource that never answers blocks its stack for an hour unless told otherwise. Twice what the provider has.
_SERVICE_TIMEOUT_SECONDS = 600
_OPTION_DEFAULTS: Mapping[str, object] = {
    "Require": "NONE",
    **dict.fromkeys(("MaxQueriesPerHour", "MaxUpdatesPerHour", "MaxConnectionsPerHour", "MaxUserConnections"), 0),
    "Locked": False,
    **dict.fromkeys(("PasswordExpireAfterDays", "PasswordHistory", "PasswordReuseAfterDays", "PasswordRequireCurrent")),
    **dict.fromkeys(("Plugin", "Comment")),
}


def template(cluster: Cluster, tenant: Tenant) -> Template:
    """What is deployed for a tenant."""
    resources: dict[str, Any] = {}
    for database in tenant.databases:
        resources[logical_id("Database", database.name)] = _database(cluster, database)
    for role in tenant.roles:
        resources[logical_id("Role", role.name)] = _role(cluster, tenant, role)
    for user in tenant.users:
        resources |= _user_resources(cluster, tenant, user)
    body = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Databases and users of {tenant.name} on {cluster.stack}, deployed by aurora-tenants.",
        "Parameters": {
            REVISION: {
                "Type": "String",
                "Default": "1",
                "Description": "Another value makes every custom resource compare MySQL with this template again.",
            }
        },
        "Resources": resources,
        "Outputs": _outputs(cluster, tenant),
    }
    return Template.of(body)


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


def _import(cluster: Cluster, export: str) -> Mapping[str, str]:
    return {"Fn::ImportValue": f"{cluster.stack}-{export}"}


def _custom(cluster: Cluster, kind: str, service: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    token = {"ServiceToken": _import(cluster, service), "ServiceTimeout": _SERVICE_TIMEOUT_SECONDS}
    return {"Type": kind, "Properties": {**token, **properties, REVISION: {"Ref": REVISION}}}


def _database(cluster: Cluster, database: TenantDatabase) -> dict[str, Any]:
    properties: dict[str, Any] = {"Name": database.name}
    if database.charset:
        properties["Charset"] = database.charset
    if database.collation:
        properties["Collation"] = database.collation
    if database.adopt:
        properties["Adopt"] = True
    if database.on_remove == "drop":
        properties["OnRemove"] = "drop"
    return _custom(cluster, "Custom::Database", "database-service-token", properties)


def _role(cluster: Cluster, tenant: Tenant, role: TenantRole) -> dict[str, Any]:
    properties: dict[str, Any] = {"Name": role.name, "Privileges": [_privilege(p) for p in role.privileges]}
    if role.comment is not None:
        properties["Comment"] = role.comment
    if role.adopt:
        properties["Adopt"] = True
    return _after(
        _databases_of(tenant, role.privileges),
        _custom(cluster, "Custom::DatabaseRole", "database-user-service-token", properties),
    )


def _user_resources(cluster: Cluster, tenant: Tenant, user: TenantUser) -> dict[str, Any]:
    """The id of the user itself is the same for both kinds of login, so that a change of it is an update."""
    secret, attachment, login = (logical_id(kind, user.name) for kind in ("Secret", "Attachment", "User"))
    own = {role.name for role in tenant.roles}
    roles = (logical_id("Role", grant.name) for grant in user.roles if grant.name in own)
    before = [*_databases_of(tenant, user.privileges), *roles]
    if user.auth == "iam":
        properties: dict[str, Any] = {"UserName": user.name, "Auth": "iam"} | _user_properties(user)
        custom = _custom(cluster, "Custom::DatabaseUser", "database-user-service-token", properties)
        return {login: _after(before, custom)}
    properties = {"SecretId": {"Ref": secret}} | _user_properties(user)
    custom = _custom(cluster, "Custom::DatabaseUser", "database-user-service-token", properties)
    return {
        **_secret(cluster, tenant, user),
        login: _after([attachment, *before], custom),
        **_rotation(cluster, user, secret, login),
    }


def _after(names: list[str], resource: dict[str, Any]) -> dict[str, Any]:
    """A resource that is made after others, and deleted before them."""
    return {"DependsOn": names, **resource} if names else resource


def _databases_of(tenant: Tenant, privileges: Iterable[Privilege]) -> list[str]:
    """The tenant's own databases that privileges reach, all of them for one on the whole server."""
    names = {privilege.database for privilege in privileges}
    return [
        logical_id("Database", database.name)
        for database in tenant.databases
        if database.name in names or WHOLE_SERVER in names
    ]


def _user_properties(user: TenantUser) -> dict[str, Any]:
    """What a user is like; whatever has its default is left out."""
    properties: dict[str, Any] = {"Privileges": [_privilege(p) for p in user.privileges]}
    if user.hosts != ("%",):
        properties["Hosts"] = list(user.hosts)
    properties |= _options(user.options)
    if user.roles:
        properties["Roles"] = [
            {"Role": grant.name} | ({"AdminOption": True} if grant.admin_option else {}) for grant in user.roles
        ]
    if user.default_roles is not None:
        properties["DefaultRoles"] = list(user.default_roles)
    if user.adopt:
        properties["Adopt"] = True
    return properties


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


def _secret(cluster: Cluster, tenant: Tenant, user: TenantUser) -> dict[str, Any]:
    """The secret with the user's password, and what completes it with the cluster's address."""
    secret = logical_id("Secret", user.name)
    return {
        secret: {
            "Type": "AWS::SecretsManager::Secret",
            "Properties": {
                "Name": secret_name(cluster, user.name),
                "Description": f"Login of MySQL user {user.name}, tenant {tenant.name}",
                # Letters and digits alone: nothing that SQL, a shell or a connection URL would take for its own.
                "GenerateSecretString": {
                    "SecretStringTemplate": json.dumps({"username": user.name}),
                    "GenerateStringKey": "password",
                    "PasswordLength": 32,
                    "ExcludePunctuation": True,
                },
            },
        },
        logical_id("Attachment", user.name): {
            "Type": "AWS::SecretsManager::SecretTargetAttachment",
            "Properties": {
                "SecretId": {"Ref": secret},
                "TargetId": _import(cluster, "database-server"),
                "TargetType": "AWS::RDS::DBCluster",
            },
        },
    }


def _rotation(cluster: Cluster, user: TenantUser, secret: str, login: str) -> dict[str, Any]:
    if not user.rotate_after_days:
        return {}
    return {
        logical_id("Rotation", user.name): {
            "Type": "AWS::SecretsManager::RotationSchedule",
            "DependsOn": login,
            "Properties": {
                "SecretId": {"Ref": secret},
                "RotationLambdaARN": _import(cluster, "database-secret-rotation-lambda"),
                "RotationRules": {"AutomaticallyAfterDays": user.rotate_after_days},
                # Otherwise every change of the schedule would rotate at once.
                "RotateImmediatelyOnUpdate": False,
            },
        }
    }


def _privilege(privilege: Privilege) -> dict[str, Any]:
    entry: dict[str, Any] = {"Permission": list(privilege.permissions), "Database": privilege.database}
    if privilege.database != WHOLE_SERVER and not (privilege.procedure or privilege.function):
        entry["Table"] = privilege.table
    if privilege.columns:
        entry["Columns"] = list(privilege.columns)
    if privilege.procedure:
        entry["Procedure"] = privilege.procedure
    if privilege.function:
        entry["Function"] = privilege.function
    if privilege.grant_option:
        entry["GrantOption"] = True
    return entry


def _outputs(cluster: Cluster, tenant: Tenant) -> dict[str, Any]:
    """What a service needs. Exports are named by the logical id, which holds nothing that an export's name may not."""

    def output(name: str, value: object, description: str) -> dict[str, Any]:
        export = {"Name": {"Fn::Sub": f"${{AWS::StackName}}-{name}"}}
        return {name: {"Value": value, "Description": description, "Export": export}}

    outputs = output(SERVER, _import(cluster, "database-server"), "ARN of the cluster")
    for database in tenant.databases:
        name = logical_id("Database", database.name)
        outputs |= output(name, {"Ref": name}, f"Name of database {database.name}")
    for role in tenant.roles:
        # Nobody needs it: it tells a plan that the role is this stack's, should its entry in MySQL be lost.
        name = logical_id("Role", role.name)
        outputs[name] = {"Value": role.name, "Description": f"Name of role {role.name}"}
    for user in tenant.users:
        # Outputs are read when every resource is there, so the secret is told of after its user, and not by the user:
        # one that once logged in by IAM keeps the id it had then, which is no ARN.
        if user.auth == "iam":
            outputs |= output(logical_id("User", user.name), user.name, f"Name of user {user.name}, who logs in by IAM")
        else:
            secret = logical_id("Secret", user.name)
            outputs |= output(secret, {"Ref": secret}, f"ARN of the secret of user {user.name}")
    dropped = [database.name for database in tenant.databases if database.on_remove == "drop"]
    if dropped:
        outputs[DROP_ON_REMOVE] = {"Value": ",".join(dropped), "Description": "Databases dropped when they are removed"}
    return outputs
