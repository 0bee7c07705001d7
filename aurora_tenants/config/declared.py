"""What tenants.yaml declares: the model's values, each with the place it comes from, and with its stages written out.

A value of the wrong type reads as absent here: the schema has told of it, and nothing is told twice. So this works on
any data, and the rules in `naming`, `ownership`, `accounts`, `roles` and `privileges` see only values they can judge.

    tenants:                          DeclaredTenant(Tenant("shop-dev", …), ("tenants", "shop"), "dev", …)
      shop: {stages: [dev, prod]}     DeclaredTenant(Tenant("shop-prod", …), ("tenants", "shop"), "prod", …)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from aurora_tenants.config import options, pause
from aurora_tenants.config.reading import flag, mapping, number, text, text_or_texts, texts
from aurora_tenants.config.wording import KeyPath, shown
from aurora_tenants.config.yaml_file import Document
from aurora_tenants.model import (
    Cluster,
    Ignore,
    OnRemove,
    Privilege,
    RoleGrant,
    Tenant,
    TenantDatabase,
    TenantRole,
    TenantUser,
)
from aurora_tenants.mysql.grants import privilege_names

STAGE = "{stage}"
_UNREADABLE_STAGES = ("stage",)

Value = TypeVar("Value", TenantDatabase, Privilege, RoleGrant)


@dataclass(frozen=True, slots=True)
class Placed(Generic[Value]):
    """A database, a privilege or the grant of a role, the way to it, and what stands there, if that is a mapping."""

    value: Value
    path: KeyPath
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeclaredRole:
    """A role and the way to it. privileges: those of the file that are mappings."""

    value: TenantRole
    path: KeyPath
    body: Mapping[str, Any]
    privileges: tuple[Placed[Privilege], ...]


@dataclass(frozen=True, slots=True)
class DeclaredUser:
    """A user and the way to it. privileges, roles: those of the file that can be read."""

    value: TenantUser
    path: KeyPath
    body: Mapping[str, Any]
    privileges: tuple[Placed[Privilege], ...]
    roles: tuple[Placed[RoleGrant], ...]


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
    roles: tuple[DeclaredRole, ...]

    @property
    def grantees(self) -> tuple[DeclaredRole | DeclaredUser, ...]:
        """Whatever has privileges."""
        return (*self.roles, *self.users)

    def filled(self, text: str) -> str:
        """A text of this tenant with its stage in the place of `{stage}`."""
        return _filled(text, self.stage)


@dataclass(frozen=True, slots=True)
class _Reader:
    """What the entries of one tenant are read with. family: the tenants that each entry of the file stands for."""

    document: Document
    stage: str | None
    rotate_after_days: int
    on_remove: OnRemove
    family: Mapping[str, tuple[str, ...]]

    def filled(self, text: str) -> str:
        return _filled(text, self.stage)


def described(
    tenant: DeclaredTenant, thing: DeclaredRole | DeclaredUser | Placed[Any] | None = None, privilege: KeyPath = ()
) -> str:
    """Where something is, in the file's terms: `tenant shop-dev, user shop-dev-report, privilege 1`."""
    parts = [f"tenant {shown(tenant.value.name)}"]
    if thing:
        noun = {DeclaredRole: "role", DeclaredUser: "user"}.get(type(thing), "database")
        parts.append(f"{noun} {shown(thing.value.name)}")
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
    return Cluster(text(body, "stack") or "", text(body, "region"), pause.declared(body.get("pause_schedule")))


def ignore(data: object) -> Ignore:
    """What belongs to others."""
    body = mapping(mapping(data).get("ignore"))
    return Ignore(tuple(text for _, text in texts(body, "users")), tuple(text for _, text in texts(body, "databases")))


def tenants(document: Document) -> tuple[DeclaredTenant, ...]:
    """Every tenant in the file's order, its stages written out."""
    data = mapping(document.data)
    entries = {name: mapping(body) for name, body in mapping(data.get("tenants")).items()}
    defaults = mapping(data.get("defaults"))
    days, on_remove = number(defaults, "rotate_after_days"), _on_remove(defaults, "retain")
    family = {name: tuple(f"{name}-{stage}" for stage in stages(body)) or (name,) for name, body in entries.items()}
    return tuple(
        _tenant(name, body, _Reader(document, stage, 30 if days is None else days, on_remove, family))
        for name, body in entries.items()
        for stage in stages(body) or (None,)
    )


def _tenant(name: str, body: Mapping[str, Any], reader: _Reader) -> DeclaredTenant:
    path: KeyPath = ("tenants", name)

    def members(group: str) -> list[tuple[str, Mapping[str, Any], KeyPath]]:
        return [(key, mapping(member), (*path, group, key)) for key, member in mapping(body.get(group)).items()]

    databases = tuple(Placed(_database(*member, reader), member[2], member[1]) for member in members("databases"))
    roles = tuple(_role(*member, reader) for member in members("roles"))
    users = tuple(_user(*member, reader) for member in members("users"))
    value = Tenant(
        name if reader.stage is None else f"{name}-{reader.stage}",
        tuple(database.value for database in databases),
        tuple(user.value for user in users),
        tuple(role.value for role in roles),
    )
    return DeclaredTenant(value, path, reader.stage, stages(body), databases, users, roles)


