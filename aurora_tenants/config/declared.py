"""What tenants.yaml declares: the model's values, each with its path in the file, and with stages expanded.

A value of the wrong type reads as absent here, because the schema reports it. So this works on any data, and the rules
in `names`, `ownership`, `accounts` and `privileges` see only values of the right type.

    tenants:                          DeclaredTenant(Tenant("shop-dev", …), ("tenants", "shop"), "dev", …)
      shop: {stages: [dev, prod]}     DeclaredTenant(Tenant("shop-prod", …), ("tenants", "shop"), "prod", …)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from aurora_tenants import model
from aurora_tenants.config import options, pause, rotation
from aurora_tenants.config.reading import entries, filled, flag, mapping, number, text, texts, words
from aurora_tenants.config.wording import Fault, KeyPath, context
from aurora_tenants.config.yaml_file import MOST_VALUES, Document
from aurora_tenants.errors import InvalidFile, Problem
from aurora_tenants.mysql.grants import privilege_names

MOST_STAGES = 500
"""More than so many stages of one service are refused, and the rest is not read."""
_UNREADABLE_STAGES = ("stage",)

Value = TypeVar("Value", covariant=True)


@dataclass(frozen=True, slots=True)
class Placed(Generic[Value]):
    """A database, user, role, privilege or granted role, and the path to it.

    body: the mapping there; empty when there is none. privileges, roles: a user's or a role's, as far as readable.
    """

    value: Value
    path: KeyPath
    body: Mapping[str, Any]
    privileges: tuple[Placed[model.Privilege], ...] = ()
    roles: tuple[Placed[model.RoleGrant], ...] = ()


@dataclass(frozen=True, slots=True)
class DeclaredTenant:
    """One tenant of the result.

    path: of the entry it comes from. stage: which of the entry's stages it is, None when there are none.
    """

    value: model.Tenant
    path: KeyPath
    stage: str | None
    stages: tuple[str, ...]
    databases: tuple[Placed[model.TenantDatabase], ...]
    users: tuple[Placed[model.TenantUser], ...]
    roles: tuple[Placed[model.TenantRole], ...]
    document: Document

    @property
    def grantees(self) -> tuple[Placed[model.TenantRole] | Placed[model.TenantUser], ...]:
        """Whatever has privileges."""
        return (*self.roles, *self.users)

    def filled(self, text: str) -> str:
        """A text of this tenant with its stage in the place of `{stage}`."""
        return filled(text, self.stage)

    def problem(self, path: KeyPath, fault: Fault, *, at_key: bool = False) -> Problem:
        """A fault of this tenant, with its place and context. at_key: the place is the key's, not the value's."""
        where = self.document.key(path) if at_key else self.document.value(path)
        steps = (self.filled(step) if isinstance(step, str) else step for step in path[2:])
        return Problem(*fault, where, context(("tenants", self.value.name, *steps)))


@dataclass(frozen=True, slots=True)
class _Reader:
    """What is needed to read the entries of one tenant. family: the tenants that each entry of the file stands for.

    moved_from: where everything comes from that does not say so itself.
    """

    document: Document
    stage: str | None
    rotation: rotation.Usual
    on_remove: model.OnRemove
    max_user_connections: int
    outputs: model.Outputs
    stages: tuple[str, ...]
    family: Mapping[str, tuple[str, ...]]
    full_names: frozenset[str]
    moved_from: str | None

    def filled(self, text: str) -> str:
        return filled(text, self.stage)

    def giver(self, body: Mapping[str, Any]) -> str | None:
        """The tenant that a database, a user or a role comes from."""
        written = text(body, "moved_from")
        return self.filled(written) if written else self.moved_from


def stages(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The stages of a tenant, each once, and of too many the first ones; none when it has none."""
    if "stages" not in body:
        return ()
    names = tuple(dict.fromkeys(text for _, text in texts(body, "stages")))
    return names[:MOST_STAGES] or _UNREADABLE_STAGES


def cluster(document: Document) -> model.Cluster:
    """Where the tenants live. stack: empty when the file does not say."""
    body = mapping(mapping(document.data).get("cluster"))
    return model.Cluster(
        text(body, "stack") or "",
        text(body, "region"),
        pause.declared(body.get("pause_schedule")),
        text(body, "account"),
        document.value(("cluster", "account")) if "account" in body else None,
        snapshot_before_drop=flag(body, "snapshot_before_drop") or False,
    )


def ignore(data: object) -> model.Ignore:
    """The globs of what belongs to others."""
    body = mapping(mapping(data).get("ignore"))
    return model.Ignore(
        tuple(text for _, text in texts(body, "users")), tuple(text for _, text in texts(body, "databases"))
    )


