"""What a service is told, as parameters of Systems Manager: resources of a tenant's stack. Pure, and never a secret.

    /shared-global/shop/DATABASE_HOST                 of the cluster: as DATABASE_PORT and DATABASE_RESOURCE
    /shared-global/shop/DATABASE_USER                 of the first user of the file, as `env` says it
    /shared-global/shop/users/shop-ro/DATABASE_USER   of each user: as DATABASE_SECRET, unless it logs in by IAM
    /shared-global/shop/databases/shop/DATABASE_NAME  of each database

No two of them can have one name: a tenant's has no /, nor has a user's or a database's. What these can have and a
parameter cannot is $, which becomes a dot; no name has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from aurora_tenants.model import Cluster, Tenant, TenantDatabase, TenantUser
from aurora_tenants.naming import LogicalIds, logical_id, parameter_path
from aurora_tenants.tenant.rights import Part

TYPE = "AWS::SSM::Parameter"
Resources = Mapping[str, Mapping[str, Any]]


def parameters(cluster: Cluster, tenant: Tenant, ids: LogicalIds) -> dict[str, Any]:
    """The resources, by logical id; none for a tenant that asks for none. ids: of its other resources."""
    if tenant.outputs != "ssm":
        return {}
    path = parameter_path(cluster, tenant.name)
    found = {kind: _resource(path + name, value) for kind, name, value in _of_cluster(cluster)}
    for place, user in enumerate(tenant.users):
        found |= _each(_of_user(user, ids), path, f"users/{_spelled(user.name)}/", user.name, is_first=place == 0)
    for place, database in enumerate(tenant.databases):
        below = f"databases/{_spelled(database.name)}/"
        found |= _each(_of_database(database, ids), path, below, database.name, is_first=place == 0)
    return found


def _each(given: Iterable[_Parameter], path: str, below: str, of: str, *, is_first: bool) -> dict[str, Any]:
    """The parameters of one user or database, and the tenant's own if it is the first.

    Their ids are of the name that it has now, as their names are: a renamed user has other ones, and whoever is called
    as it was before has those.
    """
    found = dict[str, Any]()
    for kind, name, value in given:
        found[logical_id(kind, of)] = _resource(f"{path}{below}{name}", value)
        if is_first:
            found[kind] = _resource(path + name, value)
    return found


def _spelled(name: str) -> str:
    return name.replace("$", ".")


class _Value(NamedTuple):
    """What one says. after: the logical id of what it waits for; empty where the value refers to that itself."""

    value: object
    after: str = ""


_Parameter = tuple[str, str, _Value]


def _of_cluster(cluster: Cluster) -> Iterator[_Parameter]:
    exports = {"Resource": "database-server", "Host": "database-host", "Port": "database-port"}
    for kind, export in exports.items():
        name = f"{cluster.stack}-{export}"
        yield f"Parameter{kind}", f"DATABASE_{kind.upper()}", _Value({"Fn::ImportValue": name})


def _of_user(user: TenantUser, ids: LogicalIds) -> Iterator[_Parameter]:
    yield "ParameterUser", "DATABASE_USER", _Value(user.name, ids.users[user.name])
    if user.auth != "iam":
        yield "ParameterSecret", "DATABASE_SECRET", _Value({"Ref": ids.secrets[user.name]}, ids.users[user.name])


def _of_database(database: TenantDatabase, ids: LogicalIds) -> Iterator[_Parameter]:
    yield "ParameterName", "DATABASE_NAME", _Value({"Ref": ids.databases[database.name]})


def _resource(name: str, given: _Value) -> dict[str, Any]:
    # Standard costs nothing. Without a word of it a parameter has the tier that somebody has set for the whole account.
    properties = {"Name": name, "Type": "String", "Tier": "Standard", "Value": given.value}
    made = {"Type": TYPE, "Properties": properties}
    return {"DependsOn": [given.after], **made} if given.after else made


class Difference(NamedTuple):
    """What becomes of a tenant's parameters. path: what all their names begin with."""

    sign: Literal["+", "~", "-"]
    path: str
    parts: tuple[Part, ...]


def parameter_differences(new: Resources, old: Resources) -> Difference | None:
    """What differs of the parameters of two templates; None where nothing does."""
    after, before = _values(new), _values(old)
    changed = [name for name in after.keys() & before.keys() if after[name] != before[name]]
    if after.keys() == before.keys() and not changed:
        return None
    every = sorted(after.keys() | before.keys())
    path = "/".join(every[0].split("/")[:3]) + "/"
    parts = [
        *_list("parameters" if not before else "new", (name for name in every if name not in before), path),
        *_list("taken away", (name for name in every if name not in after), path),
        *(_changed(name.removeprefix(path), before[name], after[name]) for name in sorted(changed)),
    ]
    return Difference("+" if not before else "-" if not after else "~", path, tuple(parts))


def _values(resources: Resources) -> dict[str, Any]:
    """The values of parameters by their names. What somebody else wrote may have none."""
    all_properties = (it.get("Properties", {}) for it in resources.values() if it["Type"] == TYPE)
    return {str(it.get("Name", "")): it.get("Value") for it in all_properties}


def _list(what: str, names: Iterator[str], path: str) -> list[Part]:
    listed = ", ".join(name.removeprefix(path) for name in names)
    return [Part(f"{what}: {listed}")] if listed else []


def _changed(name: str, old: object, new: object) -> Part:
    if isinstance(old, str) and isinstance(new, str):
        return Part(name, old, new)
    return Part(f"another {name}")
