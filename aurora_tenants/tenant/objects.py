"""The objects that a tenant's plan is about, and what there is to say of each. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

from aurora_tenants.mysql.changes import subject
from aurora_tenants.mysql.grants import by_account
from aurora_tenants.mysql.names import Account, is_nowhere
from aurora_tenants.mysql.state import Live, State, User
from aurora_tenants.stack import Template
from aurora_tenants.tenant.afterwards import state_after
from aurora_tenants.tenant.desired import login_of
from aurora_tenants.tenant.differences import (
    Held,
    account_differences,
    database_differences,
    new_account,
    new_database,
)
from aurora_tenants.tenant.fates import as_they_are, moved, of_password, removed_account, removed_database, taken
from aurora_tenants.tenant.plan import TenantPlan
from aurora_tenants.tenant.reasons import Line
from aurora_tenants.tenant.rights import Part
from aurora_tenants.tenant.settings import (
    KINDS_OF_RESOURCES,
    Resources,
    Settings,
    changed,
    new_settings,
    setting_differences,
    settings_of,
)


class Key(NamedTuple):
    """One object. kind: database, role or user. name: as MySQL stores it; of a renamed user the new one."""

    kind: str
    name: str


# What this program writes down for itself.
RECORDS = ("record", "offer")
_KINDS = ("database", "role", "user")


class Objects:
    """What a tenant's plan says of each of its objects.

    before: the resources that are deployed; None where that is not known. tenant_of: tenants by their stacks' names.
    """

    def __init__(
        self,
        plan: TenantPlan,
        lines: Iterable[Line],
        live: Live,
        before: Resources | None,
        tenant_of: Mapping[str, str],
    ) -> None:
        self._plan, self._server, self._all_live = plan, live.server, live.state
        self._tenant_of = tenant_of
        template = plan.stack.template
        self._after: Resources = template.resources if isinstance(template, Template) else {}
        self._settings, self._settings_before = settings_of(self._after), _settings(before)
        self._is_known = before is not None
        self._silent = changed(self._after, before).silent if before is not None else {}
        self._live = self._before(plan)
        self._live_grants, self._grants = by_account(self._live.grants), by_account(plan.desired.grants)
        roles = [account for account, user in plan.desired.users.items() if user.is_role]
        self._roles = {account: self._grants.get(account, []) for account in roles}
        self._moves = {Key(move.kind, move.name): move for move in plan.moves}
        self._lines = self._sorted_lines(lines)
        self._accounts, self._known = self._all_accounts()
        self._ids = self._logical_ids(before)

    def _before(self, plan: TenantPlan) -> State:
        """What is there when the first of its things is made: of a stack that failed, what its deletion leaves."""
        if plan.stack.action != "replace":
            return plan.live
        made = {subject(account) for account in plan.desired.users} | {
            f"database {it}" for it in plan.desired.databases
        }
        dropped = [it for it in plan.changes if it.action == "drop" and it.subject in made]
        return state_after(plan.live, (), dropped)

    def _all_accounts(self) -> tuple[dict[Key, list[Account]], dict[Key, list[Account]]]:
        """The accounts of each user and role, as they will be, and those that they are now."""
        accounts, known = dict[Key, list[Account]](), dict[Key, list[Account]]()
        identities: dict[tuple[str, str], Key] = {}
        for account, user in sorted(self._plan.desired.users.items()):
            key = _key(user)
            accounts.setdefault(key, []).append(account)
            if user.owner:
                identities[user.owner.identity] = key
        old = {move.old: Key(move.kind, move.name) for move in self._moves.values() if move.old != move.name}
        for account, user in sorted(self._live.users.items()):
            if is_nowhere(account.host):
                continue  # one that was being made: it is no host of the user's
            is_mine = user.owner is not None and not user.owner.released
            key = old.get(account.user, _key(user))
            if user.owner and is_mine and identities.get(user.owner.identity, key).name == account.user:
                key = identities.get(user.owner.identity, key)
            if account in self._plan.desired.users:
                key = _key(self._plan.desired.users[account])
            elif not is_mine and key not in self._moves:
                continue
            known.setdefault(key, []).append(account)
        return accounts, known

    def _sorted_lines(self, lines: Iterable[Line]) -> dict[Key, list[Line]]:
        users = (*self._plan.live.users.values(), *self._plan.desired.users.values())
        keys = {subject(user.account): _key(user) for user in users}
        for move in self._moves.values():
            if move.kind != "database":
                keys[f"user {move.old}"] = Key(move.kind, move.name)
        found: dict[Key, list[Line]] = {}
        for line in lines:
            key = keys.get(line.change.subject)
            if key is None and line.change.grants:
                account = line.change.grants[0].account
                known = self._all_live.users.get(account)
                key = _key(known) if known else Key("user", account.user)
            found.setdefault(key or Key(*line.about.split(" ", 1)), []).append(line)
        return found

    def _logical_ids(self, before: Resources | None) -> dict[Key, str]:
        """The ids of all that a template has, or had: also of what MySQL does not have any more.

        A resource that both have is one thing, whatever it was called before.
        """
        ids = dict[Key, str]()
        of_users = {user.owner.resource: _key(user) for user in self._plan.desired.users.values() if user.owner}
        for resources in (before or {}, self._after):
            for logical_id, resource in resources.items():
                if resources is not self._after and logical_id in self._after:
                    continue
                is_known = resources is self._after and logical_id in of_users
                key = None if is_known else _key_of_resource(resources, resource, self._server.stored)
                if key:
                    ids[key] = logical_id
        return ids | {key: logical_id for logical_id, key in of_users.items()}

    def all(self) -> list[Key]:
        """All that there may be something to say of: databases, roles, users."""
        found = {*self._lines, *self._accounts, *self._ids, *self._moves}
        found |= {Key("database", database) for database in self._plan.desired.databases}
        found |= {Key("user", drift.user) for drift in self._plan.secrets}
        return sorted(found, key=lambda key: (_KINDS.index(key.kind), key.name))

    def lines_of(self, key: Key) -> tuple[Line, ...]:
        return tuple(self._lines.get(key, ()))

    def subject_of(self, key: Key) -> str:
        """The subject of its changes, or of those of its first account."""
        accounts = self._accounts.get(key) or self._known.get(key)
        return subject(accounts[0]) if accounts else f"{key.kind} {key.name}"

    def is_desired(self, key: Key) -> bool:
        return key in self._accounts or (key.kind == "database" and key.name in self._plan.desired.databases)

    def is_there(self, key: Key) -> bool:
        """Whether MySQL has it already."""
        return key in self._known or (key.kind == "database" and key.name in self._live.databases)

    def sign_of(self, key: Key) -> Literal["+", "~", "-"]:
        if key in self._moves or (key not in self._ids and not self._is_mine(key)):
            return "~"
        if not self.is_desired(key):
            return "-"
        return "~" if self.is_there(key) else "+"

    def _is_mine(self, key: Key) -> bool:
        """Whether the plan is about the whole of it, and not only about rights on what is the tenant's."""
        actions = {line.change.action for line in self.lines_of(key)}
        return self.is_desired(key) or bool(actions & {"drop", "release"})

    def loses_data(self, key: Key) -> bool:
        dropped = key.kind == "database" and any(line.change.action == "drop" for line in self.lines_of(key))
        return dropped and not self.is_desired(key)

    def origins_of(self, key: Key, parts: Iterable[Part]) -> tuple[str, ...]:
        lines = self.lines_of(key)
        told = [line for line in lines if line.change.action not in RECORDS] or lines
        origins = {origin for line in told for origin in line.origins}
        if key in self._moves or self._setting_parts(key) or not lines:
            origins.add("file")
        if drifts := [drift for drift in self._plan.secrets if key == Key("user", drift.user)]:
            shown = [part for part in parts if not part.is_record]
            origins -= {"file"} if not lines and len(drifts) == len(shown) else set()
            origins.add("drift")
        return tuple(origin for origin in ("file", "drift", "spelling") if origin in origins)

    def parts_of(self, key: Key) -> list[Part]:
        """Everything that there is to say of an object; nothing where nothing happens to it."""
        parts = self._told(key)
        lines = [line for line in self.lines_of(key) if line.change.action not in RECORDS]
        if lines and not parts:
            parts = as_they_are(lines, self._server)
        if silent := self._unseen(key, parts):
            parts.append(Part(f"{silent}: MySQL has it already as the file says now"))
        for line in self.lines_of(key):
            if line.change.action in RECORDS:
                verb = "deleted" if line.change.statement.startswith("DELETE ") else "written"
                parts.append(Part(f"the entry that says whose it is, is {verb}", is_record=True))
        return parts

    def _told(self, key: Key) -> list[Part]:
        move = self._moves.get(key)
        parts = [moved(move, self._plan.name)] if move else []
        if move and move.receiver != self._plan.name:
            return parts
        if not self.is_desired(key):
            return parts + self._removed(key)
        if key.kind == "database":
            parts += self._database(key, is_moved=move is not None)
        else:
            parts += self._account(key, is_moved=move is not None)
        return parts + [Part(drift.what) for drift in self._plan.secrets if key == Key("user", drift.user)]

    def _setting_parts(self, key: Key) -> list[Part]:
        """What differs of what CloudFormation alone knows."""
        logical_id = self._ids.get(key, "")
        new, old = self._settings.get(logical_id), self._settings_before.get(logical_id)
        return setting_differences(new, old) if new and old and self.is_desired(key) else []

    def _unseen(self, key: Key, parts: Iterable[Part]) -> str:
        """The keys of the file that differ from what is deployed, where MySQL needs nothing for that."""
        silent = self._silent.get(self._ids.get(key, ""), ())
        settings = self._setting_parts(key) if silent else []
        return ", ".join(silent) if all(part in settings for part in parts) else ""

    def _database(self, key: Key, *, is_moved: bool) -> list[Part]:
        desired, known = self._plan.desired.databases[key.name], self._live.databases.get(key.name)
        settings = self._settings.get(self._ids.get(key, ""), Settings("database"))
        if known is None:
            new = new_database(desired, self._tenant_of) + new_settings(settings)
            if self._was_deployed(key):
                return [Part("made again: it was dropped by hand"), *new]
            return new
        parts = [] if is_moved else taken(desired.owner, known.owner, was_deployed=self._was_deployed(key))
        return parts + database_differences(desired, known, self._tenant_of) + self._setting_parts(key)

    def _account(self, key: Key, *, is_moved: bool) -> list[Part]:
        wanted = Held.of(self._plan.desired, self._accounts[key], self._grants)
        settings = self._settings.get(self._ids.get(key, ""), Settings(key.kind))
        if key not in self._known:
            if not self._was_deployed(key):
                return new_account(wanted, self._server) + new_settings(settings)
            password = ", with the password of its secret" if settings.has_secret else ""
            return [Part(f"made again{password}: it was dropped by hand"), *new_account(wanted, self._server)]
        known = self._as_named(Held.of(self._live, self._known[key], self._live_grants), key.name)
        parts = [] if is_moved else taken(wanted.first.owner, known.first.owner, was_deployed=self._was_deployed(key))
        is_new = bool(parts)
        if not wanted.first.is_role and not is_moved:
            parts += of_password(wanted.first, known.first, settings, is_lost=self._was_deployed(key))
        parts += account_differences(wanted, known, self._server, self._roles)
        return parts + (new_settings(settings) if is_new and not self._was_deployed(key) else self._setting_parts(key))

    def _as_named(self, held: Held, its_name: str) -> Held:
        """The accounts under the name that they will have."""
        if held.first.account.user == its_name:
            return held
        users = {host: user._replace(account=Account(its_name, host)) for host, user in held.users.items()}
        return Held(users, held.grants)

    def _removed(self, key: Key) -> list[Part]:
        lines = self.lines_of(key)
        if key.kind == "database":
            return removed_database({line.change.action for line in lines}, self._all_live.contents.get(key.name))
        accounts = self._known.get(key, [])
        settings = self._settings_before.get(self._ids.get(key, ""))
        owners = [self._live.users[account].owner for account in accounts]
        has_secret = settings.has_secret if settings else any(owner and owner.secret for owner in owners)
        grants = [grant for account in accounts for grant in self._live_grants.get(account, ())]
        return removed_account(key.kind, lines, grants, self._server, has_secret=has_secret)

    def _was_deployed(self, key: Key) -> bool:
        if self._is_known:
            return self._ids.get(key, "") in self._settings_before
        return self._plan.stack.action == "update" and self._plan.stack.origin == "drift"


def _key(user: User) -> Key:
    return Key("role" if user.is_role else "user", user.account.user)


def _settings(before: Resources | None) -> dict[str, Settings]:
    try:
        return settings_of(before or {})
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}  # somebody else wrote it


def _key_of_resource(resources: Resources, resource: Mapping[str, Any], stored: Callable[[str], str]) -> Key | None:
    """The object that a resource makes; None for any other, and for one that somebody else wrote."""
    kind = KINDS_OF_RESOURCES.get(resource["Type"])
    if kind is None:
        return None
    properties = resource.get("Properties", {})
    try:
        if kind == "user":
            return Key(kind, str(properties.get("UserName") or login_of(resources, properties)[0]))
        return Key(kind, stored(str(properties["Name"])) if kind == "database" else str(properties["Name"]))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
