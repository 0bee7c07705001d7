"""What moves, what gets another name, what is taken over and what goes: words that cannot be or contradict each other.

moved_from      of a database, a user or a role: the tenant that it comes from; of a tenant: of all that it has
renamed_from    of a user: the name that it had in the same tenant
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aurora_tenants.config.declared import DeclaredTenant, Placed
from aurora_tenants.config.names import placeholders, spelling
from aurora_tenants.config.ownership import Owned, by_name
from aurora_tenants.config.reading import STAGE, mapping, text
from aurora_tenants.config.wording import Fault, PlacedFault, at, did_you_mean, shown
from aurora_tenants.config.yaml_file import Document
from aurora_tenants.errors import Problem
from aurora_tenants.model import TenantUser


def problems(document: Document, tenants: tuple[DeclaredTenant, ...]) -> Iterator[Problem]:
    """Every move and every renaming that cannot be, and everything to be taken over that is to be dropped as well."""
    users = by_name([(tenant, user) for tenant in tenants for user in tenant.grantees])
    first: dict[str, Owned] = {}
    for tenant in tenants:
        body = mapping(document.data["tenants"][tenant.path[1]])
        for path, fault in _stages(tenant, mapping(body.get("moved_from"))):
            yield tenant.problem(path, fault, at_key=True)
        for path, fault in (*_tenant(tenant, body), *_members(tenant)):
            yield tenant.problem(path, fault)
        for user in tenant.users:
            for path, fault in _renamed(tenant, user, users, first):
                yield tenant.problem(path, fault)


def _stages(tenant: DeclaredTenant, givers: Mapping[str, Any]) -> Iterator[PlacedFault]:
    for stage in givers:
        if stage not in tenant.stages:
            what = f"tenant {shown(tenant.path[1])} has no stage {shown(stage)}"
            why = "a mapping under moved_from says of each stage which tenant it comes from"
            fix = did_you_mean(str(stage), tenant.stages, "write the name of the tenant alone, or add the stage")
            yield (*tenant.path, "moved_from", stage), ("unknown-stage", what, why, fix)


def _tenant(tenant: DeclaredTenant, body: Mapping[str, Any]) -> Iterator[PlacedFault]:
    path, each = (*tenant.path, "moved_from"), mapping(body.get("moved_from"))
    if of_stage := text(each, tenant.stage or ""):
        yield from at((*path, str(tenant.stage)), _giver(tenant, of_stage))
    written = text(body, "moved_from")
    if written and len(tenant.stages) > 1 and STAGE not in written:
        what = f"every stage of {shown(tenant.path[1])} would come from {shown(written)}"
        why = "each stage is a tenant of its own, and comes from one of its own"
        fix = f"write {shown(written)}-{STAGE}, or say which stage it is: {{{tenant.stages[-1]}: {shown(written)}}}"
        yield path, ("name-without-stage", what, why, fix)
    elif written:
        yield from at(path, _giver(tenant, written))


def _members(tenant: DeclaredTenant) -> Iterator[PlacedFault]:
    for member in (*tenant.databases, *tenant.roles, *tenant.users):
        if written := text(member.body, "moved_from"):
            yield from at((*member.path, "moved_from"), _giver(tenant, written))
    for noun, members in (("database", tenant.databases), ("user", tenant.users)):
        for member in members:
            if member.body.get("adopt") is True and member.body.get("on_remove") == "drop":
                what = f"this {noun} is to be taken over, and dropped when it is removed"
                why = f"what is taken over was somebody's before, so an adopted {noun} is never dropped"
                fix = "remove on_remove, or remove adopt if the tenant makes it"
                yield (*member.path, "on_remove"), ("adopt-and-drop", what, why, fix)


def _giver(tenant: DeclaredTenant, written: str) -> Iterator[Fault]:
    """The faults of a tenant's name under moved_from."""
    yield from placeholders(tenant, written)
    yield from spelling("tenant", tenant.filled(written))
    if tenant.filled(written) == tenant.value.name:
        what = f"moved_from is {shown(tenant.value.name)}, the tenant itself"
        why, fix = "what moves comes from another tenant", "write the tenant that has it now, or remove moved_from"
        yield "moved-from-itself", what, why, fix


def _renamed(
    tenant: DeclaredTenant, user: Placed[TenantUser], names: Mapping[str, Owned], first: dict[str, Owned]
) -> Iterator[PlacedFault]:
    """The faults of renamed_from. names: all users and roles. first: who has each old name, so far."""
    written, path = text(user.body, "renamed_from"), (*user.path, "renamed_from")
    if not written:
        return
    old = tenant.filled(written)
    yield from at(path, [*placeholders(tenant, written), *spelling("user", old)])
    if old == user.value.name:
        what, why = f"renamed_from is {shown(old)}, the user itself", "who is renamed had another name before"
        yield path, ("renamed-from-itself", what, why, "write the old name, or remove renamed_from")
    elif len(tenant.stages) > 1 and STAGE not in written:
        what = f"the users of every stage would have been called {shown(written)}"
        why = "each stage is a tenant of its own, and a user belongs to one tenant"
        yield path, ("name-without-stage", what, why, f"write {shown(written)}-{STAGE}")
    elif old in names:
        what, where = f"{shown(old)} is still in the file", tenant.document.key(names[old][1].path)
        why = f"it is declared at {where}, and a user that is renamed has its old name no more"
        yield path, ("renamed-and-kept", what, why, "remove it there, or remove renamed_from")
    elif first.setdefault(old, (tenant, user))[1].path != user.path:
        other = first[old][1]
        what = f"users {shown(other.value.name)} and {shown(user.value.name)} were both called {shown(old)}"
        why = f"the other is at {tenant.document.key(other.path)}, and one user has one new name"
        yield path, ("renamed-twice", what, why, "remove one of the two")
    yield from at(path, _at_once(user))


def _at_once(user: Placed[TenantUser]) -> Iterator[Fault]:
    """What cannot happen to a user while it is renamed."""
    if user.value.moved_from:
        what = f"this user is renamed and comes from tenant {shown(user.value.moved_from)} at once"
        why, fix = "each is an apply of its own", "remove renamed_from, apply, and rename it then"
        yield "renamed-and-moved", what, why, fix
    if user.value.adopt:
        what = "this user is renamed and taken over at once"
        why = "who is renamed is the tenant's already, with its password and its rights"
        yield "renamed-and-adopted", what, why, "remove adopt; what was adopted stays so"
