"""The names of tenants, stages, stacks, databases, users, roles and character sets, and where `{stage}` is used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from unicodedata import normalize

from aurora_tenants.config.declared import MOST_STAGES, DeclaredTenant, Placed
from aurora_tenants.config.reading import STAGE, mapping, texts
from aurora_tenants.config.wording import (
    Fault,
    PlacedFault,
    at,
    context,
    counted,
    named_character,
    repeated,
    shown,
    too_long,
)
from aurora_tenants.config.yaml_file import Document
from aurora_tenants.errors import InvalidUsage, Problem
from aurora_tenants.model import Cluster, TenantDatabase
from aurora_tenants.mysql.names import is_reserved_database, is_reserved_user
from aurora_tenants.naming import CLUSTER, LONGEST_STACK, PAUSE_SCHEDULE, TIGHTEST, cluster_stack, pause_stack

_LONGEST_DIRECTORY = 255
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_ACCOUNT = re.compile(r"[0-9]{12}")
_KEPT_BY_AWS = re.compile("aws|ssm", re.IGNORECASE)
_REGION = re.compile(r"[a-z]+(-[a-z]+)+-[0-9]+")


@dataclass(frozen=True, slots=True)
class _Kind:
    """What one kind of name consists of. pattern: matches a name up to its first fault. longest: in characters."""

    noun: str
    pattern: re.Pattern[str]
    words: str
    longest: int = 0


_STACK = _Kind("stack", re.compile("[A-Za-z][A-Za-z0-9-]*"), "A-Z, a-z, 0-9 and -, with a letter first")
_TENANT = _Kind("tenant", re.compile("[a-z][a-z0-9-]*"), "a-z, 0-9 and -, with a letter first")
_STAGE = _Kind("stage", re.compile("[a-z0-9][a-z0-9-]*"), "a-z, 0-9 and -, with no - first")
_DATABASE = _Kind("database", re.compile("[A-Za-z0-9_$-]+"), "A-Z, a-z, 0-9, _, $ and -", 64)
_USER = _Kind("user", re.compile("[A-Za-z0-9_$-]+"), "A-Z, a-z, 0-9, _, $ and -", 32)
_ROLE = _Kind("role", re.compile("[A-Za-z0-9_$-]+"), "A-Z, a-z, 0-9, _, $ and -", 32)
_CHARSET = _Kind("charset", re.compile("[A-Za-z0-9_]+"), "A-Z, a-z, 0-9 and _")
_COLLATION = _Kind("collation", re.compile("[A-Za-z0-9_]+"), "A-Z, a-z, 0-9 and _")


def problems(document: Document, cluster: Cluster, tenants: tuple[DeclaredTenant, ...]) -> Iterator[Problem]:
    """Every name that cannot be used, and every placeholder without a meaning."""
    yield from _cluster(document, cluster)
    yield from _parameters(document, cluster, tenants)
    for tenant in tenants:
        for path, fault in (*at(tenant.path, _tenant(cluster, tenant)), *_members(tenant)):
            yield tenant.problem(path, fault, at_key=True)
        if tenant.stages[:1] in ((), (tenant.stage,)):  # once for all stages
            stages = _stages(document, tenant)
            yield from (Problem(*fault, document.value(path), context(path)) for path, fault in stages)
        yield from (tenant.problem(path, fault) for path, fault in (*_databases(tenant), *_privileges(tenant)))


def _cluster(document: Document, cluster: Cluster) -> Iterator[Problem]:
    if cluster.stack:
        for fault in shared_stack(cluster.stack):
            yield Problem(*fault, document.value(("cluster", "stack")), "cluster")
    if cluster.region and not _REGION.fullmatch(cluster.region):
        what, why = f"{shown(cluster.region)} is not the name of a region", "AWS names regions like eu-west-1"
        where = document.value(("cluster", "region"))
        yield Problem("invalid-region", what, why, "write the region's name, not its city", where, "cluster")
    for fault in _account(cluster.account):
        yield Problem(*fault, cluster.account_where, "cluster")


def _parameters(document: Document, cluster: Cluster, tenants: tuple[DeclaredTenant, ...]) -> Iterator[Problem]:
    """A stack whose name no parameter's can begin with. ("Name", PutParameter, Systems Manager API Reference)"""
    if _KEPT_BY_AWS.match(cluster.stack) and any(tenant.value.outputs == "ssm" for tenant in tenants):
        what = f"outputs: ssm cannot be used on stack {shown(cluster.stack)}"
        why = f"parameters would be called /{cluster.stack}/..., and AWS keeps what begins with aws or ssm for itself"
        where, fix = (
            document.value(("cluster", "stack")),
            "leave outputs: ssm out, or use a shared stack of another name",
        )
        yield Problem("reserved-name", what, why, fix, where, "cluster")


