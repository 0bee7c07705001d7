"""What a probe is: something that we rely on and only an account can show, how to ask it, and what should come.

    judge(probe, {"answer": {"error": {…}}})      Result(probe, "same", {"error": {…}}, "")

A probe asks (effects) and expects (pure): the recorded answer of one run can be judged again, and compared with that
of another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from tools.smoke.world import World

Json = Any
Kind = Literal["same", "differs", "not run"]


class NotRun(Exception):
    """A probe that cannot be asked here; its text says why, to follow "not run: "."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One row of docs/unverified.md.

    relies, otherwise, look: the row: what we rely on, what happens if it is not so, how a person sees it.
    expected: what should be seen, in a few words. ask: the raw answer, as JSON; raises NotRun. expect: pure: empty if
    the answer is as expected, otherwise what differs, as a sentence. takes_seconds: on AWS, about. needs: other probes'
    ids, whose work it does too unless they have been asked before. disturbs: what it does to others in the account, to
    follow its name; such a probe is asked only if it is named.
    """

    id: str
    section: str
    relies: str
    otherwise: str
    look: str
    expected: str
    ask: Callable[[World], Json]
    expect: Callable[[Json], str]
    takes_seconds: int = 2
    needs: tuple[str, ...] = ()
    disturbs: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a probe. seen: its recorded answer. text: what differs, or why it was not run."""

    probe: Probe
    kind: Kind
    seen: Json
    text: str = ""


def judge(probe: Probe, recorded: Mapping[str, Json]) -> Result:
    """A recorded answer against what is expected of it.

    recorded: {"answer": …}, {"not_run": why} or {"failed": the exception that the probe ended with}.
    """
    if "not_run" in recorded:
        return Result(probe, "not run", None, str(recorded["not_run"]))
    if "failed" in recorded:
        return Result(probe, "differs", None, f"the probe failed: {recorded['failed']}")
    answer = recorded["answer"]
    try:
        text = probe.expect(answer)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, StopIteration) as error:
        # An account may answer in a form that nobody thought of; that is a difference, and no reason to stop.
        text = f"the answer has another form ({type(error).__name__}: {error})"
    return Result(probe, "differs" if text else "same", answer, text)
