"""A tenant as a CloudFormation template, and every name that follows from a tenant's. Pure.

Per user: a secret, its attachment to the cluster, the user, the rotation of its password; of one that logs in by IAM
the user alone. Per database and per role: the database, the role.
The same tenant always gives the same bytes, and their digest stands in the stack's outputs: a plan compares the two
without reading any template back.

    stack_name(cluster, "shop-dev")              shared-global-shop-dev
    logical_id("Database", "shop-dev")           DatabaseShopDev
    logical_id("Database", "shop_dev")           DatabaseShopDevB357C096: not every name can be told by its letters
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from aurora_tenants.model import WHOLE_SERVER, Cluster, Privilege, Tenant, TenantDatabase, TenantRole, TenantUser
from aurora_tenants.mysql.options import Options

CLUSTER_TAG = "aurora-tenants:cluster"
TENANT_TAG = "aurora-tenants:tenant"
REVISION = "Revision"
DIGEST = "Digest"
DROP_ON_REMOVE = "DropOnRemove"

# CloudFormation takes no larger template in a request.
MAX_TEMPLATE_BYTES = 51_200
# A custom resource that never answers blocks its stack for an hour unless told otherwise. Twice what the provider has.
_SERVICE_TIMEOUT_SECONDS = 600
# Names whose parts can be told from the capitals of the logical id: no two of them give the same. Every other name's
# id ends in a part of its hash, and so does that of a name which looks as if it did.
_PLAIN = re.compile(r"[a-z0-9]+(-[a-z][a-z0-9]*)*\Z")
_HASHED = re.compile(r"[0-9A-F]{8}\Z")
_OPTION_DEFAULTS: Mapping[str, object] = {
    "Require": "NONE",
    **dict.fromkeys(("MaxQueriesPerHour", "MaxUpdatesPerHour", "MaxConnectionsPerHour", "MaxUserConnections"), 0),
    "Locked": False,
    **dict.fromkeys(("PasswordExpireAfterDays", "PasswordHistory", "PasswordReuseAfterDays", "PasswordRequireCurrent")),
    **dict.fromkeys(("Plugin", "Comment")),
}
# The output with the cluster's ARN; a database called `server` must not take its place.
_SERVER = "DatabaseServer"


def stack_name(cluster: Cluster, tenant: str) -> str:
    """The name of a tenant's stack."""
    return f"{cluster.stack}-{tenant}"


def secret_name(cluster: Cluster, user: str) -> str:
    """The name of a user's secret; the shared stack's functions may read this prefix and no other."""
    return f"/{cluster.stack}/database/{user}"


def tags(cluster: Cluster, tenant: str) -> dict[str, str]:
    """The tags by which a stack is known to be a tenant's."""
    return {CLUSTER_TAG: cluster.stack, TENANT_TAG: tenant}


def logical_id(kind: str, name: str) -> str:
    """A readable id of letters and digits, stable for a name and never the same for two names of one kind."""
    readable = "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name))
    if not _PLAIN.match(name) or _HASHED.search(readable) or f"{kind}{readable}" == _SERVER:
        readable += hashlib.sha256(name.encode()).hexdigest()[:8].upper()
    return f"{kind}{readable}"


def template(cluster: Cluster, tenant: Tenant) -> str:
    """The template's text, with its digest among the outputs."""
    resources: dict[str, Any] = {}
    for database in tenant.databases:
        resources[logical_id("Database", database.name)] = _database(cluster, database)
    for role in tenant.roles:
        resources[logical_id("Role", role.name)] = _role(cluster, tenant, role)
    for user in tenant.users:
        resources |= _user_resources(cluster, tenant, user)
    body: dict[str, Any] = {
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
    return with_digest(body)


def with_digest(body: Mapping[str, Any]) -> str:
    """The text of a template with its digest among the outputs; without blanks where it is too long with them."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    output = {"Value": digest[:32], "Description": "Of this template; a plan compares it."}
    body = {**body, "Outputs": {**body.get("Outputs", {}), DIGEST: output}}
    text = json.dumps(body, indent=1)
    return text if len(text) <= MAX_TEMPLATE_BYTES else json.dumps(body, separators=(",", ":"))


def digest_of(text: str) -> str:
    """The digest that a template of `with_digest` carries."""
    return str(json.loads(text)["Outputs"][DIGEST]["Value"])


def allowing_drops(text: str, databases: Collection[str]) -> str:
    """A deployed template with leave for the provider to drop these databases even when they are not empty."""
    body = json.loads(text)
    for resource in body["Resources"].values():
        properties = resource["Properties"]
        if resource["Type"] == "Custom::Database" and properties["Name"] in databases:
            properties |= {"AllowDrop": properties["Name"], "OnRemove": "drop"}
    body["Outputs"][DIGEST]["Value"] = "allows drops"  # of no file: the next plan takes the leave back
    return json.dumps(body, indent=1)


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

    outputs = output(_SERVER, _import(cluster, "database-server"), "ARN of the cluster")
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
