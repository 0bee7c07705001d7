"""What tenants.yaml declares: the model's values, each with the place it comes from, and with its stages written out.

A value of the wrong type reads as absent here: the schema has told of it, and nothing is told twice. So this works on
any data, and the rules in `naming`, `ownership` and `privileges` see only values they can judge.

    tenants:                          DeclaredTenant(Tenant("shop-dev", …), ("tenants", "shop"), "dev", …)
      shop: {stages: [dev, prod]}     DeclaredTenant(Tenant("shop-prod", …), ("tenants", "shop"), "prod", …)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from aurora_tenants.config import pause
from aurora_tenants.config.wording import KeyPath, shown
from aurora_tenants.model import Cluster, Ignore, OnRemove, Privilege, Tenant, TenantDatabase, TenantUser
from aurora_tenants.mysql.grants import privilege_names

STAGE = "{stage}"
_UNREADABLE_STAGES = ("stage",)

Value = TypeVar("Value", TenantDatabase, Privilege)


@dataclass(frozen=True, slots=True)
class Placed(Generic[Value]):
    """A database or a privilege, the way to it, and what stands there."""

    value: Value
    path: KeyPath
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeclaredUser:
    """A user and the way to it. privileges: those of the file that are mappings."""

    value: TenantUser
    path: KeyPath
    privileges: tuple[Placed[Privilege], ...]


@dataclass(frozen=True, slots=True)
class DeclaredTenant:
    """One tenant of the result.

    path: of the entry it comes from. stage: which of the entry's stages it is, None when there are none.
    """

    value: Tenant
    path: KeyPath
    stage: str | None
    stages: tuple[str, ...]
    databases: tuple[Placed[TenantDatabase], ...]
    users: tuple[DeclaredUser, ...]


@dataclass(frozen=True, slots=True)
class _Defaults:
    rotate_after_days: int
    on_remove: OnRemove


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is a mapping, otherwise an empty one."""
    return value if isinstance(value, dict) else {}


