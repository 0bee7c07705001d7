"""An account's answers beside a sandbox's: how the sandbox becomes true.

replay(Path("smoke-1a2b3c4d.json"), PROBES, report)      0: it answers alike, 2: not everywhere, 1: it could not be run
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from aurora_sandbox import lifecycle
from aurora_sandbox.environment import of_command
from tools.smoke.answers import Answers, Json, load
from tools.smoke.compare import common, differences
from tools.smoke.probe import Probe
from tools.smoke.probes import PROBES
from tools.smoke.report import Report
from tools.smoke.run import DIFFERS, DONE, FAILED, Options, ask_all, opened, tell_end
from tools.smoke.statements import value


def replay(path: Path, probes: Sequence[Probe], report: Report, *, mysqld: str | None = None) -> int:
    """Asks the same probes of a new sandbox. Raises UnusableAnswers, SandboxError."""
    theirs = load(path)
    known = {probe.id for probe in (*PROBES, *probes)}
    for name in (it for it in theirs["answers"] if it not in known):
        report.tell(f"There is no probe {name} any more.")
    chosen = [probe for probe in probes if probe.id in theirs["answers"]]
    with _sandbox(theirs, report, mysqld) as own, tempfile.TemporaryDirectory() as directory, opened(own) as world:
        answers = Answers(
            Path(directory) / "answers.json",
            _facts(world.name, world.account, world.region),
            secrets=world.secret_values,
        )
        outcome = ask_all(world, chosen, answers, report)
        ours = load(answers.path)
    tell_end(outcome, report, world.place)
    if outcome.problem:
        return FAILED
    return _tell(theirs, ours, chosen, report)


def _tell(theirs: Mapping[str, Json], ours: Mapping[str, Json], probes: Sequence[Probe], report: Report) -> int:
    compared = {*common(theirs, ours)}
    for probe in probes:
        if probe.id not in compared:
            sides = {"the account": theirs["answers"][probe.id], "the sandbox": ours["answers"][probe.id]}
            why = "; ".join(f"not run in {side}: {it['not_run']}" for side, it in sides.items() if "not_run" in it)
            report.tell(f"not compared  {probe.id}  {why}")
    found = differences(theirs, ours)
    for difference in found:
        report.tell(f"differs  {difference}")
    names = list(dict.fromkeys(difference.probe for difference in found))
    report.tell(f"{len(compared)} answers compared, {len(names)} differ{': ' if names else ''}{', '.join(names)}")
    return DIFFERS if names else DONE


@contextmanager
def _sandbox(theirs: Mapping[str, Json], report: Report, mysqld: str | None) -> Iterator[Options]:
    """A sandbox of its own, set as the account was where it can be; this process's AWS is there meanwhile."""
    with tempfile.TemporaryDirectory() as directory:
        state = Path(directory)
        running = lifecycle.up(
            mysqld=mysqld,
            partial_revokes=_partial_revokes(theirs),
            tell=report.tell,
            region=theirs["region"],
            directory=state,
        )
        try:
            with _environment(lifecycle.environment(running)):
                yield Options()
        finally:
            lifecycle.down(directory=state)


def _partial_revokes(theirs: Mapping[str, Json]) -> bool:
    recorded = theirs["answers"].get("partial-revokes", {}).get("answer")
    try:
        return bool(value(recorded))
    except (KeyError, IndexError, TypeError, AttributeError, StopIteration):  # not asked, or refused
        return True


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    cleaned = of_command(before, variables)
    os.environ.clear()
    os.environ.update(cleaned)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _facts(name: str, account: str, region: str) -> dict[str, Json]:
    return {"name": name, "account": account, "region": region}
