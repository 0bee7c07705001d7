"""Measures in turns: each thing once, then each again, so that the machine's better and worse hours hit all alike."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from aurora_sandbox.mysqld import as_root
from bench.figures import (
    APPLY,
    BARE,
    DRIFT,
    EXAMPLE,
    FIRST,
    FLOOR,
    HELP,
    LATE_LEAN,
    LATE_PLAN,
    LEAN,
    NAIVE,
    PLAN,
    VALIDATE,
    VERSION,
    Figure,
)
from bench.process import Cost, measured
from bench.world import LANES, PROGRAM, ROOT, STACK, World

# A start takes so little that one in a turn tells nothing.
_STARTS = 5
# It takes most of the time, and is there to show what it is about: at so many tenants, and at more.
_MANY, _NAIVE_TURNS = 1000, (3, 1)
_BENCH = ROOT / "bench"


@dataclass(frozen=True, slots=True)
class Thing:
    """A command to measure. within: what is the case meanwhile. world: whose calls are counted, None for no world's.

    runs: so many in each turn. turns: in the first so many alone.
    """

    name: str
    tenants: int | None
    command: Sequence[str]
    environment: Mapping[str, str]
    exits: int = 0
    within: Callable[[], AbstractContextManager[None]] = nullcontext
    world: World | None = None
    runs: int = 1
    turns: int = sys.maxsize

    def run(self, directory: Path) -> Cost:
        with self.within():
            return measured(self.command, exits=self.exits, environment=self.environment, directory=directory)


def measure(things: Sequence[Thing], turns: int, *, directory: Path, tell: Callable[[str], None]) -> list[Figure]:
    """A figure of each. Everything runs once before, for its calls, and so that nothing is cold.

    directory: where the commands run, with nothing in it that Python could import.
    """
    tell("once, to count calls")
    calls = [_calls(thing, directory) for thing in things]
    costs: list[list[Cost]] = [[] for _ in things]
    for turn in range(turns):
        tell(f"turn {turn + 1} of {turns}")
        for thing, own in zip(things, costs, strict=True):
            if turn < thing.turns:
                own += [thing.run(directory) for _ in range(thing.runs)]
    return [_figure(*each) for each in zip(things, costs, calls, strict=True)]


def healed(thing: Thing, directory: Path) -> Figure:
    """Of what can be measured once alone, as it leaves nothing to do."""
    assert thing.world
    before = thing.world.calls()
    cost = thing.run(directory)
    return _figure(thing, [cost], dict(thing.world.calls() - before))


def _calls(thing: Thing, directory: Path) -> dict[str, int]:
    before = thing.world.calls() if thing.world else None
    thing.run(directory)
    return dict(thing.world.calls() - before) if thing.world and before is not None else {}


def _figure(thing: Thing, costs: Sequence[Cost], calls: Mapping[str, int]) -> Figure:
    walls, cpus = tuple(cost.wall for cost in costs), tuple(cost.cpu for cost in costs)
    return Figure(thing.name, thing.tenants, walls, cpus, max(cost.memory for cost in costs), calls)


def starts(code: Path) -> Iterator[Thing]:
    """What is done without a world. code: the directory whose aurora_tenants is measured."""
    environment = os.environ | {"PYTHONPATH": str(code)}
    file = str(ROOT / "examples" / "tenants.yaml")
    yield Thing(BARE, None, [sys.executable, "-c", "pass"], environment, runs=_STARTS)
    for name, words in ((VERSION, ["--version"]), (HELP, ["--help"]), (EXAMPLE, ["validate", "--file", file])):
        yield Thing(name, None, [*PROGRAM, *words], environment, runs=_STARTS)


def of_world(deployed: World, fresh: World, code: Path) -> Iterator[Thing]:
    """What is measured at one number of tenants."""
    size, file = deployed.tenants, str(deployed.file)
    environment = deployed.environment | {"PYTHONPATH": str(code)}
    plan = [*PROGRAM, "plan", "--detailed-exitcode", "--file", file]
    yield _reference(LEAN, deployed)
    yield Thing(FLOOR, size, [sys.executable, str(_BENCH / "floor.py"), STACK], environment)
    yield Thing(PLAN, size, plan, environment, world=deployed)
    first = fresh.environment | {"PYTHONPATH": str(code)}
    yield Thing(FIRST, size, [*plan[:-1], str(fresh.file)], first, exits=2, world=fresh)
    yield Thing(DRIFT, size, plan, environment, exits=2, within=deployed.drifted, world=deployed)
    yield Thing(VALIDATE, size, [*PROGRAM, "validate", "--file", file], environment)
    yield replace(_reference(NAIVE, deployed), turns=_NAIVE_TURNS[size > _MANY])


def late(world: World, code: Path, latency: float) -> Iterator[Thing]:
    """The same where every round trip takes so many ms longer; lean waits by itself, as nobody else is between."""
    plan = [*PROGRAM, "plan", "--detailed-exitcode", "--file", str(world.file)]
    environment = world.environment | {"PYTHONPATH": str(code)}
    lean = _reference(LEAN, world)
    yield replace(lean, name=LATE_LEAN, command=[*lean.command, str(latency / 1000)])
    yield Thing(LATE_PLAN, world.tenants, plan, environment, within=partial(world.slow, latency / 1000))


def healing(world: World, code: Path) -> Thing:
    command = [*PROGRAM, "apply", "--yes", "--parallel", LANES, "--file", str(world.file)]
    environment = world.environment | {"PYTHONPATH": str(code)}
    return Thing(APPLY, world.tenants, command, environment, within=world.drifted, world=world)


def _reference(name: str, world: World) -> Thing:
    """lean.py or naive.py, which find nothing to do either."""
    socket = world.running.mysqld_socket
    environment = os.environ | {"MYSQL_PWD": as_root(socket)["password"]}
    command = [sys.executable, str(_BENCH / f"{name}.py"), str(world.file), socket]
    return Thing(name, world.tenants, command, environment)
