"""The order of tenants: `rollout` of the file as a value, and globs and groups that do not mean what they look like.

rollout:
  groups:
    - {name: canary, tenants: [shop-dev], pause: manual}      Group("canary", ("shop-dev",), pauses=True)
    - {name: rest, tenants: ["*"]}                            Group("rest", ("*",))
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from aurora_tenants.config.declared import DeclaredTenant
from aurora_tenants.config.reading import entries, mapping, number, text, texts
from aurora_tenants.config.wording import (
    Fault,
    KeyPath,
    PlacedFault,
    at,
    counted,
    did_you_mean,
    repeated,
    shown,
    too_long,
)
from aurora_tenants.config.yaml_file import Document
from aurora_tenants.errors import Problem
from aurora_tenants.model import Group, Rollout

_PATH: KeyPath = ("rollout", "groups")
_NAME = re.compile("[a-z][a-z0-9-]*")
_LONGEST_NAME = 64
_ALL = "*"
# More names than this are only counted.
_MOST_NAMES = 5


class _Declared(NamedTuple):
    """A group, the path to it, and its globs with theirs."""

    value: Group
    path: KeyPath
    globs: tuple[tuple[KeyPath, str], ...]


def declared(data: object) -> Rollout | None:
    """The groups of the file, as far as readable; None where there are none."""
    groups = _groups(data)
    stop_after = number(mapping(mapping(data).get("rollout")), "stop_after")
    return Rollout(tuple(group.value for group in groups), stop_after) if groups else None


def _groups(data: object) -> list[_Declared]:
    found = []
    for path, entry in entries(mapping(mapping(data).get("rollout")), "groups", ("rollout",)):
        body = mapping(entry)
        globs = tuple(texts(body, "tenants", path))
        value = Group(text(body, "name") or "", tuple(glob for _, glob in globs), text(body, "pause") == "manual")
        found.append(_Declared(value, path, globs))
    return found


def problems(document: Document, tenants: Sequence[DeclaredTenant]) -> Iterator[Problem]:
    """Every group that cannot be, every glob that is about nobody, and that there are tenants in no group."""
    groups = _groups(document.data)
    names = [tenant.value.name for tenant in tenants]
    for path, fault in repeated("group", [((*it.path, "name"), it.value.name) for it in groups if it.value.name]):
        yield _problem(document, path, fault, groups)
    for index, group in enumerate(groups):
        faults = [*at((*group.path, "name"), _name(group.value.name)), *repeated("tenant", group.globs)]
        is_last = index == len(groups) - 1
        faults += _pause(group, is_last=is_last)
        if names:
            of_globs = list(_globs(group, groups[:index], names, document))
            faults += of_globs or at(group.path, _empty(group, groups[:index], names) if not is_last else ())
        for path, fault in faults:
            yield _problem(document, path, fault, groups)
    if groups and all(group.globs for group in groups):
        yield from (_problem(document, _PATH, fault, ()) for fault in _left_out(groups, names))


def _problem(document: Document, path: KeyPath, fault: Fault, groups: Sequence[_Declared]) -> Problem:
    name = groups[path[2]].value.name if groups and isinstance(path[2], int) else ""
    where = document.key(path) if path == _PATH else document.value(path)
    return Problem(*fault, where, f"rollout, group {shown(name)}" if name else "rollout")


def _name(name: str) -> Iterator[Fault]:
    if name and not _NAME.fullmatch(name):
        what = f"group name {shown(name)} has characters that none can have"
        yield "invalid-name", what, "it consists of a-z, 0-9 and -, with a letter first", "choose another name"
    yield from too_long("group name", name, _LONGEST_NAME)


def _pause(group: _Declared, *, is_last: bool) -> Iterator[PlacedFault]:
    if group.value.pauses and is_last:
        what = f"nothing comes after group {shown(group.value.name)}"
        why = "it is the last one, so a pause waits for nothing"
        yield (*group.path, "pause"), ("pause-at-the-end", what, why, "remove pause, or add a group after this one")


def _globs(
    group: _Declared, before: Sequence[_Declared], names: Collection[str], document: Document
) -> Iterator[PlacedFault]:
    """before: the groups before it. names: of all tenants."""
    name = shown(group.value.name)
    if all_of := next((it for it in before if _ALL in it.value.tenants), None):
        first = shown(all_of.value.name)
        what, why = f"no tenant can be of group {name}", f"group {first} before it takes all, and the first one counts"
        yield group.path, ("group-of-nobody", what, why, f"put it before group {first}")
        return
    for path, glob in group.globs:
        taken = next((it for it in before if it.value.takes(glob)), None)
        if not fnmatch.filter(names, glob):
            yield path, _of_nobody(glob, names, mapping(mapping(document.data).get("tenants")))
        elif glob in names and taken:
            what = f"tenant {shown(glob)} is of group {shown(taken.value.name)} already"
            why = f"a glob of that group takes it, at {document.key(taken.path)}, and it is deployed in the first one"
            yield path, ("tenant-of-two-groups", what, why, "remove it here, or put this group before that one")


def _empty(group: _Declared, before: Sequence[_Declared], names: Collection[str]) -> Iterator[Fault]:
    """A group whose tenants are all of groups before it. The last one, which is for all that is left, may be so."""
    if not any(group.value.takes(name) and not any(it.value.takes(name) for it in before) for name in names):
        what, why = f"no tenant is of group {shown(group.value.name)}", "all that it is for are of groups before it"
        yield "group-of-nobody", what, why, "remove it, or put it before them"


def _of_nobody(glob: str, names: Collection[str], services: Collection[str]) -> Fault:
    what, why = f"there is no tenant {shown(glob)}", "a group without the tenants that it is for proves nothing"
    if set("*?[").intersection(glob):
        what = f"no tenant is called {shown(glob)}"
    fix = f"write {glob}-*, for all of its stages" if glob in services else did_you_mean(glob, names, "remove it")
    return "unknown-tenant", what, why, fix


def _left_out(groups: Sequence[_Declared], names: Collection[str]) -> Iterator[Fault]:
    left = [name for name in names if not any(group.value.takes(name) for group in groups)]
    if left:
        more = f", … ({len(left):,})" if len(left) > _MOST_NAMES else ""
        listed = f"{', '.join(map(shown, left[:_MOST_NAMES]))}{more}"
        what = f"{counted(len(left), 'tenant')} of no group: {listed}"
        why = "apply --group would never deploy them, and nobody would notice"
        yield "tenant-of-no-group", what, why, 'add them to a group, or "*" to the last one'
