"""What goes from one tenant to another, or gets another name, with everything that belongs to it. Pure.

The stack that gives something up first records that it is for the one that takes it: it offers it. From then on no
event of the giver's does anything to it, so nothing is dropped, whatever fails in between; and no other stack may have
it. The next apply goes on from there.

    moves = planned_moves(configuration, deployed, live)            Move("database", "shop", "old", "new", "shop")
    offered(live, moves, cluster)                                   what MySQL holds once all of that is offered
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from aurora_tenants.errors import Problem
from aurora_tenants.model import Cluster, Configuration, Tenant, TenantDatabase, TenantRole, TenantUser
from aurora_tenants.mysql.changes import Change, subject
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.owners import Owner, offer
from aurora_tenants.mysql.owners import offered as to_receiver
from aurora_tenants.mysql.state import Database, Live, State, User
from aurora_tenants.naming import logical_id, renamed_users, secret_name, stack_name
from aurora_tenants.stack import Deployed

Kind = Literal["database", "role", "user"]
_OTHER = "apply without it first"


class Move(NamedTuple):
    """One thing that moves. giver, receiver: names of tenants; they are the same where a user is only renamed.

    old: the name that it had before; the same as `name` where only the tenant is another. resource: its logical id in
    the giver's stack. secret: the name of a user's that goes along; empty for none. has_left: the giver's stack has let
    go of it already.
    """

    kind: Kind
    name: str
    giver: str
    receiver: str
    old: str
    resource: str = ""
    secret: str = ""
    has_left: bool = False


def planned_moves(configuration: Configuration, deployed: Deployed, live: Live) -> tuple[Move, ...]:
    """What goes from one tenant to another, as far as it has not arrived yet. `moved_from` is silent afterwards.

    What a tenant has offered to another that has not taken it, and names again, comes back without that word.
    """
    accounts = _accounts_by_name(live.state)
    return tuple(
        move
        for tenant in configuration.tenants
        for thing in _things(tenant)
        for move in _move(configuration.cluster, tenant, thing, deployed, live, accounts)
    )


def _things(tenant: Tenant) -> tuple[TenantDatabase | TenantRole | TenantUser, ...]:
    return (*tenant.databases, *tenant.roles, *tenant.users)


def _accounts_by_name(live: State) -> dict[str, list[User]]:
    by_name: dict[str, list[User]] = {}
    for user in live.users.values():
        by_name.setdefault(user.account.user, []).append(user)
    return by_name


def _move(
    cluster: Cluster,
    tenant: Tenant,
    thing: TenantDatabase | TenantRole | TenantUser,
    deployed: Deployed,
    live: Live,
    accounts: Mapping[str, Iterable[User]],
) -> Iterator[Move]:
    own, moved_from = stack_name(cluster, tenant.name), thing.moved_from or tenant.name
    giver, stack = stack_name(cluster, moved_from), deployed.tenants.get(moved_from)
    held: Iterable[Database | User | None]
    if isinstance(thing, TenantDatabase):
        kind: Kind = "database"
        held = (live.state.databases.get(live.server.stored(thing.name)),)
    else:
        kind, held = "role" if isinstance(thing, TenantRole) else "user", accounts.get(thing.name, ())
    owners = [it.owner for it in held if it and it.owner]
    kept = [it for it in owners if stack and not it.released and it.is_of(Owner(giver, "", stack_id=stack.id))]
    coming = (kept or [it for it in owners if _is_offered(it, giver, own)]) if giver != own else []
    back = [it for it in owners if it.giver == own]
    for owner in (coming or back)[:1]:
        _, _, resource = owner.resource.rpartition("/")
        ids = {resource, f"Secret{resource.removeprefix('User')}"}
        secret = owner.secret if isinstance(thing, TenantUser) and thing.auth == "password" else ""
        if coming:
            has_left = not kept and not (stack and ids & stack.outputs.keys())
            yield Move(kind, thing.name, moved_from, tenant.name, thing.name, resource, secret, has_left)
        else:
            taker = owner.stack.removeprefix(stack_name(cluster, ""))
            yield Move(kind, thing.name, taker, tenant.name, thing.name, resource, secret, has_left=True)


def _is_offered(owner: Owner, giver: str, receiver: str) -> bool:
    return owner.stack == receiver and owner.released and owner.resource.startswith(f"{giver}/")


def offered(live: Live, moves: Collection[Move], cluster: Cluster) -> Live:
    """What MySQL holds once all that moves is offered to the stack that takes it."""
    state = live.state
    databases, users = {**state.databases}, {**state.users}
    for move, name, owner in _given_up(live, moves, cluster):
        if isinstance(name, str):
            databases[name] = databases[name]._replace(owner=to_receiver(owner, stack_name(cluster, move.receiver)))
        else:
            users[name] = users[name]._replace(owner=to_receiver(owner, stack_name(cluster, move.receiver)))
    return live._replace(state=replace(state, databases=databases, users=users))


def _given_up(live: Live, moves: Iterable[Move], cluster: Cluster) -> Iterator[tuple[Move, str | Account, Owner]]:
    """What its giver still owns in MySQL: databases by name, and accounts."""
    server, state = live
    stored = {server.stored(move.name): move for move in moves if move.kind == "database"}
    named = {move.name: move for move in moves if move.kind != "database"}
    for name in sorted(stored.keys() & state.databases.keys()):
        owner = state.databases[name].owner
        if owner and _gives(owner, stored[name], cluster):
            yield stored[name], name, owner
    for account, user in sorted(state.users.items()) if named else ():
        moved = named.get(account.user)
        if moved and user.owner and _gives(user.owner, moved, cluster):
            yield moved, account, user.owner


def _gives(owner: Owner, move: Move, cluster: Cluster) -> bool:
    return owner.stack == stack_name(cluster, move.giver) and not owner.released


def offers(live: Live, moves: Iterable[Move], cluster: Cluster, stack_id: str) -> tuple[Change, ...]:
    """What the provider records for a stack that gives these things up. stack_id: of that stack."""
    names: dict[Move, list[str | Account]] = {}
    for move, name, _ in _given_up(live, tuple(moves), cluster):
        names.setdefault(move, []).append(name)
    found: list[Change] = []
    for move, held in names.items():
        mine, first = Owner(stack_name(cluster, move.giver), move.resource, stack_id=stack_id), held[0]
        entries = [name if isinstance(name, str) else name.entry for name in held]
        kind: Literal["databases", "users"] = "databases" if move.kind == "database" else "users"
        about = f"database {first}" if isinstance(first, str) else subject(first)
        statement = offer(kind, entries, mine, stack_name(cluster, move.receiver))
        found.append(
            Change("offer", about, statement, f"it moves to tenant {move.receiver} as it is; nothing is dropped")
        )
    return tuple(found)


def gifts(moves: Iterable[Move], cluster: Cluster) -> dict[str, str]:
    """By its logical id in the giver's stack, to which stack each thing goes that is still in it."""
    return {move.resource: stack_name(cluster, move.receiver) for move in moves if not move.has_left}