def tenants(document: Document) -> tuple[DeclaredTenant, ...]:
    """Every tenant in the file's order, with stages expanded. Raises InvalidFile when these are far too many."""
    data = mapping(document.data)
    bodies = {name: mapping(body) for name, body in mapping(data.get("tenants")).items()}
    by_name = {name: stages(body) for name, body in bodies.items()}
    limit_size(document, by_name)
    defaults = mapping(data.get("defaults"))
    on_remove, usual = _on_remove(defaults, "retain"), rotation.usual(data)
    connections = number(defaults, "max_user_connections") or 0
    family = {name: tenants_of(name, names) for name, names in by_name.items()}
    full_names = frozenset(full_name for members in family.values() for full_name in members)

    def reader(name: str, stage: str | None) -> _Reader:
        return _Reader(
            document,
            stage,
            rotation=usual.of_tenant(bodies[name]),
            on_remove=on_remove,
            max_user_connections=connections,
            outputs=_outputs(bodies[name], _outputs(defaults, "stack")),
            stages=by_name[name],
            family=family,
            full_names=full_names,
            moved_from=_moved_from(bodies[name], stage),
        )

    return tuple(
        _tenant(name, body, reader(name, stage)) for name, body in bodies.items() for stage in by_name[name] or (None,)
    )


def tenants_of(name: str, stages: tuple[str, ...]) -> tuple[str, ...]:
    """The tenants that an entry of the file stands for."""
    return tuple(f"{name}-{stage}" for stage in stages) or (name,)


def limit_size(document: Document, by_name: Mapping[str, tuple[str, ...]]) -> None:
    """Raises InvalidFile at the tenant whose stages make the file too large: a few lines can stand for millions."""
    size = 0
    for name, names in by_name.items():
        path: KeyPath = ("tenants", name)
        listed = document.size((*path, "stages")) if names else 0
        size += (document.size(path) - listed + 1) * max(1, len(names))
        if size > MOST_VALUES:
            why = f"at most {MOST_VALUES:,} are read, counting what has stages once for each of them"
            fault = ("too-large", "the file contains too many values", why, "use fewer stages")
            raise InvalidFile(Problem(*fault, document.key(path), context((*path, "stages"))))


def _tenant(name: str, body: Mapping[str, Any], reader: _Reader) -> DeclaredTenant:
    path: KeyPath = ("tenants", name)

    def members(group: str) -> list[tuple[str, Mapping[str, Any], KeyPath]]:
        return [(key, mapping(member), (*path, group, key)) for key, member in mapping(body.get(group)).items()]

    databases = tuple(_database(*member, reader) for member in members("databases"))
    roles = tuple(_role(*member, reader) for member in members("roles"))
    users = tuple(_user(*member, reader) for member in members("users"))
    value = model.Tenant(
        name if reader.stage is None else f"{name}-{reader.stage}",
        _values(databases),
        _values(users),
        _values(roles),
        reader.outputs,
    )
    return DeclaredTenant(value, path, reader.stage, reader.stages, databases, users, roles, reader.document)


def _moved_from(body: Mapping[str, Any], stage: str | None) -> str | None:
    """The tenant that one stage of an entry comes from: one name for all stages, or one for each."""
    value = body.get("moved_from")
    written = text(value, stage or "") if isinstance(value, dict) else text(body, "moved_from")
    return filled(written, stage) if written else None


def _values(members: tuple[Placed[Value], ...]) -> tuple[Value, ...]:
    return tuple(member.value for member in members)


def _database(name: str, body: Mapping[str, Any], path: KeyPath, reader: _Reader) -> Placed[model.TenantDatabase]:
    shared_with: dict[str, None] = {}
    family, full_names = reader.family, reader.full_names
    for _, written in texts(body, "shared_with"):
        other = reader.filled(written)
        shared_with |= dict.fromkeys([other] if other in full_names else family.get(other, (other,)))
    value = model.TenantDatabase(
        reader.filled(name),
        charset=_canonical(text(body, "charset")),
        collation=_canonical(text(body, "collation")),
        # What is taken over is never dropped, whatever the defaults say.
        on_remove=_on_remove(body, "retain" if body.get("adopt") is True else reader.on_remove),
        adopt=body.get("adopt") is True,
        shared_with=tuple(shared_with),
        moved_from=reader.giver(body),
        where=reader.document.key(path),
    )
    return Placed(value, path, body)


