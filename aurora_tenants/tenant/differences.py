"""What differs of a database, a user or a role between MySQL as it is and as it will be, in the file's words. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from aurora_tenants.mysql.changes import canonical, moves
from aurora_tenants.mysql.grants import Grant
from aurora_tenants.mysql.matching import covers
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import IAM_PLUGIN, Options, Require
from aurora_tenants.mysql.state import Database, Server, State, User
from aurora_tenants.tenant.rights import NONE, Part, Roles, account_name, differences, name, said

NO_LIMIT, DEFAULT = "no limit", "the server's"
LIMITS = ("max_queries_per_hour", "max_updates_per_hour", "max_connections_per_hour", "max_user_connections")
_LONGEST_TEXT = 40
# The harder to meet, the later.
_REQUIRE = ("NONE", "SSL", "X509", "SPECIFIED")


def limit_part(options: Options, limit: str) -> Part:
    """What a new user is told to have as a limit: `max_user_connections: 10`."""
    return Part(f"{limit}: {getattr(options, limit) or NO_LIMIT}")


# Databases


def new_database(database: Database, tenant_of: Mapping[str, str]) -> list[Part]:
    """What is special about a database that is made. tenant_of: the tenants by the names of their stacks."""
    parts = [Part(f"{key}: {getattr(database, key)}") for key in ("charset", "collation") if getattr(database, key)]
    if database.shared_with:
        parts.append(Part(f"shared with: {_tenants(database.shared_with, tenant_of)}"))
    return parts or [Part("empty")]


def database_differences(desired: Database, known: Database, tenant_of: Mapping[str, str]) -> list[Part]:
    """What differs of a database that is there already."""
    parts = []
    for key in ("charset", "collation"):
        new, old = getattr(desired, key), getattr(known, key)
        if new is not None and canonical(new) != old:
            parts.append(Part(key, old or NONE, new))
    if parts:
        parts.append(Part("its tables keep the character set and collation that they have"))
    before = known.shared_with
    if desired.owner and known.owner and not known.owner.released:
        before |= {known.owner.stack} - {desired.owner.stack} - known.withdrawn_from
    if before != desired.shared_with:
        new, old = (_tenants(stacks, tenant_of) for stacks in (desired.shared_with, before))
        parts.append(Part("shared with", old, new, "wider" if desired.shared_with - before else ""))
    return parts


def _tenants(stacks: Collection[str], tenant_of: Mapping[str, str]) -> str:
    return ", ".join(sorted(tenant_of.get(stack, f"stack {name(stack)}") for stack in stacks)) or NONE


# Users and roles


class Held(NamedTuple):
    """The accounts of one user or role, by host, with what each holds."""

    users: Mapping[str, User]
    grants: Mapping[str, frozenset[Grant]]

    @classmethod
    def of(cls, state: State, accounts: Iterable[Account], grants: Mapping[Account, Iterable[Grant]]) -> Held:
        """grants: of all accounts."""
        mine = [account for account in accounts if account in state.users]
        return cls(
            {account.host: state.users[account] for account in mine},
            {account.host: frozenset(grants.get(account, ())) for account in mine},
        )

    @property
    def first(self) -> User:
        return next(iter(self.users.values()))


def new_account(wanted: Held, server: Server) -> list[Part]:
    """What a user or a role is like that is made."""
    host, user = next(iter(wanted.users.items()))
    parts = [] if tuple(wanted.users) == ("%",) else [Part(f"host: {_hosts(wanted.users)}")]
    parts += said(wanted.grants[host], server) or [Part("no rights")]
    if user.is_role:
        return parts + _of_options(user.options, ("comment",))
    if user.default_roles != _roles(wanted.grants[host]):
        parts.append(Part(f"default roles: {_listed(user.default_roles)}"))
    if user.options.plugin == IAM_PLUGIN:
        parts.append(Part("auth: iam"))
    return parts + _of_options(user.options, _OPTIONS)


def _of_options(options: Options, names: Iterable[str]) -> list[Part]:
    """The options that are not MySQL's defaults."""
    default = Options(require=Require("SSL")) if options.plugin == IAM_PLUGIN else Options()
    return [
        Part(f"{_KEYS.get(option, option)}: {_value(option, options)}")
        for option in names
        if getattr(options, option) != getattr(default, option)
        and not (option == "plugin" and options.plugin == IAM_PLUGIN)
    ]


def account_differences(wanted: Held, known: Held, server: Server, roles: Roles) -> list[Part]:
    """What differs of a user or a role that is there already. A difference that all accounts have is told once.

    roles: what each role of the tenant will hold.
    """
    parts = _host_differences(wanted, known)
    desired, live = (State(users={it.account: it for it in held.users.values()}) for held in (wanted, known))
    renamed = {new.host: old.host for new, old in moves(desired, live).items()}
    of_each: dict[str, list[Part]] = {}
    for host, user in wanted.users.items():
        before = renamed.get(host, host)
        if before in known.users:
            held = {grant._replace(account=user.account) for grant in known.grants[before]}
            rights = differences(wanted.grants[host], held, server, roles)
            of_each[host] = _one_account(user, known.users[before], wanted.grants[host], held, rights)
    for part in dict.fromkeys(part for found in of_each.values() for part in found):
        hosts = [host for host, found in of_each.items() if part in found]
        is_of_all = len(hosts) == len(of_each)
        parts.append(part if is_of_all else part._replace(what=f"{part.what} at {_hosts(hosts)}"))
    return parts


