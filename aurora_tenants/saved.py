"""A plan that is saved, to be applied later exactly as it was reviewed: as text and back. Pure.

    text = SavedPlan(made, "tenants.yaml", fingerprint=…, plan=plan_data(proposal)).to_text()
    parse(text, "plan.json")        the same again, or InvalidFile with a sentence
    moved(saved, now, "plan.json")  why it cannot be applied any more; none when nothing has moved

The text is JSON with the keys version, program, made, request, fingerprint, plan and digest. The digest tells a file
that was cut off or edited by hand; it is no signature: whoever may write the file can write another digest, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aurora_tenants import __version__
from aurora_tenants.errors import InvalidFile, Problem
from aurora_tenants.fingerprint import Fingerprint, Place, Section, differences, place_moved
from aurora_tenants.safety import Allowed

VERSION = 1
_KEYS = frozenset(("version", "program", "made", "request", "fingerprint", "plan", "digest"))
_SECTIONS = ("file", "mysql", "missing", "stacks", "schedules", "secrets", "planned")
_BEGINNING = re.compile(r'\{\s*"version":\s*\d+,\s*"program":\s*"')
# More that has moved is counted.
_MOST_MOVED = 20


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """made: when. file: the tenants.yaml, as it was named. only, group, allowed, logins: as in `Request`, `Reading`.

    plan: what `plan --output json` says of it, for people and programs that review it; nothing is applied from there.
    program: the version that made it.
    """

    made: datetime
    file: str
    fingerprint: Fingerprint
    plan: Mapping[str, Any]
    only: tuple[str, ...] = ()
    allowed: Allowed = field(default_factory=Allowed)
    logins: bool = False
    program: str = __version__
    group: str | None = None

    @property
    def when(self) -> str:
        """When it was made, for people: `2026-03-01 09:30 UTC`."""
        return f"{self.made.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

    @property
    def options(self) -> tuple[str, ...]:
        """The words of the command line that made it, without `--out`."""
        allowed = self.allowed
        repeated = (("--tenant", self.only), ("--allow-drop", allowed.drops), ("--allow-access", allowed.access))
        return (
            *(("--file", self.file) if self.file != "tenants.yaml" else ()),
            *(word for option, values in repeated for value in values for word in (option, value)),
            *(("--group", self.group) if self.group is not None else ()),
            *(("--allow-mass-removal",) if allowed.mass_removal else ()),
            *(("--allow-skipped-groups",) if allowed.skipped_groups else ()),
            *(("--logins",) if self.logins else ()),
        )

    def to_text(self) -> str:
        """JSON, all of it ASCII, with a line break at its end."""
        allowed, it = self.allowed, self.fingerprint
        data = {
            "version": VERSION,
            "program": self.program,
            "made": self.made.astimezone(UTC).isoformat(timespec="seconds"),
            "request": {
                "file": self.file,
                "tenants": [*self.only],
                "group": self.group,
                "allow_drop": [*allowed.drops],
                "allow_mass_removal": allowed.mass_removal,
                "allow_access": [*allowed.access],
                "allow_skipped_groups": allowed.skipped_groups,
                "logins": self.logins,
            },
            "fingerprint": {"place": it.place._asdict()} | {name: getattr(it, name) for name in _SECTIONS},
            "plan": self.plan,
        }
        return json.dumps({**data, "digest": _digest(data)}, indent=1) + "\n"


def parse(text: str, name: str) -> SavedPlan:
    """name: of the file, in problems. Raises InvalidFile for one that is damaged, of another program or version."""
    data = _data(text, name)
    if data["version"] != VERSION or data["program"] != __version__:
        what = f"{name} was made by version {data['program']} of this program, and this is {__version__}"
        why = f"it is written in form {data['version']}, and only form {VERSION} of the same version is applied"
        raise InvalidFile(Problem("other-version", what, why, _again(name)))
    if data["digest"] != _digest({key: value for key, value in data.items() if key != "digest"}):
        what, why = f"{name} is not as it was saved", "its digest is another: it was edited, or damaged on its way"
        raise InvalidFile(Problem("damaged-plan", what, why, _again(name)))
    try:
        return _saved(data)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        what, why = (
            f"{name} is no saved plan, though it looks like one",
            f"a key is missing or of another kind: {error}",
        )
        raise InvalidFile(Problem("damaged-plan", what, why, _again(name))) from error


def is_saved(text: str) -> bool:
    """Whether a text is that of a saved plan, of whichever version or cut off: another may take its place."""
    return _BEGINNING.match(text) is not None


def moved(saved: SavedPlan, now: Fingerprint, name: str) -> tuple[Problem, ...]:
    """A problem for each thing that has moved since; the last says what to do. name: of the file."""
    sentences = differences(saved.fingerprint, now)
    more = len(sentences) - _MOST_MOVED
    shown = (*sentences[:_MOST_MOVED], *([f"{more:,} more things have moved"] if more > 0 else []))
    why = f"{name} was made before that, at {saved.when}, and is applied as it was reviewed or not at all"
    fix = _again(name, saved.options)
    return tuple(Problem("plan-moved", sentence, *((why, fix) if sentence is shown[-1] else ())) for sentence in shown)


def misplaced(saved: SavedPlan, account: str, region: str, name: str) -> tuple[Problem, ...]:
    """Why a plan is not for this account and region. name: of the file."""
    sentences = place_moved(saved.fingerprint.place, account, region)
    fix = "use the credentials and the region that it was made with, or make it again"
    return tuple(Problem("plan-moved", sentence, f"{name} was made there", fix) for sentence in sentences)


def _again(name: str, options: Sequence[str] = ()) -> str:
    return f"make it again, and review that: aurora-tenants plan {shlex.join(['--out', name, *options])}"


def _data(text: str, name: str) -> dict[str, Any]:
    if not text.strip():
        raise InvalidFile(Problem("damaged-plan", f"{name} is empty", fix=_again(name)))
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        if not text.lstrip().startswith("{"):
            raise InvalidFile(_foreign(name)) from error
        what, why = f"{name} is not whole, or no saved plan", f"it is no JSON: {error}"
        raise InvalidFile(Problem("damaged-plan", what, why, _again(name))) from error
    if _looks_saved(data):
        return dict(data)
    raise InvalidFile(_foreign(name, is_output=isinstance(data, dict) and {"version", "tenants"} <= data.keys()))


def _foreign(name: str, *, is_output: bool = False) -> Problem:
    why = "it is what --output json prints, which can be read and not applied" if is_output else ""
    fix = f"aurora-tenants plan --out FILE makes one; if {name} says what should be there: --file {name}"
    return Problem("not-a-plan", f"{name} is no saved plan", why, _again("FILE") if is_output else fix)


def _looks_saved(data: Any) -> bool:
    return isinstance(data, dict) and data.keys() >= _KEYS


def _digest(data: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _saved(data: Mapping[str, Any]) -> SavedPlan:
    """Raises LookupError, TypeError, ValueError, AttributeError, OverflowError for what is of another kind."""
    request, told = data["request"], data["fingerprint"]
    mass_removal, logins = _yes_or_no(request["allow_mass_removal"]), _yes_or_no(request["logins"])
    skipped_groups, group = _yes_or_no(request["allow_skipped_groups"]), request["group"]
    return SavedPlan(
        datetime.fromisoformat(data["made"]).astimezone(UTC),
        _path(request["file"]),
        Fingerprint(
            Place(**{key: _word(value) for key, value in told["place"].items()}),
            *(_section(told[name]) for name in _SECTIONS),
        ),
        dict(data["plan"]),
        _words(request["tenants"]),
        Allowed(_words(request["allow_drop"]), mass_removal, _words(request["allow_access"]), skipped_groups),
        logins,
        _word(data["program"]),
        None if group is None else _word(group),
    )


def _section(data: Mapping[str, Mapping[str, Any]]) -> Section:
    return {name: {aspect: _word(value) for aspect, value in aspects.items()} for name, aspects in data.items()}


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("yes or no is expected")
    return value


def _words(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError("a list is expected")
    return tuple(map(_word, values))


def _path(value: Any) -> str:
    """A name that a file can have."""
    if not value or "\0" in os.fsencode(_word(value)).decode(errors="replace"):
        raise ValueError("a file is expected")
    return str(value)


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is expected")
    return value
