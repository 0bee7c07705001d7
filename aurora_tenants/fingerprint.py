"""What a plan was made from, in digests: enough to say later whether any of it has moved, and what. Pure.

    before = fingerprint(configuration, live, deployed, place, entries, only)
    differences(before, fingerprint(…))      ("MySQL: user app@% was changed (privileges)", …)

Seven sections, each of things by name with what is said of each, its aspects:

file       tenants.yaml: each tenant, the cluster, what is ignored, who is of which group of the rollout. Its meaning,
           so not its comments, order or places
MySQL      databases and accounts that the file names or a stack owns, with owners, shares and privileges; the server
missing    tables, columns and routines that the file names, and that are not there
stacks     the shared stack, each tenant's, the pause schedule's; names that other stacks have taken
schedules  those of the pause schedule
secrets    those that differ from what their stacks say, and what heals them
planned    what is then to be done of each tenant, and who can get in where

What changes by itself is in none: passwords, how many objects run as an account, how many connections the server takes,
the cluster's capacity; nor how much is in a database that would be dropped, once it is anything. Whatever else decides
what is done, though no other section has it, is in what is planned.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from typing import Any, NamedTuple

from aurora_tenants.model import Configuration, Rollout, Tenant
from aurora_tenants.mysql.grants import Grant, by_account
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.state import Contents, Database, Live, Server, State, User
from aurora_tenants.naming import DIGEST, REVISION, pause_stack, stack_name
from aurora_tenants.plan import Plan, is_about_schedule
from aurora_tenants.schedule.template import Entry
from aurora_tenants.stack import Deployed, Shared, Stack, Template
from aurora_tenants.tenant.plan import TenantPlan

# What is said of a thing: a digest, or a word that means something to people.
Aspects = Mapping[str, str]
Section = Mapping[str, Aspects]

# Digits of a digest. No two states of one thing are to share it by accident; whoever writes the file can have any.
_DIGITS = 12
# Aspects that are said as they are; of all others only that they have changed.
_READABLE = frozenset(
    ("status", "template", "version", "action", "cluster", "healed by", "contents", "state", "stop_after")
)


class Place(NamedTuple):
    """Where it was read. cluster: the ARN. stack: the shared stack's name."""

    account: str
    region: str
    cluster: str
    stack: str


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What everything was at one time. Each section is of things by name. secrets, planned: None until there is a plan:
    lists of secrets may be old, and what seems to differ is only looked at for a plan.
    """

    place: Place
    file: Section = field(default_factory=dict)
    mysql: Section = field(default_factory=dict)
    missing: Section = field(default_factory=dict)
    stacks: Section = field(default_factory=dict)
    schedules: Section = field(default_factory=dict)
    secrets: Section | None = None
    planned: Section | None = None


def fingerprint(
    configuration: Configuration,
    live: Live,
    deployed: Deployed,
    place: Place,
    schedules: Iterable[Entry] | None = (),
    *,
    only: Collection[str] = (),
) -> Fingerprint:
    """Of the three inputs, before a plan is made of them. only: the tenants that it is about; all when empty.

    schedules: what EventBridge Scheduler holds of the pause schedule; None where its group is gone.
    """
    scope = _Scope(configuration, live.server, only)
    return Fingerprint(
        place,
        dict(_file(configuration, scope)),
        dict(_mysql(live, scope)),
        dict(_missing(live.state, scope)),
        dict(_stacks(deployed, scope)),
        _schedules(schedules) if scope.has_schedule else {},
    )


def with_plan(inputs: Fingerprint, plan: Plan) -> Fingerprint:
    """With what is known of secrets, and is to be done, once a plan is made of these inputs."""
    return replace(inputs, secrets=dict(_secrets(plan)), planned=dict(_planned(plan)))


def place_moved(before: Place, account: str, region: str) -> tuple[str, ...]:
    """A sentence if a plan was made for another account or region."""
    pairs = (("account", before.account, account), ("region", before.region, region))
    return tuple(f"the plan was made for {noun} {old}, and this is {new}" for noun, old, new in pairs if old != new)


def differences(before: Fingerprint, now: Fingerprint) -> tuple[str, ...]:
    """A sentence for each thing that is not as it was; none when nothing has moved.

    What follows from others is not said beside them: what is planned only where the secrets and all inputs are as they
    were, and secrets only where the inputs are; both once they are known on both sides.
    """
    place = place_moved(before.place, now.place.account, now.place.region)
    if before.place.stack != now.place.stack:
        place += (f"the plan was made for shared stack {before.place.stack}, and the file names {now.place.stack}",)
    elif before.place.cluster != now.place.cluster:
        place += (f"the plan was made for cluster {before.place.cluster}, and this is {now.place.cluster}",)
    if place:
        return place  # everything else differs because of it
    return (
        (
            *_moved("tenants.yaml", "was added", "was taken out", before.file, now.file),
            *_moved("MySQL", "was made", "was dropped", before.mysql, now.mysql),
            *_moved("MySQL", "is not there any more", "is there now", before.missing, now.missing),
            *_moved("CloudFormation", "was made", "was deleted", before.stacks, now.stacks),
            *_moved("EventBridge Scheduler", "was made", "was deleted", before.schedules, now.schedules),
        )
        or tuple(_moved("Secrets Manager", "differs now", "differs no more", before.secrets, now.secrets))
        or tuple(_moved("the plan", "was added", "was taken out", before.planned, now.planned))
    )


def _moved(whose: str, made: str, gone: str, before: Section | None, now: Section | None) -> Iterator[str]:
    if before is None or now is None:
        return
    for name in sorted({*before, *now}):
        if name not in before:
            yield f"{whose}: {name} {made}"
        elif name not in now:
            yield f"{whose}: {name} {gone}"
        elif before[name] != now[name]:
            yield f"{whose}: {name} was changed ({_which(before[name], now[name])})"


def _which(before: Aspects, now: Aspects) -> str:
    """`status CREATE_COMPLETE, now UPDATE_COMPLETE; outputs`."""
    changed = [aspect for aspect in {**before, **now} if before.get(aspect) != now.get(aspect)]
    said = (
        f"{aspect} {before.get(aspect) or 'none'}, now {now.get(aspect) or 'none'}" if aspect in _READABLE else aspect
        for aspect in changed
    )
    return "; ".join(said)


class _Scope:
    """What a plan looks at: everything of the file and of its stacks, or what concerns some tenants alone."""

    def __init__(self, configuration: Configuration, server: Server, only: Collection[str]) -> None:
        self.cluster, self._server = configuration.cluster, server
        self.is_whole, self._only = not only, self._with_givers(configuration.tenants, {*only})
        self.has_schedule = is_about_schedule(only)
        self.tenants = [tenant for tenant in configuration.tenants if self.has_tenant(tenant.name)]
        self._stacks = {stack_name(self.cluster, name) for name in self._only}
        self._users = {name for tenant in self.tenants for name in _user_names(tenant)}
        self._databases = {server.stored(name) for tenant in self.tenants for name in _database_names(tenant)}

    @staticmethod
    def _with_givers(tenants: Iterable[Tenant], only: set[str]) -> set[str]:
        """With the tenants that something moves from."""
        givers = (thing.moved_from for tenant in tenants if tenant.name in only for thing in _movable(tenant))
        return only.union(name for name in givers if name)

    def has_tenant(self, name: str) -> bool:
        return self.is_whole or name in self._only

    def has_user(self, name: str, owner: Owner | None = None) -> bool:
        return name in self._users or self._owns(owner)

    def has_database(self, database: Database) -> bool:
        return self._server.stored(database.name) in self._databases or self._owns(database.owner)

    def names_database(self, name: str) -> bool:
        return name in self._databases

    def _owns(self, owner: Owner | None) -> bool:
        return owner is not None and (self.is_whole or owner.stack in self._stacks)


def _movable(tenant: Tenant) -> Iterator[Any]:
    return iter((*tenant.databases, *tenant.users_and_roles))


def _user_names(tenant: Tenant) -> Iterator[str]:
    yield from (each.name for each in tenant.users_and_roles)
    yield from (user.renamed_from for user in tenant.users if user.renamed_from)


def _database_names(tenant: Tenant) -> Iterator[str]:
    yield from (database.name for database in tenant.databases)
    yield from (privilege.database for each in tenant.users_and_roles for privilege in each.privileges)


def _file(configuration: Configuration, scope: _Scope) -> Iterator[tuple[str, Aspects]]:
    yield "cluster", {"cluster": configuration.cluster.stack, "settings": _digest(configuration.cluster)}
    yield "ignore", {"globs": _digest(configuration.ignore)}
    if configuration.rollout:
        yield "the rollout", _rollout(configuration.rollout, scope.tenants)
    for tenant in scope.tenants:
        parts = (("databases", tenant.databases), ("users", tenant.users), ("roles", tenant.roles))
        aspects = {noun: _digest(_by_name(things)) for noun, things in parts if things}
        yield f"tenant {tenant.name}", aspects


def _rollout(rollout: Rollout, tenants: Iterable[Tenant]) -> Aspects:
    """Of what it means for these tenants: not the globs, but who is of which group."""
    group_of = {tenant.name: rollout.group_of(tenant.name) for tenant in tenants}
    groups = [
        (group.name, group.pauses, sorted(name for name, it in group_of.items() if it is group))
        for group in rollout.groups
        if group in group_of.values()
    ]
    return {"stop_after": str(rollout.stop_after), "groups": _digest(groups)}


def _by_name(things: Iterable[Any]) -> list[Any]:
    return sorted(things, key=lambda thing: str(thing.name))


def _mysql(live: Live, scope: _Scope) -> Iterator[tuple[str, Aspects]]:
    server, state = live
    # How many connections it takes follows from its capacity; it decides nothing that is done.
    steady = server._replace(max_connections=0, max_user_connections=0)
    yield "the server", {"version": server.version, "variables": _digest(steady._replace(version=""))}
    for name, database in state.databases.items():
        if scope.has_database(database):
            yield f"database {name}", _database(database, state.contents.get(name))
    users = {account: user for account, user in state.users.items() if scope.has_user(account.user, user.owner)}
    grants = by_account(grant for grant in state.grants if grant.account in users)
    for account, user in users.items():
        yield f"{'role' if user.is_role else 'user'} {account.entry}", _user(user, grants.get(account, ()))
    for account, objects in state.definers.items():
        if objects and scope.has_user(account.user):
            yield f"what runs as {account.entry}, who is not there,", {"definers": "some"}


def _missing(state: State, scope: _Scope) -> Iterator[tuple[str, Aspects]]:
    for known, objects in (("missing", state.missing), ("not to be seen", state.unseen)):
        for it in objects:
            if scope.names_database(it.database):
                yield f"{it.level.lower()} {'.'.join(filter(None, it[1:]))}", {"state": known}


def _database(database: Database, contents: Contents | None) -> Aspects:
    """contents: of one that would be dropped."""
    plain = database._replace(name="", owner=None, shared_with=frozenset(), withdrawn_from=frozenset())
    return {
        "character set": _digest(plain),
        "owner": _digest(database.owner),
        "shares": _digest((database.shared_with, database.withdrawn_from)),
        **({"contents": "some" if contents.tables else "no table"} if contents else {}),
    }


def _user(user: User, grants: Iterable[Grant]) -> Aspects:
    return {
        "privileges": _digest(sorted((*grant.scope, grant.privilege) for grant in grants)),
        "options": _digest(user._replace(owner=None, objects=bool(user.objects))),
        "owner": _digest(user.owner),
    }


def _schedules(entries: Iterable[Entry] | None) -> Section:
    there = None if entries is None else sorted(entries, key=lambda entry: entry.name)
    return {"the pause schedule": {"schedules": _digest(there)}}


def _stacks(deployed: Deployed, scope: _Scope) -> Iterator[tuple[str, Aspects]]:
    if deployed.shared:
        yield f"stack {deployed.shared.stack}", _shared(deployed.shared)
    for tenant, stack in deployed.tenants.items():
        if scope.has_tenant(tenant):
            yield f"stack {stack.name}", _stack(stack)
    wanted = {stack_name(scope.cluster, tenant.name) for tenant in scope.tenants} | {pause_stack(scope.cluster)}
    for name in deployed.others & wanted:
        yield f"stack {name}, of somebody else,", {}
    if scope.has_schedule and deployed.pause_schedule:
        yield f"stack {deployed.pause_schedule.name}", _stack(deployed.pause_schedule)


def _shared(shared: Shared) -> Aspects:
    return {"status": shared.status, "version": str(shared.version), "outputs": _digest(shared)}


def _stack(stack: Stack) -> Aspects:
    parameters = {name: value for name, value in stack.parameters.items() if name != REVISION}
    outputs = {name: value for name, value in stack.outputs.items() if name != DIGEST}
    return {
        "status": stack.status,
        "template": "changed by hand" if stack.is_edited else stack.outputs.get(DIGEST, ""),
        "revision": _digest(stack.revision),
        "parameters": _digest(parameters),
        "outputs": _digest(outputs),
        "id": stack.id,
        "role": stack.role_arn,
    }


def _secrets(plan: Plan) -> Iterator[tuple[str, Aspects]]:
    """What heals each, not the words in which a difference is said: these change by themselves."""
    heals: dict[str, list[str]] = {}
    for tenant in plan.tenants:
        for drift in tenant.secrets:
            heals.setdefault(drift.secret, []).extend(drift.heals)
    for secret, found in heals.items():
        yield f"secret {secret}", {"healed by": ", ".join(sorted(found))}


def _planned(plan: Plan) -> Iterator[tuple[str, Aspects]]:
    for tenant in plan.tenants:
        if tenant.stack.is_changed or tenant.changes or tenant.refusals:
            yield f"tenant {tenant.name}", _tenant(tenant)
    if plan.schedule and plan.changes_schedule:
        stack, changes = plan.schedule.stack, plan.schedule.changes
        yield "the pause schedule", {"action": stack.action, "stack": _digest(stack), "schedules": _digest(changes)}
    getting_in = {**dict.fromkeys(plan.isolation.breaches, "has"), **dict.fromkeys(plan.isolation.opened, "gets")}
    access: dict[str, list[Any]] = {}
    for summary, how in getting_in.items():
        access.setdefault(summary.account.entry, []).append((how, sorted(summary.databases)))
    for watcher in plan.watchers:
        access.setdefault(watcher.account.entry, []).append(("watches", watcher.role))
    for entry, reached in access.items():
        yield f"the access of {entry} to others' databases", {"databases": _digest(sorted(reached, key=_text))}


def _tenant(plan: TenantPlan) -> Aspects:
    return {
        "action": plan.stack.action,
        "stack": _digest(plan.stack),
        "statements": _digest([change.statement for change in plan.changes]),
        "what is not its to take": _digest((plan.refusals, plan.not_shared)),
        "moves": _digest(plan.moves),
        "what waits": _digest(plan.waits),
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(_text(value).encode()).hexdigest()[:_DIGITS]


def _text(value: Any) -> str:
    """Equal values have the same text, in every process."""
    return _ENCODER.encode(value)


def _plain(value: Any) -> Any:
    """What json does not know. Of a dataclass, what decides whether two are equal: not the places of a file."""
    if isinstance(value, Template):
        return value.digest
    kind: Any = type(value)
    if is_dataclass(value):
        return {name: getattr(value, name) for name in _compared(kind)}
    if isinstance(value, frozenset):
        return sorted(value, key=_text)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no digest")


@cache
def _compared(kind: Any) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind) if each.compare)


_ENCODER = json.JSONEncoder(default=_plain, sort_keys=True, check_circular=False)
