"""tenants.yaml as values, or everything that is wrong with it.

    yaml_file    text → plain data that knows its places          (scalars, yaml_errors)
    schema       which keys there are and what kind of value each takes    (quick)
    declared     plain data → the model's values, each with its place, stages written out  (reading, options, rotation)
    part         of the data what one tenant needs
    names, ownership, accounts, privileges, moves, pause, rotation_rules, rollout    the rules that the schema cannot
                 express    (hosts, server_privileges)

Nothing here asks AWS or MySQL.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aurora_tenants.config import (
    accounts,
    declared,
    moves,
    names,
    ownership,
    part,
    pause,
    privileges,
    rollout,
    rotation_rules,
    schema,
    yaml_file,
)
from aurora_tenants.config.yaml_file import Document
from aurora_tenants.errors import InvalidFile, Location, Problem
from aurora_tenants.model import Configuration


def load(path: Path) -> Configuration:
    """What the file at path says. Raises InvalidFile with everything that is wrong with it."""
    return parse(yaml_file.read(path), str(path))


def load_for(path: Path, tenant: str) -> Configuration:
    """What the file at path says, or of its tenants only those of the entry that one of them comes from.

    Only that entry is checked, with what holds for every tenant; the whole file where the entry is wrong, about other
    tenants or has a name in common with one, and where there is none. Raises InvalidFile as load does.
    """
    with _garbage_collector_off():
        document = yaml_file.parse(yaml_file.read(path), str(path))
        if alone := part.of_one(document, tenant):
            with suppress(InvalidFile):
                return _checked(alone)
        return _checked(document)


def parse(text: str, file: str) -> Configuration:
    """What the text of a tenants.yaml says. file: its name in problems.

    Raises InvalidFile with everything that is wrong with it: in the order of the file, and nothing twice.
    """
    with _garbage_collector_off():
        return _checked(yaml_file.parse(text, file))


def _checked(document: Document) -> Configuration:
    cluster = declared.cluster(document)
    tenants = declared.tenants(document)
    shape = [*document.problems, *schema.problems(document)]
    rules = [
        *names.problems(document, cluster, tenants),
        *ownership.problems(tenants),
        *accounts.problems(tenants),
        *privileges.problems(tenants),
        *moves.problems(document, tenants),
        *pause.problems(document),
        *rotation_rules.problems(document, cluster, tenants),
        *rollout.problems(document, tenants),
    ]
    if shape or rules:
        raise InvalidFile(*_in_order([*_once_per_place(rules), *shape]))
    return Configuration(
        cluster,
        tuple(tenant.value for tenant in tenants),
        declared.ignore(document.data),
        rollout.declared(document.data),
    )


@contextmanager
def _garbage_collector_off() -> Iterator[None]:
    """A large file makes only objects that stay: looking for garbage among them doubles the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _once_per_place(problems: Iterable[Problem]) -> list[Problem]:
    """One problem of each kind per place: the rules meet an entry with stages once per stage."""
    return list({(problem.where, problem.code): problem for problem in reversed(list(problems))}.values())


def _in_order(problems: Iterable[Problem]) -> list[Problem]:
    """By place, and none twice: two aliases of one anchor have the same faults at the same place."""
    unique = {(problem.where, problem.code, problem.what): problem for problem in problems}
    return sorted(unique.values(), key=lambda problem: (problem.where or Location("", 0, 0), problem.code))