def imports(
    moves: Iterable[Move], resources: Mapping[str, Mapping[str, Any]], outputs: Collection[str]
) -> dict[str, str]:
    """By its logical id in the receiver's template, the name of each secret that comes from another stack.

    outputs: the names of those that the receiver's stack has: a secret among them has arrived.
    """
    names = {move.secret for move in moves if move.secret}
    return {
        name: resource["Properties"]["Name"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::SecretsManager::Secret"
        and resource["Properties"]["Name"] in names
        and name not in outputs
    }


def first_names(tenant: Tenant, outputs: Mapping[str, str], moves: Iterable[Move], cluster: Cluster) -> dict[str, str]:
    """The names with which users of this tenant were made, where they have another one now, or are to get it.

    outputs: of the tenant's stack; what is deployed there decides, because `renamed_from` may stand in the file for
    ever. A user that comes from another tenant keeps its secret, which is called by its first name.
    """
    known, first = renamed_users(outputs), dict[str, str]()
    for user in tenant.users:
        before = known.get(user.renamed_from or "", user.renamed_from or "")
        if user.name in known:
            first[user.name] = known[user.name]
        elif before == user.name:  # which is its first name: the provider has to be told of the one that it has
            first[user.name] = user.name
        elif before and not _ids(user.name) & outputs.keys() and _ids(before) & outputs.keys():
            first[user.name] = before
    prefix = secret_name(cluster, "")
    for move in moves:
        made_as = move.secret.removeprefix(prefix)
        if move.receiver == tenant.name and made_as and made_as != move.name:
            first[move.name] = made_as
    return first


def _ids(user: str) -> set[str]:
    """The outputs that say that a user is deployed."""
    return {logical_id("Secret", user), logical_id("User", user)}


def renames(tenant: Tenant, first: Mapping[str, str], live: State, stack: str) -> tuple[Move, ...]:
    """The users of a tenant that get another name now. first: see first_names."""
    if not first:
        return ()
    owned: dict[str, set[str]] = {}
    for account, held in live.users.items():
        if held.owner and held.owner.stack == stack and not held.owner.released:
            owned.setdefault(held.owner.resource, set()).add(account.user)
    found = []
    for user in tenant.users:
        resource = logical_id("User", first.get(user.name, user.name))
        names = owned.get(resource, set())
        for old in sorted(names - {user.name}) if user.name in first else ():
            found.append(Move("user", user.name, tenant.name, tenant.name, old, resource))
    return tuple(found)


def names_in_use(configuration: Configuration, live: State, deployed: Deployed) -> Iterator[Problem]:
    """Users with a name that another one was made with, whose secret and resources are called by it for ever."""
    users = {user.name: (tenant.name, user) for tenant in configuration.tenants for user in tenant.users}
    prefix = secret_name(configuration.cluster, "")
    made_as = {
        (account.user, first, "")
        for account, user in live.users.items()
        if user.owner and user.owner.secret and (first := user.owner.secret.removeprefix(prefix)) != account.user
        if user.owner.giver or not user.owner.released
    }
    for name, stack in deployed.tenants.items():
        made_as.update((now, first, name) for now, first in renamed_users(stack.outputs).items())
    told = set[str]()
    for now, first, of in sorted(made_as):
        if now == first or first not in users or first in told:
            continue
        (tenant, user), (other, renamed) = users[first], users.get(now, (of, None))
        is_clash = tenant == other or (renamed is not None and renamed.auth == user.auth == "password")
        if is_clash and user.renamed_from != now:
            told.add(first)
            what = f"there can be no other user {first}: user {now} was made with this name"
            why = "its secret and its resources are called by it still, and stay so"
            fix = "choose another name" if renamed else f"if it is the same user: renamed_from: {now}; if not, {_OTHER}"
            yield Problem("name-of-a-renamed-user", what, why, fix, context=f"tenant {tenant}")


def stranded(moves: Mapping[str, Iterable[Move]], deployed: Deployed) -> Iterator[Problem]:
    """Why something cannot move in this run. moves: by the tenants that the run is about."""
    for move in dict.fromkeys(move for of_one in moves.values() for move in of_one):
        if move.has_left or move.giver == move.receiver:
            continue
        what = f"{move.kind} {move.name} cannot go from tenant {move.giver} to tenant {move.receiver}"
        stack = deployed.tenants[move.giver]
        if not {move.giver, move.receiver} <= moves.keys():
            why = "one of the two gives it up and the other one takes it, in one apply"
            fix = f"leave --tenant out, or name both: --tenant {move.giver} --tenant {move.receiver}"
            yield Problem("move-of-one", what, why, fix, context=f"tenant {move.receiver}")
        elif stack.is_only_to_delete:
            why = f"stack {stack.name} is {stack.status}, and CloudFormation takes nothing but its deletion"
            fix = f"put it back into tenant {move.giver} and apply, then move it"
            yield Problem("move-from-failed", what, why, fix, context=f"tenant {move.receiver}")


def definers_of_renamed(moves: Iterable[Move], live: State) -> Iterator[Problem]:
    """Users that cannot get another name, because something runs as them and would not work any more."""
    for move in moves:
        known = ((it, user) for it, user in live.users.items() if it.user == move.old and move.old != move.name)
        for account, user in sorted(known):
            if user.objects:
                objects = f"{user.objects:,} views, routines, triggers or events run as it"
                what = f"{subject(account)} cannot be renamed to {move.name}: {objects}"
                why = "MySQL goes on calling them by the name before, and they would stop working"
                fix = "give them another definer first, or leave the name as it is"
                yield Problem("definer-renamed", what, why, fix, context=f"tenant {move.receiver}")
