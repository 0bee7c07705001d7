"""What the properties of a custom resource ask for, as a desired state. Pure.

The provider uses it for events; a plan uses it for the deployed template and the one it would deploy, so that all three
are understood alike. CloudFormation sends every scalar as a string: "true", "5".

    wanted_user({"Privileges": [{"Permission": "ALL", "Database": "shop"}]}, "shop", server)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aurora_tenants.mysql.grants import (
    ADMIN_OPTION,
    MEMBER,
    TENANT_GLOBAL,
    Grant,
    expand,
    normalise,
    role_scope,
    row_scope,
)
from aurora_tenants.mysql.names import Account, is_aws_role, is_nowhere, is_reserved_database, is_reserved_user
from aurora_tenants.mysql.options import IAM_PLUGIN, LONGEST_TEXT, PASSWORD_PLUGINS, Options, Require
from aurora_tenants.mysql.state import Database, Server, State, User

_NAME = re.compile(r"[A-Za-z0-9_$-]+\Z")
_HOST = re.compile(r"[a-z0-9._%:/-]{1,255}\Z")
_STACK = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}\Z")
_PRIVILEGE = frozenset(
    {"Permission", "Database", "Table", "Columns", "Procedure", "Function", "GrantOption", "WhenMissing"}
)
_REQUIRE = frozenset({"Subject", "Issuer", "Cipher"})
_MOST = 2**32 - 1

Properties = Mapping[str, Any]


def wanted_database(properties: Properties, server: Server) -> Database:
    """The database that a Custom::Database asks for. Raises ValueError with a sentence."""
    name = checked(server.stored(text(properties, "Name")), "a database", 64, is_reserved_database)
    shared_with = [str(stack) for stack in _list(properties, "SharedWith")]
    if wrong := [stack for stack in shared_with if not _STACK.match(stack)]:
        raise ValueError(f"SharedWith must be a list of names of stacks, and {wrong[0]!r} cannot be one")
    charset, collation = text(properties, "Charset") or None, text(properties, "Collation") or None
    return Database(name, charset, collation, shared_with=frozenset(shared_with))


def wanted_user(properties: Properties, name: str, server: Server, *, may_reach_all: bool = False) -> State:
    """The accounts of one user and their grants, as a Custom::DatabaseUser asks for them, without owners.

    name: from its secret, or its property UserName. may_reach_all: whether it may hold anything on the whole server.
    Raises ValueError with a sentence.
    """
    on_remove(properties)
    accounts = [Account(name, _host(host)) for host in _list(properties, "Hosts") or ["%"]]
    options = _options(properties)
    granted = _roles(properties)
    names = [role.user for role, _ in granted]
    defaults = frozenset(Account(str(role)) for role in properties.get("DefaultRoles", names))
    if not {role.user for role in defaults} <= set(names):
        raise ValueError("DefaultRoles names a role that is not in Roles")
    users = {account: User(account, options=options, default_roles=defaults) for account in accounts}
    grants: set[Grant] = set()
    for account in accounts:
        for role, may_pass_on in granted:
            privileges = (MEMBER, ADMIN_OPTION) if may_pass_on else (MEMBER,)
            grants |= {Grant(account, role_scope(role), privilege) for privilege in privileges}
        grants |= _privileges(properties, account, server, may_reach_all=may_reach_all)
    return State(users=users, grants=normalise(grants))


def wanted_role(properties: Properties, server: Server) -> State:
    """The role that a Custom::DatabaseRole asks for: an account that nobody can log in to. Raises ValueError."""
    role = Account(checked(text(properties, "Name"), "a role", 32, is_reserved_user))
    options = Options(is_locked=True, comment=_short(properties, "Comment") or None)
    grants = _privileges(properties, role, server, may_reach_all=False)
    return State(users={role: User(role, options=options, is_role=True)}, grants=normalise(grants))


def may_wait(properties: Properties, state: State, server: Server) -> frozenset[Grant]:
    """Of the grants that a resource asks for, those that may wait until there is what they are on, folded.

    They are asked for by entries with WhenMissing: skip alone. state: as wanted_user or wanted_role returns it.
    """
    asked: dict[bool, set[Grant]] = {True: set(), False: set()}
    for entry in _list(properties, "Privileges"):
        for account in state.users:
            asked[text(entry, "WhenMissing") == "skip"] |= folded(_expanded(entry, account, server))
    # A privilege on a table stands for one on its column, too, which is not in normal form.
    in_normal_form = (grant._replace(scope=row_scope(grant.scope)) for grant in asked[False])
    return frozenset(asked[True] - asked[False] - {*in_normal_form})


def folded(grants: Iterable[Grant]) -> frozenset[Grant]:
    """The grants with names of columns in lower case, for comparison: MySQL takes them in any."""
    scopes = ((grant, grant.scope._replace(column=grant.scope.column.lower())) for grant in grants)
    return frozenset(grant._replace(scope=scope) for grant, scope in scopes)


def is_iam(properties: Properties) -> bool:
    """Whether a Custom::DatabaseUser logs in with IAM tokens. Raises ValueError unless Auth is password or iam."""
    auth = text(properties, "Auth").lower() or "password"
    if auth not in ("password", "iam"):
        raise ValueError(f"Auth must be password or iam, not {auth!r}")
    return auth == "iam"


def on_remove(properties: Properties) -> str:
    """What becomes of a Custom::DatabaseUser that is deleted; empty where it does not say. Raises ValueError.

    drop, and empty: what the stack has made is dropped. keep: nothing happens to it. lock: nobody can log in any more.
    """
    value = text(properties, "OnRemove")
    if value not in ("", "drop", "lock", "keep"):
        raise ValueError(f"OnRemove must be drop, lock or keep, not {value!r}")
    return value


def text(properties: Properties, name: str) -> str:
    """A property as text; empty when it is not there."""
    value = properties.get(name)
    if isinstance(value, list | dict):
        raise ValueError(f"{name} must be a text, not a list or a mapping")
    return "" if value is None else str(value)


def other_stack(properties: Properties, name: str, own: str) -> str:
    """A property that names another stack than `own`; empty when it is not there. Raises ValueError with a sentence."""
    stack = text(properties, name)
    if stack and (not _STACK.match(stack) or stack == own):
        raise ValueError(f"{name} must be the name of another stack, not {stack!r}")
    return stack


def truth(properties: Properties, name: str) -> bool:
    """Whether a property is true, or "true" as CloudFormation sends it."""
    return text(properties, name).lower() == "true"


def checked(name: str, what: str, length: int, is_reserved: Callable[[str], bool]) -> str:
    """The name. Raises ValueError with a sentence when it cannot be the name of such a thing."""
    if not _NAME.match(name) or len(name) > length:
        raise ValueError(f"{name!r} cannot be the name of {what}: use 1 to {length} characters of A-Z a-z 0-9 _ $ -")
    if is_reserved(name):
        raise ValueError(f"{name} cannot be the name of {what}: it is reserved")
    return name


def check_routine(name: str) -> None:
    """Raises ValueError for the name of a routine on which nothing may be granted, because it could not be revoked.

    MySQL stores such a grant under a name in the wrong character set, and finds it by no name once its grants are
    loaded again (test_a_grant_on_a_routine_that_is_not_ascii_cannot_be_revoked).
    """
    if not name.isascii():
        raise ValueError(
            f"nothing can be granted on routine {name}: its name is not ASCII, and MySQL could not revoke it"
        )


def _host(host: object) -> str:
    if not _HOST.match(str(host)) or is_nowhere(str(host)):
        raise ValueError(f"{host!r} cannot be a host: use 1 to 255 characters of a-z 0-9 . _ % : / -")
    return str(host)


def _options(properties: Properties) -> Options:
    uses_iam = is_iam(properties)
    plugin = IAM_PLUGIN if uses_iam else text(properties, "Plugin") or None
    if plugin not in (None, IAM_PLUGIN, *PASSWORD_PLUGINS) or (uses_iam and text(properties, "Plugin")):
        raise ValueError(f"Plugin must be one of {', '.join(PASSWORD_PLUGINS)}, and cannot be set with Auth: iam")
    require = _require(properties.get("Require") or ("SSL" if uses_iam else "NONE"))
    current = text(properties, "PasswordRequireCurrent")
    return Options(
        require,
        _number(properties, "MaxQueriesPerHour", _MOST) or 0,
        _number(properties, "MaxUpdatesPerHour", _MOST) or 0,
        _number(properties, "MaxConnectionsPerHour", _MOST) or 0,
        _number(properties, "MaxUserConnections", _MOST) or 0,
        truth(properties, "Locked"),
        _number(properties, "PasswordExpireAfterDays", 65_535),
        _number(properties, "PasswordHistory", 65_535),
        _number(properties, "PasswordReuseAfterDays", 65_535),
        truth(properties, "PasswordRequireCurrent") if current else None,
        plugin,
        _short(properties, "Comment") or None,
    )


def _short(properties: Properties, name: str) -> str:
    """A text as long as whoever reads all accounts can bear. Raises ValueError for a longer one."""
    value = text(properties, name)
    if len(value) > LONGEST_TEXT:
        raise ValueError(f"{name} must not have more than {LONGEST_TEXT} characters")
    return value


def _require(value: object) -> Require:
    if isinstance(value, Mapping) and value and value.keys() <= _REQUIRE and all(value.values()):
        return Require("SPECIFIED", *(_short(value, part) for part in ("Subject", "Issuer", "Cipher")))
    if value in ("NONE", "SSL", "X509"):
        return Require(value)
    raise ValueError("Require must be NONE, SSL, X509, or any of Subject, Issuer and Cipher of a client's certificate")


def _number(properties: Properties, name: str, most: int) -> int | None:
    value = text(properties, name)
    if not value:
        return None
    if not (value.isascii() and value.isdecimal()) or int(value) > most:
        raise ValueError(f"{name} must be a number from 0 to {most}, not {value!r}")
    return int(value)


def _roles(properties: Properties) -> list[tuple[Account, bool]]:
    """The roles to grant, each with whether it may be passed on."""
    roles = []
    for entry in _list(properties, "Roles"):
        if not isinstance(entry, Mapping) or not entry.keys() <= {"Role", "AdminOption"}:
            raise ValueError("Roles must be a list of entries that hold Role and AdminOption")
        name = text(entry, "Role")
        if not is_aws_role(name):
            checked(name, "a role", 32, is_reserved_user)
        roles.append((Account(name), truth(entry, "AdminOption")))
    return roles


def _privileges(properties: Properties, account: Account, server: Server, *, may_reach_all: bool) -> set[Grant]:
    grants: set[Grant] = set()
    for entry in _list(properties, "Privileges"):
        # An empty Table or a misspelt Columns would otherwise mean every table, every column.
        if not isinstance(entry, Mapping) or not entry.keys() <= _PRIVILEGE or not all(entry.values()):
            names = ", ".join(sorted(_PRIVILEGE))
            raise ValueError(f"Privileges must be a list of entries that hold {names}, none of them empty")
        if (when := text(entry, "WhenMissing")) not in ("", "fail", "skip"):
            raise ValueError(f"WhenMissing must be fail or skip, not {when!r}")
        if routine := text(entry, "Procedure") or text(entry, "Function"):
            check_routine(routine)
        expanded = _expanded(entry, account, server)
        if not may_reach_all:
            _check_reach(text(entry, "Database"), expanded)
        grants |= expanded
    return grants


def _expanded(entry: Properties, account: Account, server: Server) -> frozenset[Grant]:
    permissions = entry.get("Permission", "")
    return expand(
        account,
        [permissions] if isinstance(permissions, str) else map(str, permissions),
        database=server.stored(text(entry, "Database")),
        table=server.stored(text(entry, "Table") or "*"),
        columns=[str(column) for column in _list(entry, "Columns")],
        procedure=text(entry, "Procedure"),
        function=text(entry, "Function"),
        grant_option=truth(entry, "GrantOption"),
        partial_revokes=server.partial_revokes,
    )


def _check_reach(database: str, grants: Iterable[Grant]) -> None:
    """Raises ValueError for grants that no tenant may have, because they reach other tenants."""
    if database != "*":
        checked(database, "a database", 64, is_reserved_database)
    elif refused := sorted({grant.privilege for grant in grants} - TENANT_GLOBAL):
        raise ValueError(f"{', '.join(refused)} cannot be granted to a tenant on the whole server")


def _list(properties: Properties, name: str) -> list[Any]:
    value = properties.get(name) or []
    if not isinstance(value, list):
        raise ValueError(f"{name} must be a list")
    return value
