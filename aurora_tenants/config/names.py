"""What tenants, stages, stacks, databases, users, roles and character sets are called, and where `{stage}` stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from unicodedata import normalize

from aurora_tenants.config.declared import STAGE, DeclaredRole, DeclaredTenant, described
from aurora_tenants.config.reading import mapping, text, texts
from aurora_tenants.config.wording import Fault, counted, escaped, shown
from aurora_tenants.config.yaml_file import Document
from aurora_tenants.errors import Problem
from aurora_tenants.model import Cluster, TenantDatabase
from aurora_tenants.mysql.names import is_reserved_database, is_reserved_user
from aurora_tenants.naming import PAUSE_SCHEDULE, pause_stack

LONGEST_STACK = 128
_LONGEST_FOLDER = 255
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_REGION = re.compile(r"[a-z]+(-[a-z]+)+-[0-9]+")


@dataclass(frozen=True, slots=True)
class _Kind:
    """What one kind of name is made of. pattern: matches as far as a name is right. longest: in characters."""

    noun: str
    pattern: re.Pattern[str]
    words: str
    longest: int | None = None


_STACK = _Kind("stack", re.compile("[A-Za-z][A-Za-z0-9-]*"), "A-Z, a-z, 0-9 and -, with a letter first", LONGEST_STACK)
_TENANT = _Kind("tenant", re.compile("[a-z][a-z0-9-]*"), "a-z, 0-9 and -, with a letter first")
_STAGE = _Kind("stage", re.compile("[a-z0-9][a-z0-9-]*"), "a-z, 0-9 and -, with no - first")
_DATABASE = _Kind("database", re.compile("[A-Za-z0-9_$-]+"), "A-Z, a-z, 0-9, _, $ and -", 64)
_USER = _Kind("user", re.compile("[A-Za-z0-9_$-]+"), "A-Z, a-z, 0-9, _, $ and -", 32)
_ROLE = _Kind("role", re.compile("[A-Za-z0-9_$-]+"), "A-Z, a-z, 0-9, _, $ and -", 32)
_CHARSET = _Kind("charset", re.compile("[A-Za-z0-9_]+"), "A-Z, a-z, 0-9 and _")
_COLLATION = _Kind("collation", re.compile("[A-Za-z0-9_]+"), "A-Z, a-z, 0-9 and _")


def problems(document: Document, cluster: Cluster, tenants: tuple[DeclaredTenant, ...]) -> Iterator[Problem]:
    """Every name that cannot be used, and every placeholder that stands for nothing."""
    yield from _cluster(document, cluster)
    for tenant in tenants:
        faults = chain(
            _misspelt(_TENANT, str(tenant.path[-1])), _taken(cluster, tenant), _stack_too_long(cluster, tenant)
        )
        for fault in faults:
            yield Problem(*fault, document.key(tenant.path), described(tenant))
        yield from _stages(document, tenant)
        yield from _databases(document, tenant)
        yield from _grantees(document, tenant)


def _cluster(document: Document, cluster: Cluster) -> Iterator[Problem]:
    if cluster.stack:
        for fault in chain(_misspelt(_STACK, cluster.stack), _too_long(_STACK, cluster.stack)):
            yield Problem(*fault, document.value(("cluster", "stack")), "cluster")
    if cluster.region and not _REGION.fullmatch(cluster.region):
        what, why = f"{shown(cluster.region)} is not the name of a region", "AWS names regions like eu-west-1"
        where = document.value(("cluster", "region"))
        yield Problem("invalid-region", what, why, "write the region's name, not its city", where, "cluster")


def _stages(document: Document, tenant: DeclaredTenant) -> Iterator[Problem]:
    seen: dict[str, None] = {}
    for path, stage in texts(mapping(document.data["tenants"][tenant.path[1]]), "stages", tenant.path):
        faults = list(_misspelt(_STAGE, stage))
        if stage in seen:
            faults.append(("duplicate-stage", f"stage {shown(stage)} is here twice", "", "take one of them out"))
        seen[stage] = None
        yield from (Problem(*fault, document.value(path), f"tenant {shown(tenant.path[-1])}") for fault in faults)


def _databases(document: Document, tenant: DeclaredTenant) -> Iterator[Problem]:
    for database in tenant.databases:
        name = database.value.name
        for fault in _owned(_DATABASE, tenant, str(database.path[-1]), name, is_reserved=is_reserved_database(name)):
            yield Problem(*fault, document.key(database.path), described(tenant, database))
        for key, fault in _character_set(database.value):
            yield Problem(*fault, document.value((*database.path, key)), described(tenant, database))
        for path, written in texts(database.body, "shared_with", database.path):
            for fault in placeholders(tenant, written):
                yield Problem(*fault, document.value(path), described(tenant, database))


def _grantees(document: Document, tenant: DeclaredTenant) -> Iterator[Problem]:
    for grantee in tenant.grantees:
        kind, name = _ROLE if isinstance(grantee, DeclaredRole) else _USER, grantee.value.name
        for fault in _owned(kind, tenant, str(grantee.path[-1]), name, is_reserved=is_reserved_user(name)):
            yield Problem(*fault, document.key(grantee.path), described(tenant, grantee))
        for privilege in grantee.privileges:
            for key in ("database", "table", "procedure", "function"):
                for fault in placeholders(tenant, text(privilege.body, key) or ""):
                    where = document.value((*privilege.path, key))
                    yield Problem(*fault, where, described(tenant, grantee, privilege.path))


def _owned(kind: _Kind, tenant: DeclaredTenant, written: str, name: str, *, is_reserved: bool) -> Iterator[Fault]:
    """The faults of the name of a database, a user or a role. name: with its stage filled in."""
    yield from placeholders(tenant, written)
    without = _PLACEHOLDER.sub("", written)
    if without or not written:
        yield from _misspelt(kind, without)
    if "{" not in name:
        yield from _too_long(kind, name)
        if kind is _DATABASE:
            yield from _no_folder(name)
    if is_reserved and written:
        why = f"MySQL, RDS or aurora-tenants keeps a {kind.noun} of this name for itself"
        fix = "choose another name"
        if kind is _ROLE and name.upper().startswith("AWS_"):
            fix = f"grant Aurora's own role to a user instead: roles: [{shown(name)}]"
        yield "reserved-name", f"{kind.noun} {shown(name)} is reserved", why, fix
    if len(tenant.stages) > 1 and STAGE not in written:
        what = f"{kind.noun} {shown(written)} would belong to every stage of {shown(tenant.path[-1])}"
        why = f"each stage is a tenant of its own, and a {kind.noun} belongs to one tenant"
        yield "name-without-stage", what, why, f"write {shown(written)}-{STAGE}"


def _misspelt(kind: _Kind, name: str) -> Iterator[Fault]:
    match = kind.pattern.match(name)
    right = match.end() if match else 0
    if name and right == len(name):
        return
    why = f"a {kind.noun} name is made of {kind.words}"
    if not name:
        yield "invalid-name", f"this {kind.noun} has no name", why, "write its name"
        return
    wrong = name[right]
    character = "a blank" if wrong == " " else f'"{wrong}"' if wrong.isprintable() else escaped(wrong)
    what = f"{kind.noun} name {shown(name)} {'holds' if right else 'begins with'} {character}"
    plain = normalize("NFKD", name.replace(f"-{STAGE}", "")).encode("ascii", "ignore").decode()
    cleaned = re.sub("[^A-Za-z0-9_$-]", "-", plain)
    fitting = [guess for guess in (cleaned, re.sub("[_$]", "-", cleaned).lower()) if kind.pattern.fullmatch(guess)]
    yield "invalid-name", what, why, f"for example {shown(fitting[0])}" if fitting else "choose another name"


def _too_long(kind: _Kind, name: str) -> Iterator[Fault]:
    excess = len(name) - (kind.longest or len(name))
    if excess > 0:
        what = f"{kind.noun} name {shown(name)} is {counted(excess, 'character')} too long"
        yield (
            "name-too-long",
            what,
            f"it can have {kind.longest} characters",
            f"shorten it by {counted(excess, 'character')}",
        )


def _taken(cluster: Cluster, tenant: DeclaredTenant) -> Iterator[Fault]:
    if tenant.value.name == PAUSE_SCHEDULE:
        what, why = f"tenant name {PAUSE_SCHEDULE} is reserved", f"stack {pause_stack(cluster)} is the pause schedule's"
        yield "reserved-name", what, why, "choose another name"


def _no_folder(name: str) -> Iterator[Fault]:
    """A name that MySQL cannot make a folder of: there every - and $ takes five characters, and 255 is the most."""
    excess = len(name) + 4 * sum(character in "-$" for character in name) - _LONGEST_FOLDER
    if excess > 0 and len(name) <= (_DATABASE.longest or 0):
        why = f"MySQL keeps it in a folder named with five characters for each - and $, {_LONGEST_FOLDER} at most"
        fix = "write _ for some of them, or shorten it"
        yield "name-too-long", f"database name {shown(name)} has too many - and $", why, fix


def _stack_too_long(cluster: Cluster, tenant: DeclaredTenant) -> Iterator[Fault]:
    excess = len(f"{cluster.stack}-{tenant.value.name}") - LONGEST_STACK
    if excess > 0 and len(cluster.stack) <= LONGEST_STACK:
        what = f"tenant name {shown(tenant.value.name)} is {counted(excess, 'character')} too long"
        why = f"its stack is named <cluster.stack>-<tenant>, which can have {LONGEST_STACK} characters"
        yield "name-too-long", what, why, f"shorten it by {counted(excess, 'character')}"


def placeholders(tenant: DeclaredTenant, written: str) -> Iterator[Fault]:
    """Every placeholder of a text that stands for nothing."""
    if "{" not in written:
        return
    for placeholder in dict.fromkeys(_PLACEHOLDER.findall(written)):
        if placeholder != STAGE:
            what, why = f"unknown placeholder {shown(placeholder)}", f"only {STAGE} is replaced"
            yield "unknown-placeholder", what, why, f"write {STAGE}, or take it out"
        elif tenant.stage is None:
            what = f"{STAGE} is used, but tenant {shown(tenant.path[-1])} has no stages"
            fix = "add stages: [dev, prod] to the tenant, or write the name without it"
            yield "no-stages", what, f"{STAGE} stands for each of the tenant's stages", fix


def _character_set(database: TenantDatabase) -> Iterator[tuple[str, Fault]]:
    """The faults of charset and collation, each with its key."""
    named = (("charset", _CHARSET, database.charset), ("collation", _COLLATION, database.collation))
    for key, kind, name in named:
        if name:
            yield from ((key, fault) for fault in _misspelt(kind, name))
    if database.charset and database.collation and database.collation.split("_")[0] != database.charset:
        why = "MySQL sorts a character set by its own collations only, whose names begin with its name"
        what = f"collation {shown(database.collation)} is not one of charset {shown(database.charset)}"
        yield "collation", ("wrong-collation", what, why, "take one of the two out")
