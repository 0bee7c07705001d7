"""Random servers whose names, hosts, patterns and roles are made to be confused with each other; as plain values.

A world is made of a seed: hypothesis draws that alone, because thousands of worlds are needed, and drawing each of
their values would take a minute.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from hypothesis import strategies as st

from aurora_tenants.mysql.grants import ADMIN_OPTION, GRANT_OPTION, MEMBER, Grant, Scope, role_scope
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import Options
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.state import Database, Restriction, Server, State, User

STACK = "shared"
TENANTS = ("a_b", "A_b", "axb", "ab")
DATABASES = (*TENANTS, "AXB", "a_b_c", "a%b", "a\\_b", "i̇b", "İb", "mysql", "INFORMATION_SCHEMA")
SPELLINGS = (*DATABASES, "a\\_b\\_c", "a\\%b", "a%", "a_", "a\\", "_b", "%", "", "a\\\\\\_b", "i_", "gone", "A\\_B")
ACCOUNTS = tuple(
    Account(user, host)
    for user, hosts in {
        "a_b": ("%", "10.0.0.%", "10.0.0.1", "localhost"),
        "A_b": ("%",),
        "axb": ("%", "10.0.0.0/24"),
        "ab": ("%",),
        "": ("%", "10.%", "db.example.com"),
        "r": ("%",),
        "s": ("%",),
        "dba": ("%", "localhost"),
        "aurora_tenants_inspector": ("%",),
        "rdsadmin": ("localhost",),
    }.items()
    for host in hosts
)
STACKS = (*(f"{STACK}-{tenant}" for tenant in (*TENANTS, "gone")), "foreign-a_b", STACK)

_PRIVILEGES = ("SELECT", "SELECT", "INSERT", "EXECUTE", GRANT_OPTION, "PROCESS")


class World(NamedTuple):
    """What a server holds, and what it is like."""

    state: State
    server: Server


def world(seed: int) -> World:
    """The world of a seed; the size varies, so that what goes wrong mostly goes wrong in a small one, too."""
    chance = random.Random(seed)
    most = chance.choice((2, 5, 12))
    names = [chance.choice(DATABASES) for _ in range(chance.randint(1, most))]
    accounts = [chance.choice(ACCOUNTS) for _ in range(chance.randint(1, most))]
    grants = [Grant(chance.choice(ACCOUNTS), _scope(chance), chance.choice(_PRIVILEGES)) for _ in range(most)]
    members = [
        Grant(
            chance.choice(accounts), role_scope(chance.choice(ACCOUNTS)), chance.choice((MEMBER, MEMBER, ADMIN_OPTION))
        )
        for _ in range(chance.choice((0, 0, 1, 3)))
    ]
    state = State(
        {name: _database(chance, name) for name in names},
        {account: _user(chance, account) for account in accounts},
        frozenset((*grants, *members)),
    )
    return World(state, _server(chance))


worlds = st.integers(0, 2**32 - 1).map(world)


def _scope(chance: random.Random) -> Scope:
    level = chance.choices(("DATABASE", "TABLE", "COLUMN", "PROCEDURE", "GLOBAL", "DYNAMIC"), (12, 2, 1, 1, 1, 1))[0]
    if level == "GLOBAL":
        return Scope("GLOBAL")
    if level == "DYNAMIC":
        return Scope("DYNAMIC", name="ROLE_ADMIN")
    if level == "DATABASE":
        return Scope("DATABASE", chance.choice((*SPELLINGS, *TENANTS, *TENANTS, *TENANTS)))
    return Scope(level, chance.choice(DATABASES), "t", "c" if level == "COLUMN" else "")


def _user(chance: random.Random, account: Account) -> User:
    restrictions = [
        Restriction(chance.choice(DATABASES), frozenset(("SELECT",))) for _ in range(chance.choice((0, 0, 2)))
    ]
    options = Options(is_locked=chance.random() < 0.2)
    return User(account, _owner(chance), options, is_role=chance.random() < 0.2, restrictions=tuple(restrictions))


def _database(chance: random.Random, name: str) -> Database:
    shared_with = frozenset(chance.sample(STACKS, chance.choice((0, 0, 2))))
    return Database(name, owner=_owner(chance), shared_with=shared_with)


def _owner(chance: random.Random) -> Owner | None:
    released = chance.random() < 0.2
    return Owner(chance.choice(STACKS), "User", released=released) if chance.random() < 0.6 else None


def _server(chance: random.Random) -> Server:
    mandatory = chance.choice(((), (), (), (Account("r"),), (Account("s"), Account("nowhere"))))
    return Server(
        chance.choice(("9.7.4", "8.0.39", "")),
        chance.random() < 0.5,
        "caching_sha2_password",
        lower_case_names=chance.random() < 0.3,
        mandatory_roles=mandatory,
    )