def _account(number: str | None) -> Iterator[Fault]:
    if number and not _ACCOUNT.fullmatch(number):
        why = "AWS numbers accounts with 12 digits, and nothing between them"
        fix = "`aws sts get-caller-identity --query Account` prints that of the credentials in use"
        yield "invalid-account", f"{shown(number)} is not the number of an account", why, fix


def check_stack(name: str, *, to_deploy: bool = False) -> None:
    """Raises InvalidUsage for a name from the command line that no stack can have, or to_deploy: no shared stack."""
    faults = (*_misspelt(_STACK, name), *too_long("stack name", name, LONGEST_STACK))
    faults = tuple(shared_stack(name)) if to_deploy else faults
    if problems := [Problem(*fault) for fault in faults]:
        raise InvalidUsage(*problems)


def shared_stack(name: str) -> Iterator[Fault]:
    """The faults of a shared stack's name, which stands in the names of all that it makes."""
    yield from _misspelt(_STACK, name)
    longest = TIGHTEST.longest_stack
    if len(name) > longest:
        excess = counted(len(name) - longest, "character")
        made = f"the {TIGHTEST.noun} {TIGHTEST.name(stack='<stack>')} would have {len(TIGHTEST.name(stack=name))}"
        why = f"{made} characters, and {TIGHTEST.whose} takes {TIGHTEST.longest}"
        fix = f"shorten it by {excess}, to {longest} at most"
        yield "name-too-long", f"stack name {shown(name)} is {excess} too long", why, fix


def spelling(noun: Literal["tenant", "user"], written: str) -> Iterator[Fault]:
    """The faults of how a name is written that has been a tenant's or a user's, with placeholders in it or without."""
    kind = _TENANT if noun == "tenant" else _USER
    if without := _PLACEHOLDER.sub("", written):
        yield from _misspelt(kind, without)


def _stages(document: Document, tenant: DeclaredTenant) -> Iterator[PlacedFault]:
    stages = list(texts(mapping(document.data["tenants"][tenant.path[1]]), "stages", tenant.path))
    if len(stages) > MOST_STAGES:
        what = f"tenant {shown(tenant.path[1])} has {counted(len(stages), 'stage')}"
        why = f"each is a stack of its own, and a service can have at most {MOST_STAGES}"
        yield (*tenant.path, "stages"), ("too-many-stages", what, why, "make several services of it")
    for path, stage in stages:
        yield from at(path, _misspelt(_STAGE, stage))
    yield from repeated("stage", stages)


def _databases(tenant: DeclaredTenant) -> Iterator[PlacedFault]:
    for database in tenant.databases:
        yield from _character_set(database)
        for path, written in texts(database.body, "shared_with", database.path):
            yield from at(path, placeholders(tenant, written))


def _privileges(tenant: DeclaredTenant) -> Iterator[PlacedFault]:
    for grantee in tenant.grantees:
        for privilege in grantee.privileges:
            for key in ("database", "table", "procedure", "function"):
                written = privilege.body.get(key)
                if isinstance(written, str) and "{" in written:
                    yield from at((*privilege.path, key), placeholders(tenant, written))


def _members(tenant: DeclaredTenant) -> Iterator[PlacedFault]:
    for kind, members in ((_DATABASE, tenant.databases), (_ROLE, tenant.roles), (_USER, tenant.users)):
        for member in members:
            yield from at(member.path, _member(kind, tenant, str(member.path[-1]), member.value.name))