def _host_differences(wanted: Held, known: Held) -> list[Part]:
    missing = {host for host in known.users if host not in wanted.users}
    new = {host for host in wanted.users if host not in known.users}
    if not new and not missing:
        return []
    is_wider = not all(any(covers(old, host) for old in known.users) for host in new)
    old, now = _hosts(known.users), _hosts(wanted.users)
    return [Part("host", old, now, "wider" if is_wider else "")]


def _one_account(
    user: User, known: User, grants: Collection[Grant], held: Collection[Grant], rights: Iterable[Part]
) -> list[Part]:
    """grants, held: what the account will hold and what it holds. rights: how they differ."""
    parts = _option_differences(user.options, known.options)
    if user.is_role != known.is_role:
        was, will_be = ("a role" if it.is_role else "a user" for it in (known, user))
        parts.append(Part("it is", was, will_be))
    parts += rights
    is_by_default = user.default_roles == _roles(grants) and known.default_roles == _roles(held)
    if not user.is_role and user.default_roles != known.default_roles and not is_by_default:
        parts.append(Part("default roles", _listed(known.default_roles), _listed(user.default_roles)))
    return parts


def _option_differences(new: Options, old: Options) -> list[Part]:
    parts = []
    if (new.plugin == IAM_PLUGIN) != (old.plugin == IAM_PLUGIN):
        before, after = ("iam" if it.plugin == IAM_PLUGIN else "password" for it in (old, new))
        parts.append(Part("auth", before, after, "weaker" if after == "password" else ""))
    elif new.plugin is not None and new.plugin != old.plugin:
        mark = "weaker" if new.plugin == "mysql_native_password" else ""
        parts.append(Part("plugin", old.plugin or NONE, new.plugin, mark))
    for option in _OPTIONS:
        if option == "plugin" or getattr(new, option) == getattr(old, option):
            continue
        if option == "comment" and (new.comment is None or new.comment == (old.comment or "")):
            continue  # without one in the file, it keeps what it has
        mark = "weaker" if _is_weaker(option, new, old) else ""
        parts.append(Part(_KEYS.get(option, option), _value(option, old), _value(option, new), mark))
    return parts


_OPTIONS = tuple(Options._fields)
_KEYS = {
    "is_locked": "locked",
    "expire_after_days": "password_expire_after_days",
    "history": "password_history",
    "reuse_after_days": "password_reuse_after_days",
    "require_current": "password_require_current",
}


def _value(option: str, options: Options) -> str:
    value = getattr(options, option)
    if option in LIMITS:
        return f"{value:,}" if value else NO_LIMIT
    if option == "require":
        return _required(value)
    if option == "comment":
        return _short(value) if value else NONE
    if value is None:
        return DEFAULT
    if option == "expire_after_days" and value == 0:
        return "never"
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def _required(require: Require) -> str:
    parts = (("subject", require.subject), ("issuer", require.issuer), ("cipher", require.cipher))
    if require.kind != "SPECIFIED":
        return NONE if require.kind == "NONE" else require.kind
    return ", ".join(f"{key} {_short(value)}" for key, value in parts if value)


def _short(text: str) -> str:
    return name(text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…")


def _is_weaker(option: str, new: Options, old: Options) -> bool:
    """Whether less stands in the way of somebody who should not get in, or of somebody who takes more than a share."""
    after, before = getattr(new, option), getattr(old, option)
    if option in LIMITS:
        return bool(before) and (not after or after > before)
    if option == "require":
        return _is_less_required(after, before)
    if option == "is_locked":
        return not after
    if option == "require_current":
        order = (False, None, True)
        return order.index(after) < order.index(before)
    # Nobody knows here what the server's own is; its own default is the least.
    if option == "expire_after_days":
        return bool(before) and (not after or after > before)
    return option in ("history", "reuse_after_days") and (after or 0) < (before or 0)


def _is_less_required(after: Require, before: Require) -> bool:
    if after.kind != before.kind:
        return _REQUIRE.index(after.kind) < _REQUIRE.index(before.kind)
    return any(old and not new for old, new in zip(before[1:], after[1:], strict=True))


def _roles(grants: Iterable[Grant]) -> frozenset[Account]:
    return frozenset(grant.scope.role for grant in grants if grant.scope.level == "ROLE")


def _listed(roles: Collection[Account]) -> str:
    return ", ".join(account_name(role) for role in sorted(roles)) or NONE


def _hosts(hosts: Iterable[str]) -> str:
    return ", ".join(name(host) for host in hosts)