def _role(name: str, body: Mapping[str, Any], path: KeyPath, reader: _Reader) -> Placed[model.TenantRole]:
    privileges, comment = _privileges(body, path, reader), text(body, "comment")
    value = model.TenantRole(
        reader.filled(name),
        privileges=_values(privileges),
        comment=None if comment is None else reader.filled(comment),
        adopt=body.get("adopt") is True,
        moved_from=reader.giver(body),
        where=reader.document.key(path),
    )
    return Placed(value, path, body, privileges)


def _user(name: str, body: Mapping[str, Any], path: KeyPath, reader: _Reader) -> Placed[model.TenantUser]:
    privileges, roles = _privileges(body, path, reader), _roles(body, path, reader)
    auth: model.Auth = "iam" if body.get("auth") == "iam" else "password"
    hosts = tuple(map(reader.filled, words(body, "host"))) or ("%",)
    rotated = reader.rotation.of_user(body)
    value = model.TenantUser(
        reader.filled(name),
        privileges=_values(privileges),
        adopt=body.get("adopt") is True,
        rotate_after_days=0 if auth == "iam" else rotated.days,
        rotate_window=None if auth == "iam" else rotated.window,
        rotation=model.OWN if auth == "iam" else rotated.function,
        hosts=hosts,
        options=options.declared(body, reader.stage, auth=auth, max_user_connections=reader.max_user_connections),
        auth=auth,
        roles=_values(roles),
        default_roles=_default_roles(body, reader),
        on_remove=_user_on_remove(body),
        moved_from=reader.giver(body),
        renamed_from=reader.filled(text(body, "renamed_from") or "") or None,
        where=reader.document.key(path),
    )
    return Placed(value, path, body, privileges, roles)


def _roles(body: Mapping[str, Any], path: KeyPath, reader: _Reader) -> tuple[Placed[model.RoleGrant], ...]:
    granted = []
    for place, entry in entries(body, "roles", path):
        name, members = entry if isinstance(entry, str) else text(mapping(entry), "role"), mapping(entry)
        if name is not None:
            value = model.RoleGrant(
                reader.filled(name), members.get("admin_option") is True, reader.document.key(place)
            )
            granted.append(Placed(value, place, members))
    return tuple(granted)


def _default_roles(body: Mapping[str, Any], reader: _Reader) -> tuple[str, ...] | None:
    if isinstance(body.get("default_roles"), list):
        return tuple(reader.filled(name) for _, name in texts(body, "default_roles"))
    return () if (text(body, "default_roles") or "").upper() == "NONE" else None


def _privileges(body: Mapping[str, Any], path: KeyPath, reader: _Reader) -> tuple[Placed[model.Privilege], ...]:
    return tuple(
        Placed(_privilege(entry, place, reader), place, entry)
        for place, entry in entries(body, "privileges", path)
        if isinstance(entry, dict)
    )


def _privilege(body: Mapping[str, Any], path: KeyPath, reader: _Reader) -> model.Privilege:
    procedure, function = text(body, "procedure"), text(body, "function")
    return model.Privilege(
        permissions=_permissions(words(body, "permission")),
        database=reader.filled(text(body, "database") or ""),
        table=reader.filled(text(body, "table") or "*"),
        columns=tuple(column for _, column in texts(body, "columns")),
        grant_option=body.get("grant_option") is True,
        procedure=reader.filled(procedure) if procedure else None,
        function=reader.filled(function) if function else None,
        when_missing="skip" if body.get("when_missing") == "skip" else "fail",
        where=reader.document.key(path),
    )


@lru_cache
def _permissions(written: tuple[str, ...]) -> tuple[str, ...]:
    """The names of what an entry grants, each once. Most entries of a file are like others."""
    return tuple(dict.fromkeys(name for text in written for name in privilege_names(text)))


def _canonical(name: str | None) -> str | None:
    """The name of a character set or a collation as MySQL 8 has it: `utf8` is the old name of utf8mb3."""
    if not name:
        return None
    first, *rest = name.lower().split("_")
    return "_".join(["utf8mb3" if first == "utf8" else first, *rest])


def _on_remove(body: Mapping[str, Any], default: model.OnRemove) -> model.OnRemove:
    value = body.get("on_remove")
    return value if value in ("retain", "drop") else default


def _outputs(body: Mapping[str, Any], default: model.Outputs) -> model.Outputs:
    value = body.get("outputs")
    return value if value in ("stack", "ssm") else default


def _user_on_remove(body: Mapping[str, Any]) -> model.UserOnRemove | None:
    value = body.get("on_remove")
    return value if value in ("drop", "lock", "keep") else None
