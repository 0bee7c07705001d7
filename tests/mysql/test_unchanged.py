"""What is said to hold without a look at the changes holds: compared with the changes, for random pairs of states."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from aurora_tenants.mysql.changes import Change, canonical, changes
from aurora_tenants.mysql.grants import (
    ADMIN_OPTION,
    GRANT_OPTION,
    MEMBER,
    Grant,
    Scope,
    as_stored,
    normalise,
    role_scope,
)
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import IAM_PLUGIN, Options, Require
from aurora_tenants.mysql.owners import Owner, offered
from aurora_tenants.mysql.resource import _by_resource, _logical_id, changes_and_passwords, changes_by_resource
from aurora_tenants.mysql.state import Database, Restriction, Server, State, User
from aurora_tenants.mysql.unchanged import holds

SERVER = Server("8.0.42", False, "caching_sha2_password", charset="utf8mb4", collation="utf8mb4_0900_ai_ci")
STACK = "shared-shop"
NAMES = ("shop", "shop_app", "Shop")
HOSTS = ("%", "10.%", "localhost")
ROLES = (Account("reader"), Account("writer"), Account("AWS_LAMBDA_ACCESS"))
DATABASES = ("shop", "shop_dev")
CHARSETS = (None, "utf8mb4", "UTF8MB4", "utf8", "latin1")
COLLATIONS = (None, "utf8mb4_bin", "UTF8MB4_BIN", "utf8_bin")
SCOPES = (
    *(Scope("DATABASE", name) for name in ("shop", "shop_dev", "shop\\_dev", "other")),
    *(Scope("TABLE", "shop", table) for table in ("a", "b")),
    *(Scope("COLUMN", "shop", "a", column) for column in ("id", "ID", "country")),
    *(Scope("PROCEDURE", "shop", routine) for routine in ("clean", "säubern")),
    *(role_scope(role) for role in ROLES),
    Scope("GLOBAL"),
    Scope("DYNAMIC", name="FLUSH_STATUS"),
)
NOT_ASKED_FOR = "auth_socket"
OPTIONS: dict[str, tuple[Any, ...]] = {
    "require": (Require(), Require("SSL"), Require("SPECIFIED", "/CN=a"), Require("SPECIFIED", "/CN=b")),
    **dict.fromkeys(("max_queries_per_hour", "max_updates_per_hour", "max_connections_per_hour"), (0, 1, 20)),
    "max_user_connections": (0, 1, 20),
    "is_locked": (False, True),
    **dict.fromkeys(("expire_after_days", "history", "reuse_after_days"), (None, 0, 90)),
    "require_current": (None, False, True),
    "plugin": (None, "caching_sha2_password", "mysql_native_password", IAM_PLUGIN, NOT_ASKED_FOR),
    "comment": (None, "", "of the shop", "of the Shop"),
}
OF_USER: dict[str, tuple[Any, ...]] = {
    "default_roles": (frozenset(), frozenset(ROLES[:1]), frozenset(ROLES[:2])),
    "is_role": (False, True),
    "has_no_password": (False, True),
    "restrictions": ((), (Restriction("shop", frozenset({"SELECT"})),)),
    "objects": (0, 3),
    "is_expired": (False, True),
}
OF_DATABASE: dict[str, tuple[Any, ...]] = {
    "charset": CHARSETS,
    "collation": COLLATIONS,
    "shared_with": (frozenset(), frozenset({"shared-a"}), frozenset({"shared-a", "shared-b"})),
    "withdrawn_from": (frozenset(), frozenset({STACK}), frozenset({"shared-a"})),
}


def _privileges(scope: Scope) -> tuple[str, ...]:
    of_level = {
        "COLUMN": ("SELECT", "REFERENCES"),
        "PROCEDURE": ("EXECUTE",),
        "ROLE": (MEMBER, ADMIN_OPTION),
        "GLOBAL": ("PROCESS",),
        "DYNAMIC": (scope.name, GRANT_OPTION),
    }
    return of_level.get(scope.level, ("SELECT", "INSERT", "REFERENCES", GRANT_OPTION))


def _grant(chance: random.Random, account: Account) -> Grant:
    scope = chance.choice(SCOPES)
    return Grant(account, scope, chance.choice(_privileges(scope)))


def _owner(chance: random.Random, resource: str) -> Owner | None:
    mine = Owner(STACK, resource, "/shared/database/shop", chance.random() < 0.3, stack_id="1")
    return chance.choice(
        (
            *(
                mine,
                mine,
                mine,
                mine._replace(stack_id="2"),
                mine._replace(secret="other"),
                mine._replace(adopted=True),
            ),
            *(mine._replace(resource="UserOther"), mine._replace(released=True), mine._replace(stack="shared-other")),
            *(offered(mine, "shared-other"), offered(mine._replace(stack="shared-other"), STACK), None),
        )
    )


def _wanted(chance: random.Random) -> State:
    """A desired state, whose owners may be odd and whose grants may not be in normal form."""
    databases = {}
    for name in DATABASES[: chance.randrange(3)]:
        charset, collation = chance.choice(CHARSETS), chance.choice(COLLATIONS)
        database = Database(name, charset, collation, Owner(STACK, f"Database{name}", stack_id="1"))
        databases[name] = database._replace(shared_with=chance.choice(OF_DATABASE["shared_with"]))
    users = {}
    for number, name in enumerate(chance.sample(NAMES, chance.randrange(1, 4))):
        options = Options(**{option: chance.choice(some[:2]) for option, some in OPTIONS.items()})
        owner = Owner(STACK, f"User{number}", "/shared/database/shop", chance.random() < 0.3, stack_id="1")
        defaults = chance.choice(OF_USER["default_roles"])
        owner = owner._replace(released=chance.random() < 0.1)
        is_role = chance.random() < 0.2
        for host in chance.sample(HOSTS, 1 if is_role else chance.randrange(1, 3)):
            account = Account(name, host)
            users[account] = User(account, owner, options, defaults, is_role=is_role)
    found = frozenset(_grant(chance, account) for account in users for _ in range(chance.randrange(6)))
    return State(databases, users, normalise(found) if chance.random() < 0.9 else found)


def _as_live(desired: State) -> State:
    """What a server holds of it: no option is None that MySQL does not leave out."""
    databases = {
        name: it._replace(
            charset=canonical(it.charset or "utf8mb4"), collation=canonical(it.collation or "utf8mb4_bin")
        )
        for name, it in desired.databases.items()
    }
    users = {account: it._replace(options=_told(it.options)) for account, it in desired.users.items()}
    return State(databases, users, desired.grants)


def _told(options: Options) -> Options:
    return options._replace(plugin=options.plugin or "caching_sha2_password", comment=options.comment or "")


def _mutated(chance: random.Random, state: State) -> State:
    """The state with one field of one thing changed."""
    return chance.choice((_with_database, _with_user, _with_user, _with_account, _with_grants, _with_grants))(
        chance, state
    )


def _with_database(chance: random.Random, state: State) -> State:
    if not state.databases:
        return state
    name = chance.choice(sorted(state.databases))
    field = chance.choice((*OF_DATABASE, "owner", "gone"))
    if field == "gone":
        return replace(state, databases={it: state.databases[it] for it in state.databases if it != name})
    value = _owner(chance, f"Database{name}") if field == "owner" else chance.choice(OF_DATABASE[field])
    return replace(state, databases={**state.databases, name: state.databases[name]._replace(**{field: value})})


def _with_user(chance: random.Random, state: State) -> State:
    if not state.users:
        return state
    account = chance.choice(sorted(state.users))
    user = state.users[account]
    field = chance.choice((*OF_USER, *OPTIONS, "owner"))
    if field in OPTIONS:
        user = user._replace(options=user.options._replace(**{field: chance.choice(OPTIONS[field])}))
    else:
        resource = user.owner.resource if user.owner else "User0"
        value = _owner(chance, resource) if field == "owner" else chance.choice(OF_USER[field])
        user = user._replace(**{field: value})
    return replace(state, users={**state.users, account: user})


def _with_account(chance: random.Random, state: State) -> State:
    """With one account more, one less, or one that is called otherwise."""
    if not state.users:
        return state
    account = chance.choice(sorted(state.users))
    user, how = state.users[account], chance.choice(("more", "gone", "other"))
    others = {it: state.users[it] for it in state.users if it != account}
    grants = state.grants if how == "more" else frozenset(it for it in state.grants if it.account != account)
    new = Account(chance.choice((account.user, "shop_old")), chance.choice(HOSTS))
    if how == "gone" or new in state.users:
        return replace(state, users=others, grants=grants)
    given = {Grant(new, it.scope, it.privilege) for it in state.grants if it.account == account}
    owner = chance.choice((user.owner, _owner(chance, "UserOther")))
    users = {**(state.users if how == "more" else others), new: user._replace(account=new, owner=owner)}
    return replace(state, users=users, grants=grants | (given if chance.random() < 0.5 else frozenset()))


def _with_grants(chance: random.Random, state: State) -> State:
    if not state.users:
        return state
    held = sorted(state.grants)
    how = chance.choice(("more", "gone", "case", "table", "spelling"))
    if how == "more" or not held:
        return replace(state, grants=state.grants | {_grant(chance, chance.choice(sorted(state.users)))})
    of_how: dict[str, Callable[[Grant], bool]] = {
        "case": lambda grant: bool(grant.scope.column),
        "table": lambda grant: bool(grant.scope.column),
        "spelling": lambda grant: grant.scope.level == "DATABASE",
        "gone": lambda _: True,
    }
    fitting = [grant for grant in held if of_how[how](grant)]
    if not fitting:
        return state
    grant = chance.choice(fitting)
    scope = grant.scope
    if how == "case":
        scope = scope._replace(column=scope.column.swapcase())
    elif how == "table":
        scope = Scope("TABLE", scope.database, scope.name)
    elif how == "spelling":
        scope = scope._replace(database=scope.database.replace("\\", "") if "\\" in scope.database else "shop\\_dev")
    left = state.grants - {grant} if how == "gone" or chance.random() < 0.5 else state.grants
    return replace(state, grants=left | (frozenset() if how == "gone" else {grant._replace(scope=scope)}))


def _pair(chance: random.Random) -> tuple[State, State, int]:
    """What is desired and what is live, which differ in so many things at most."""
    desired = _wanted(chance)
    live, count = _as_live(desired), chance.choice((0, 1, 1, 1, 2, 3))
    for _ in range(count):
        if chance.random() < 0.7:
            live = _mutated(chance, live)
        else:
            desired = _mutated(chance, desired)
    if chance.random() < 0.2:  # what is somebody else's, and of the same name
        other = Account(chance.choice(NAMES), "192.0.2.1")
        live = replace(live, users={**live.users, other: User(other, options=_told(Options()))})
    users = {account: user for account, user in desired.users.items() if user.options.plugin != NOT_ASKED_FOR}
    grants = frozenset(grant for grant in desired.grants if grant.account in users)
    return replace(desired, users=users, grants=grants), live, count


def _slowly(desired: State, live: State) -> list[tuple[str, tuple[Change, ...]]]:
    parts = _by_resource(desired, live)
    found = ((_logical_id(wanted), changes_and_passwords(wanted, held, SERVER)) for wanted, held in parts)
    return [(logical_id, todo) for logical_id, todo in found if todo]


@pytest.mark.parametrize("seed", range(10))
def test_where_it_is_said_to_hold_nothing_differs(seed: int) -> None:
    """Both ways agree about each of 10,000 random pairs, of which most are nearly equal."""
    chance, said, equal = random.Random(seed), 0, 0
    for _ in range(1000):
        desired, live, count = _pair(chance)
        slowly = _slowly(desired, live)
        if holds(desired, live):
            said += 1
            assert (slowly, changes(desired, live, server=SERVER)) == ([], ())
        equal += not slowly
        quickly = [(logical_id, todo) for logical_id, todo in changes_by_resource(desired, live, server=SERVER) if todo]
        assert quickly == slowly, (desired, live, count)
    assert 200 < said <= equal < 800, "neither all of them are equal nor none"


def test_an_untouched_state_is_said_to_hold() -> None:
    """Otherwise nothing would be gained."""
    chance = random.Random(0)
    for _ in range(1000):
        desired = _wanted(chance)
        if any(user.owner and user.owner.released for user in desired.users.values()):
            continue  # which no desired state is
        held = replace(desired, grants=frozenset(it for it in normalise(desired.grants) if it.scope.column != "ID"))
        assert holds(held, _as_live(held))


def test_only_columns_are_respelled():
    """As if every grant were looked at, over 2,000 random pairs."""
    chance = random.Random(1)
    account = Account("shop")
    for _ in range(2000):
        desired, live = ({_grant(chance, account) for _ in range(chance.randrange(6))} for _ in range(2))
        held = {grant.holding for grant in live if grant.scope.column}
        wanted = sorted(grant.holding for grant in desired if grant.scope.column)
        in_order = (*wanted, *sorted(held), *(holding for holding in wanted if holding in held))
        spellings = {(it, scope._replace(column=scope.column.lower())): scope for it, scope in in_order}
        every = ((grant, grant.scope._replace(column=grant.scope.column.lower())) for grant in desired)
        assert as_stored(desired, live) == {
            grant._replace(scope=spellings.get((grant.account, folded), grant.scope)) for grant, folded in every
        }