def _member(kind: _Kind, tenant: DeclaredTenant, written: str, name: str) -> Iterator[Fault]:
    """The faults of the name of a database, a user or a role. name: with its stage filled in."""
    is_reserved = is_reserved_database(name) if kind is _DATABASE else is_reserved_user(name)
    yield from placeholders(tenant, written)
    without = _PLACEHOLDER.sub("", written)
    if without or not written:
        yield from _misspelt(kind, without)
    if "{" not in name:
        yield from too_long(f"{kind.noun} name", name, kind.longest)
        if kind is _DATABASE:
            yield from _too_long_for_directory(name)
    if is_reserved and written:
        why = "the name belongs to MySQL, RDS or aurora-tenants"
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
        yield "invalid-name", f"this {kind.noun} has no name", why, "give it a name"
        return
    what = f"{kind.noun} name {shown(name)} {'contains' if right else 'begins with'} {named_character(name[right])}"
    plain = normalize("NFKD", name.replace(f"-{STAGE}", "")).encode("ascii", "ignore").decode()
    cleaned = re.sub("[^A-Za-z0-9_$-]", "-", plain)
    fitting = [guess for guess in (cleaned, re.sub("[_$]", "-", cleaned).lower()) if kind.pattern.fullmatch(guess)]
    yield "invalid-name", what, why, f"for example {shown(fitting[0])}" if fitting else "choose another name"


def _tenant(cluster: Cluster, tenant: DeclaredTenant) -> Iterator[Fault]:
    yield from _misspelt(_TENANT, str(tenant.path[-1]))
    if tenant.value.name == PAUSE_SCHEDULE:
        why = f"the stack of the pause schedule is called {pause_stack(cluster)}"
        yield "reserved-name", f"tenant name {PAUSE_SCHEDULE} is reserved", why, "choose another name"
    if tenant.value.name == CLUSTER:
        why = f"a stack {cluster_stack(cluster.stack)} can hold the cluster itself"
        yield "reserved-name", f"tenant name {CLUSTER} is reserved", why, "choose another name"
    if len(cluster.stack) <= TIGHTEST.longest_stack:
        why = f"its stack is named <cluster.stack>-<tenant>, which can have {LONGEST_STACK} characters"
        yield from too_long("tenant name", tenant.value.name, LONGEST_STACK, before=len(cluster.stack) + 1, why=why)


def _too_long_for_directory(name: str) -> Iterator[Fault]:
    """A name too long for MySQL's directory, where each - and $ takes five characters and 255 is the limit."""
    excess = len(name) + 4 * sum(character in "-$" for character in name) - _LONGEST_DIRECTORY
    if excess > 0 and len(name) <= _DATABASE.longest:
        why = f"MySQL's directory for it has five characters for each - and $, and at most {_LONGEST_DIRECTORY} in all"
        fix = "replace some of them with _, or shorten it"
        yield "name-too-long", f"database name {shown(name)} has too many - and $", why, fix


def placeholders(tenant: DeclaredTenant, written: str) -> Iterator[Fault]:
    """Every placeholder of a text that is unknown or has nothing to stand for."""
    if "{" not in written:
        return
    for placeholder in dict.fromkeys(_PLACEHOLDER.findall(written)):
        if placeholder != STAGE:
            what, why = f"unknown placeholder {shown(placeholder)}", f"only {STAGE} is replaced"
            yield "unknown-placeholder", what, why, f"write {STAGE}, or remove it"
        elif tenant.stage is None:
            what = f"{STAGE} is used, but tenant {shown(tenant.path[-1])} has no stages"
            fix = "add stages: [dev, prod] to the tenant, or write the name without it"
            yield "no-stages", what, f"{STAGE} stands for each of the tenant's stages", fix


def _character_set(database: Placed[TenantDatabase]) -> Iterator[PlacedFault]:
    """The faults of charset and collation."""
    charset, collation = database.value.charset, database.value.collation
    for kind, name in ((_CHARSET, charset), (_COLLATION, collation)):
        if name:
            yield from at((*database.path, kind.noun), _misspelt(kind, name))
    if charset and collation and collation.split("_")[0] != charset:
        why = "a character set can only have its own collations, whose names begin with its name"
        what = f"collation {shown(collation)} is not one of charset {shown(charset)}"
        yield (*database.path, "collation"), ("wrong-collation", what, why, "remove one of the two")