def _database(name: str, body: Mapping[str, Any], path: KeyPath, reader: _Reader) -> TenantDatabase:
    shared_with: dict[str, None] = {}
    family = reader.family
    full_names = {full_name for members in family.values() for full_name in members} if "shared_with" in body else set()
    for _, written in texts(body, "shared_with"):
        other = reader.filled(written)
        shared_with |= dict.fromkeys([other] if other in full_names else family.get(other, (other,)))
    return TenantDatabase(
        reader.filled(name),
        charset=_canonical(text(body, "charset")),
        collation=_canonical(text(body, "collation")),
        on_remove=_on_remove(body, reader.on_remove),
        adopt=body.get("adopt") is True,
        shared_with=tuple(shared_with),
        where=reader.document.key(path),
    )


def _role(name: str, body: Mapping[str, Any], path: KeyPath, reader: _Reader) -> DeclaredRole:
    privileges, comment = _privileges(body, path, reader), text(body, "comment")
    value = TenantRole(
        reader.filled(name),
        privileges=tuple(privilege.value for privilege in privileges),
        comment=None if comment is None else reader.filled(comment),
        adopt=body.get("adopt") is True,
        where=reader.document.key(path),
    )
    return DeclaredRole(value, path, body, privileges)


def _user(name: str, body: Mapping[str, Any], path: KeyPath, reader: _Reader) -> DeclaredUser:
    privileges, roles = _privileges(body, path, reader), _roles(body, path, reader)
    auth, days = options.auth(body), number(body, "rotate_after_days")
    value = TenantUser(
        reader.filled(name),
        privileges=tuple(privilege.value for privilege in privileges),
        adopt=body.get("adopt") is True,
        rotate_after_days=0 if auth == "iam" else reader.rotate_after_days if days is None else days,
        hosts=options.hosts(body, reader.filled),
        options=options.options(body, reader.filled),
        auth=auth,
        roles=tuple(role.value for role in roles),
        default_roles=_default_roles(body, reader),
        where=reader.document.key(path),
    )
    return DeclaredUser(value, path, body, privileges, roles)


def _roles(body: Mapping[str, Any], path: KeyPath, reader: _Reader) -> tuple[Placed[RoleGrant], ...]:
    listed, granted = body.get("roles"), []
    for at, entry in enumerate(listed if isinstance(listed, list) else ()):
        place, name = (*path, "roles", at), entry if isinstance(entry, str) else text(mapping(entry), "role")
        if name is not None:
            admin_option = flag(mapping(entry), "admin_option") is True
            value = RoleGrant(reader.filled(name), admin_option, where=reader.document.key(place))
            granted.append(Placed(value, place, mapping(entry)))
    return tuple(granted)


def _default_roles(body: Mapping[str, Any], reader: _Reader) -> tuple[str, ...] | None:
    if isinstance(body.get("default_roles"), list):
        return tuple(reader.filled(name) for _, name in texts(body, "default_roles"))
    return () if (text(body, "default_roles") or "").upper() == "NONE" else None


def _privileges(body: Mapping[str, Any], path: KeyPath, reader: _Reader) -> tuple[Placed[Privilege], ...]:
    listed = body.get("privileges")
    return tuple(
        Placed(_privilege(entry, (*path, "privileges", at), reader), (*path, "privileges", at), entry)
        for at, entry in enumerate(listed if isinstance(listed, list) else ())
        if isinstance(entry, dict)
    )


def _privilege(body: Mapping[str, Any], path: KeyPath, reader: _Reader) -> Privilege:
    names = [name for _, written in text_or_texts(body, "permission") for name in privilege_names(written)]
    procedure, function = text(body, "procedure"), text(body, "function")
    return Privilege(
        permissions=tuple(dict.fromkeys(names)),
        database=reader.filled(text(body, "database") or ""),
        table=reader.filled(text(body, "table") or "*"),
        columns=tuple(column for _, column in texts(body, "columns")),
        grant_option=body.get("grant_option") is True,
        procedure=reader.filled(procedure) if procedure else None,
        function=reader.filled(function) if function else None,
        where=reader.document.key(path),
    )


def _filled(text: str, stage: str | None) -> str:
    return text if stage is None else text.replace(STAGE, stage)


def _canonical(name: str | None) -> str | None:
    """The name of a character set or a collation as MySQL 8 has it: `utf8` is its old word for utf8mb3."""
    if not name:
        return None
    first, *rest = name.lower().split("_")
    return "_".join(["utf8mb3" if first == "utf8" else first, *rest])


def _on_remove(body: Mapping[str, Any], default: OnRemove) -> OnRemove:
    value = body.get("on_remove")
    return value if value in ("retain", "drop") else default
