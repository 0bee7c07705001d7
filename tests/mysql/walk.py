"""Random states of a few accounts and roles, as the properties of custom resources, and what others do to a server.

A walk goes from one state to the next, with drift in between; the same seed makes the same walk.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.properties import wanted_database, wanted_role, wanted_user
from aurora_tenants.mysql.state import Server, State
from tests.mysql.judge import ON_COLUMN, ON_DATABASE, ON_ROUTINE, ON_TABLE, quoted

DATABASES = ("w-x_y", "w-xzy", "wx", "w$x_", "W-X_Y")
TABLES = ("orders", "or_ders", "Orders`")
COLUMNS = ("id", "Country", "a b")
ROUTINES = ("p_1", "Report")
HOSTS = ("%", "10.0.0.%", "localhost", "192.168.0.0/255.255.0.0")
USERS = ("walk", "Walk", "wa_lk-$")
# An account of which a privilege was revoked in part cannot be changed (3901) while another one of the same name has
# this privilege on that database; so what is revoked in part by hand is of accounts that stand alone.
AT_ONE_HOST = USERS[2]
ROLES = ("walk-role", "Walk_role")
AWS_ROLES = ("AWS_LAMBDA_ACCESS",)
STATIC = ("PROCESS", "REPLICATION CLIENT", "SHOW DATABASES")
DYNAMIC = ("APPLICATION_PASSWORD_ADMIN", "FLUSH_OPTIMIZER_COSTS", "FLUSH_STATUS")
CHARACTER_SETS: tuple[dict[str, str], ...] = (
    {},
    {"Charset": "utf8"},
    {"Charset": "utf8mb4", "Collation": "utf8mb4_bin"},
    {"Charset": "latin1", "Collation": "latin1_german1_ci"},
    {"Collation": "utf8_bin"},
)
COMMENTS = ("it's", 'a "b" {c} %s', "Größe 名前", "x" * 255)
SUBJECTS = ("/C=DE/CN=it's", "CN=Größe 名前", "x")

Properties = dict[str, Any]


class World(dict[str, Properties]):
    """The properties of each user, role and database, by `kind:name`."""

    def state(self, server: Server) -> State:
        """What the product makes of them; each user belongs to a resource of its own name."""
        databases, users, grants = {}, {}, frozenset()
        for key, properties in self.items():
            kind, _, name = key.partition(":")
            if kind == "database":
                databases[name] = wanted_database(properties, server)
                continue
            state = wanted_role(properties, server) if kind == "role" else wanted_user(properties, name, server)
            owner = Owner("walk", key, "" if kind == "role" else f"/walk/{name}")
            users.update({account: user._replace(owner=owner) for account, user in state.users.items()})
            grants |= state.grants
        return State(databases, users, grants)

    def accounts(self) -> dict[tuple[str, str], Properties]:
        """The properties of every account."""
        found = {}
        for key, properties in self.items():
            kind, _, name = key.partition(":")
            if kind != "database":
                found.update({(name, host): properties for host in properties.get("Hosts", ["%"])})
        return found


def random_world(chance: random.Random, before: Mapping[str, Properties], plugins: tuple[str, ...]) -> World:
    """A state in which about two thirds of everything is new and the rest as it was."""
    world = World()
    for kind, names in (("role", ROLES), ("user", USERS), ("database", DATABASES)):
        for name in names:
            key = f"{kind}:{name}"
            if key in before and chance.random() < 0.35:
                world[key] = before[key]
            elif kind == "database":
                world[key] = {"Name": name} | chance.choice(CHARACTER_SETS)
            elif kind == "role":
                world[key] = {"Name": name, "Privileges": random_privileges(chance, 3)} | _comment(chance)
            else:
                world[key] = _random_user(chance, plugins, hosts=1 if name == AT_ONE_HOST else chance.randrange(1, 4))
    return world


def _comment(chance: random.Random) -> Properties:
    return {"Comment": chance.choice(COMMENTS)} if chance.random() < 0.3 else {}


def _random_user(chance: random.Random, plugins: tuple[str, ...], *, hosts: int) -> Properties:
    roles = chance.sample((*ROLES, *AWS_ROLES), chance.randrange(4))
    properties: Properties = {
        "Hosts": chance.sample(HOSTS, hosts),
        "Roles": [{"Role": role} | ({"AdminOption": "true"} if chance.random() < 0.3 else {}) for role in roles],
        "Privileges": random_privileges(chance, 6),
        "Require": chance.choice(("NONE", "NONE", "SSL", "X509", _random_certificate(chance))),
    }
    if chance.random() < 0.4:
        properties["DefaultRoles"] = chance.sample(roles, chance.randrange(len(roles) + 1))
    return properties | random_options(chance, plugins) | _comment(chance)


def random_options(
    chance: random.Random, plugins: tuple[str, ...], limits: tuple[str, ...] = ("0", "1", "2147483647", "4294967295")
) -> Properties:
    """Limits, rules for passwords, a plugin; each of them or not."""
    properties: Properties = {}
    for limit in ("MaxQueriesPerHour", "MaxUpdatesPerHour", "MaxConnectionsPerHour", "MaxUserConnections"):
        if chance.random() < 0.3:
            properties[limit] = chance.choice(limits)
    for rule in ("PasswordExpireAfterDays", "PasswordHistory", "PasswordReuseAfterDays"):
        if chance.random() < 0.3:
            properties[rule] = chance.choice(("0", "1", "65535"))
    for truth in ("Locked", "PasswordRequireCurrent"):
        if chance.random() < 0.4:
            properties[truth] = chance.choice(("true", "false"))
    if chance.random() < 0.4:
        properties["Plugin"] = chance.choice(plugins)
    return properties


def _random_certificate(chance: random.Random) -> Properties:
    parts = chance.sample(("Subject", "Issuer", "Cipher"), chance.randrange(1, 4))
    return {part: "TLS_AES_256_GCM_SHA384" if part == "Cipher" else chance.choice(SUBJECTS) for part in parts}


def random_privileges(chance: random.Random, most: int) -> list[Properties]:
    return [_random_entry(chance) for _ in range(chance.randrange(most))]


def _random_entry(chance: random.Random) -> Properties:
    kind = chance.choice(("server", "database", "database", "table", "table", "column", "column", "routine"))
    if kind == "server":
        return {"Permission": chance.sample((*STATIC, *DYNAMIC), chance.randrange(1, 4)), "Database": "*"}
    entry: Properties = {"Database": chance.choice(DATABASES)}
    known = {"database": ON_DATABASE, "table": ON_TABLE, "column": ON_COLUMN, "routine": ON_ROUTINE}[kind]
    if kind in ("table", "column"):
        entry["Table"] = chance.choice(TABLES)
    if kind == "column":
        columns = chance.sample(COLUMNS, chance.randrange(1, 4))
        entry["Columns"] = [chance.choice((column, column.upper())) for column in columns]
    if kind == "routine":
        entry[chance.choice(("Procedure", "Function"))] = chance.choice(ROUTINES)
    some = chance.sample(sorted(known), chance.randrange(1, min(len(known), 5) + 1))
    entry["Permission"] = "ALL" if kind != "column" and chance.random() < 0.25 else [name.lower() for name in some]
    return entry | ({"GrantOption": "true"} if chance.random() < 0.25 else {})


# What others do

# A master like Aurora's can take away only what it holds; nobody else grants anything there.
OF_MASTER = {
    "static": ("PROCESS", "RELOAD", "REPLICATION SLAVE", "SHOW DATABASES", "CREATE USER", "SELECT", "INSERT", "EVENT"),
    "dynamic": (*DYNAMIC, "ROLE_ADMIN", "CONNECTION_ADMIN", "XA_RECOVER_ADMIN"),
}
OF_ROOT = {
    "static": (*OF_MASTER["static"], "SHUTDOWN", "FILE", "SUPER", "CREATE ROLE", "DROP ROLE", "CREATE TABLESPACE"),
    "dynamic": (*OF_MASTER["dynamic"], "BACKUP_ADMIN", "SYSTEM_USER", "OPTIMIZE_LOCAL_TABLE", "AUDIT_ADMIN"),
}


def drift(chance: random.Random, world: World, powers: Mapping[str, tuple[str, ...]], *, restricts: bool) -> list[str]:
    """Statements that somebody runs by hand, all of which the server takes."""
    return [
        statement
        for account in world.accounts()
        for _ in range(chance.randrange(3))
        for statement in _by_hand(chance, account, powers, restricts=restricts)
    ]


def _by_hand(
    chance: random.Random, account: tuple[str, str], powers: Mapping[str, tuple[str, ...]], *, restricts: bool
) -> list[str]:
    who, is_role = quoted(account), account[0] in ROLES
    option = chance.choice(("", "", " WITH GRANT OPTION"))
    database, table = chance.choice(DATABASES), chance.choice(TABLES).replace("`", "``")
    kind = chance.randrange(6 if is_role else 8)
    if kind == 0:
        name = chance.choice(powers["static"])
        grant = f"GRANT {name} ON *.* TO {who}{option}"
        partly = (
            restricts
            and account[0] in (AT_ONE_HOST, *ROLES)
            and name in ("SELECT", "INSERT", "EVENT")
            and chance.random() < 0.5
        )
        return [grant, f"REVOKE {name} ON `{database}`.* FROM {who}"] if partly else [grant]
    if kind == 1:
        return [f"GRANT {', '.join(chance.sample(powers['dynamic'], 2))} ON *.* TO {who}{option}"]
    if kind == 2:
        spelled = chance.choice((database, database.replace("_", "\\_").replace("%", "\\%"), "w%"))
        return [f"GRANT {', '.join(chance.sample(sorted(ON_DATABASE), 3))} ON `{spelled}`.* TO {who}{option}"]
    if kind == 3:
        column = chance.choice((*COLUMNS, "COUNTRY", "ID"))
        names = ", ".join(f"{name} (`{column}`)" for name in chance.sample(sorted(ON_COLUMN), 2))
        return [f"GRANT {names} ON `{database}`.`{table}` TO {who}{option}"]
    if kind == 4:
        return [f"GRANT {', '.join(chance.sample(sorted(ON_TABLE), 3))} ON `{database}`.`{table}` TO {who}{option}"]
    if kind == 5:
        routine = f"{chance.choice(('PROCEDURE', 'FUNCTION'))} `{database}`.{chance.choice(ROUTINES)}"
        return [f"GRANT {chance.choice(sorted(ON_ROUTINE))} ON {routine} TO {who}{option}"]
    if kind == 6:
        role = quoted((chance.choice((*ROLES, *AWS_ROLES)), "%"))
        # GRANT of a role without an ADMIN OPTION that is there takes it out of the server's memory, not of its tables.
        gone = f"REVOKE IF EXISTS {role} FROM {who}"
        if chance.random() < 0.3:
            return [gone]
        grant = f"GRANT {role} TO {who}{chance.choice(('', ' WITH ADMIN OPTION'))}"
        return [gone, grant, f"SET DEFAULT ROLE {chance.choice(('ALL', 'NONE', role))} TO {who}"]
    return [f"ALTER USER {who}{chance.choice(BY_HAND)}"]


BY_HAND = (
    " REQUIRE X509",
    " REQUIRE ISSUER 'x' AND CIPHER 'y'",
    " WITH MAX_USER_CONNECTIONS 7 MAX_QUERIES_PER_HOUR 1",
    " ACCOUNT LOCK",
    " PASSWORD EXPIRE NEVER",
    " PASSWORD HISTORY 9 PASSWORD REUSE INTERVAL 9 DAY",
    " PASSWORD REQUIRE CURRENT OPTIONAL",
    " IDENTIFIED WITH sha256_password BY 'by hand' PASSWORD HISTORY 0 PASSWORD REUSE INTERVAL 0 DAY",
    ' ATTRIBUTE \'{"by": "hand"}\'',
    " COMMENT 'by hand'",
)