def texts(body: Mapping[str, Any], key: str, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Every text in the list under a key, with the way to it. path: the way to body."""
    value = body.get(key)
    if isinstance(value, list):
        yield from (((*path, key, at), item) for at, item in enumerate(value) if isinstance(item, str))


def permissions(body: Mapping[str, Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Every text under `permission`, which is one text or a list of them, with the way to it."""
    if isinstance(body.get("permission"), str):
        yield (*path, "permission"), body["permission"]
    yield from texts(body, "permission", path)


def described(tenant: DeclaredTenant, thing: DeclaredUser | Placed[Any] | None = None, privilege: KeyPath = ()) -> str:
    """Where something is, in the file's terms: `tenant shop-dev, user shop-dev-report, privilege 1`."""
    parts = [f"tenant {shown(tenant.value.name)}"]
    if thing:
        parts.append(f"{'user' if isinstance(thing, DeclaredUser) else 'database'} {shown(thing.value.name)}")
    if privilege:
        parts.append(f"privilege {int(privilege[-1]) + 1}")
    return ", ".join(parts)


def stages(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The stages of a tenant, each once; none when it has none."""
    if "stages" not in body:
        return ()
    return tuple(dict.fromkeys(text for _, text in texts(body, "stages"))) or _UNREADABLE_STAGES


def cluster(data: object) -> Cluster:
    """Where the tenants live. stack: empty when the file does not say."""
    body = mapping(mapping(data).get("cluster"))
    return Cluster(_text(body, "stack") or "", _text(body, "region"), pause.declared(body.get("pause_schedule")))


def ignore(data: object) -> Ignore:
    """What belongs to others."""
    body = mapping(mapping(data).get("ignore"))
    return Ignore(tuple(text for _, text in texts(body, "users")), tuple(text for _, text in texts(body, "databases")))


def tenants(data: object) -> tuple[DeclaredTenant, ...]:
    """Every tenant in the file's order, its stages written out."""
    entries = {name: mapping(body) for name, body in mapping(mapping(data).get("tenants")).items()}
    defaults = mapping(mapping(data).get("defaults"))
    inherited = _Defaults(_days(defaults, 30), _on_remove(defaults, "retain"))
    family = {name: tuple(f"{name}-{stage}" for stage in stages(body)) or (name,) for name, body in entries.items()}
    return tuple(
        _tenant(name, stage, body, inherited, family)
        for name, body in entries.items()
        for stage in stages(body) or (None,)
    )


def _tenant(
    name: str, stage: str | None, body: Mapping[str, Any], defaults: _Defaults, family: Mapping[str, tuple[str, ...]]
) -> DeclaredTenant:
    path = ("tenants", name)
    databases = tuple(
        Placed(_database(key, stage, mapping(member), defaults, family), (*path, "databases", key), mapping(member))
        for key, member in mapping(body.get("databases")).items()
    )
    users = tuple(
        _user(key, stage, mapping(member), (*path, "users", key), defaults)
        for key, member in mapping(body.get("users")).items()
    )
    full_name = name if stage is None else f"{name}-{stage}"
    value = Tenant(full_name, tuple(database.value for database in databases), tuple(user.value for user in users))
    return DeclaredTenant(value, path, stage, stages(body), databases, users)


def _database(
    name: str, stage: str | None, body: Mapping[str, Any], defaults: _Defaults, family: Mapping[str, tuple[str, ...]]
) -> TenantDatabase:
    shared_with: dict[str, None] = {}
    full_names = {full_name for members in family.values() for full_name in members} if "shared_with" in body else set()
    for _, text in texts(body, "shared_with"):
        other = _filled(text, stage)
        shared_with |= dict.fromkeys([other] if other in full_names else family.get(other, (other,)))
    charset, collation = _text(body, "charset"), _text(body, "collation")
    return TenantDatabase(
        _filled(name, stage),
        charset=charset.lower() if charset else None,
        collation=collation.lower() if collation else None,
        on_remove=_on_remove(body, defaults.on_remove),
        adopt=body.get("adopt") is True,
        shared_with=tuple(shared_with),
    )


def _user(name: str, stage: str | None, body: Mapping[str, Any], path: KeyPath, defaults: _Defaults) -> DeclaredUser:
    listed = body.get("privileges")
    privileges = tuple(
        Placed(_privilege(entry, stage), (*path, "privileges", at), entry)
        for at, entry in enumerate(listed if isinstance(listed, list) else ())
        if isinstance(entry, dict)
    )
    value = TenantUser(
        _filled(name, stage),
        privileges=tuple(privilege.value for privilege in privileges),
        adopt=body.get("adopt") is True,
        rotate_after_days=_days(body, defaults.rotate_after_days),
    )
    return DeclaredUser(value, path, privileges)


def _privilege(body: Mapping[str, Any], stage: str | None) -> Privilege:
    names = [name for _, text in permissions(body) for name in privilege_names(text)]
    return Privilege(
        permissions=tuple(dict.fromkeys(names)),
        database=_filled(_text(body, "database") or "", stage),
        table=_filled(_text(body, "table") or "*", stage),
        columns=tuple(text for _, text in texts(body, "columns")),
        grant_option=body.get("grant_option") is True,
    )


def _filled(text: str, stage: str | None) -> str:
    return text if stage is None else text.replace(STAGE, stage)


def _text(body: Mapping[str, Any], key: str) -> str | None:
    value = body.get(key)
    return value if isinstance(value, str) else None


def _days(body: Mapping[str, Any], default: int) -> int:
    value = body.get("rotate_after_days")
    if isinstance(value, float) and value.is_integer():  # 30.0 is an integer to JSON Schema
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _on_remove(body: Mapping[str, Any], default: OnRemove) -> OnRemove:
    value = body.get("on_remove")
    return value if value in ("retain", "drop") else default
