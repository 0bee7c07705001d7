"""The pause schedule of tenants.yaml and of the command line: its values, and everything wrong with one.

The rules are the same for both. A path into the section of the file says what a fault is about: ("awake", 1, "from").

    awake: {days: MON-FRI, from: "07:00", …}   and   --awake "MON-FRI 07:00-17:00"   are the same Window
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from aurora_tenants.config.reading import entries, mapping, number, text
from aurora_tenants.config.schedule_text import (
    ASLEEP_ACU,
    AWAKE_ACU,
    DAY,
    PAUSE_AFTER,
    Unreadable,
    acu_name,
    read_acu,
    read_days,
    read_duration,
    read_start,
    read_time,
    read_window,
    time_name,
    whole,
    window_name,
    window_parts,
)
from aurora_tenants.config.wording import Fault, KeyPath, did_you_mean, shown
from aurora_tenants.config.yaml_file import Document
from aurora_tenants.errors import InvalidUsage, Problem
from aurora_tenants.model import Capacity, PauseSchedule, Window
from aurora_tenants.schedule import zones
from aurora_tenants.schedule.week import DAYS, day_names

SECTION: KeyPath = ("cluster", "pause_schedule")

_MOST_WINDOWS = 25  # each makes two schedules at most, and a template has 51,200 bytes
_MOST_ACU = 256
_USUAL_SECONDS = 300
_SECONDS = range(300, 86_400 + 1)

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Finding:
    """A fault and its path in the section. other: the path of the window it collides with."""

    path: KeyPath
    fault: Fault
    other: KeyPath | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    """What could be read of a schedule. windows: each with its path. None: missing or not readable."""

    timezone: str | None
    windows: tuple[tuple[KeyPath, Window], ...]
    asleep: Capacity | None
    unreadable: tuple[_Finding, ...]

    def findings(self) -> tuple[_Finding, ...]:
        """Everything wrong with it."""
        return (*self.unreadable, *_faults(self))

    def schedule(self) -> PauseSchedule | None:
        """The schedule; None when a part of it is missing."""
        if not self.timezone or not self.windows or self.asleep is None:
            return None
        return PauseSchedule(self.timezone, tuple(window for _, window in self.windows), self.asleep)


def from_options(
    timezone: str,
    awake: Sequence[str],
    *,
    awake_acu: str = AWAKE_ACU,
    asleep_acu: str = ASLEEP_ACU,
    pause_after: str = PAUSE_AFTER,
) -> PauseSchedule:
    """The schedule that the options of `pause-schedule set` ask for. Raises InvalidUsage with all that is wrong."""
    read = _read_options(timezone, awake, awake_acu, asleep_acu, pause_after)
    findings, schedule = read.findings(), read.schedule()
    if findings or schedule is None:
        raise InvalidUsage(*dict.fromkeys(_of_option(finding, awake) for finding in findings))
    return schedule


def capacity_of(acu: str, pause_after: str) -> Capacity:
    """The capacity of a range such as `0.5-4`. Raises InvalidUsage with all that is wrong with the two."""
    try:
        capacity = Capacity(*read_acu(acu), read_duration(pause_after))
    except Unreadable as unreadable:
        raise InvalidUsage(Problem(*unreadable.fault)) from unreadable
    findings = (*_capacity_faults((), capacity), *_seconds_faults(("pause_after_seconds",), capacity))
    if findings:
        raise InvalidUsage(*(Problem(*finding.fault) for finding in findings))
    return capacity


def declared(body: object) -> PauseSchedule | None:
    """The schedule of the section; None when it is missing or anything in it cannot be used."""
    read = _read(body)
    return None if read.findings() else read.schedule()


def problems(document: Document) -> Iterator[Problem]:
    """Everything wrong with the section that the schema cannot express."""
    for finding in _read(mapping(mapping(document.data).get("cluster")).get("pause_schedule")).findings():
        code, what, why, fix = finding.fault
        if finding.other is not None:
            why = f"the other is at {document.value((*SECTION, *finding.other))}; {why}"
        yield Problem(code, what, why, fix, document.value((*SECTION, *finding.path)), "cluster, pause_schedule")


def as_data(schedule: PauseSchedule) -> dict[str, Any]:
    """A schedule as the section of the file says it: `awake` is a mapping for one window and a list for several."""
    windows = [
        {"days": day_names(window.days), "from": time_name(window.start), "to": time_name(window.end)}
        | _acu_data(window.capacity)
        for window in schedule.awake
    ]
    asleep = _acu_data(schedule.asleep) | {"pause_after_seconds": schedule.asleep.pause_after_seconds}
    return {"timezone": schedule.timezone, "awake": windows[0] if len(windows) == 1 else windows, "asleep": asleep}


def _acu_data(capacity: Capacity) -> dict[str, Any]:
    return {key: whole(acu) for key, acu in (("min_acu", capacity.min_acu), ("max_acu", capacity.max_acu))}


# The section of the file


def _read(body: object) -> _Read:
    """What a section says. A value of the wrong type reads as absent: the schema reports it."""
    section = mapping(body)
    unreadable: list[_Finding] = []
    body_asleep = {"pause_after_seconds": _USUAL_SECONDS, **mapping(section.get("asleep"))}
    asleep = _capacity(body_asleep, number(body_asleep, "pause_after_seconds"))
    seconds = asleep.pause_after_seconds if asleep else _USUAL_SECONDS
    only: KeyPath = ("awake",)
    awake = [(only, section["awake"])] if isinstance(section.get("awake"), dict) else entries(section, "awake")
    windows = [
        (path, window) for path, entry in awake if (window := _window(path, mapping(entry), seconds, unreadable))
    ]
    return _Read(text(section, "timezone"), tuple(windows), asleep, tuple(unreadable))


def _window(path: KeyPath, body: Mapping[str, Any], seconds: int, unreadable: list[_Finding]) -> Window | None:
    """One window of the file; what cannot be read of it is added to unreadable."""

    def read(key: str, reader: Callable[[str], Value]) -> Value | None:
        written = text(body, key)
        return _readable((*path, key), unreadable, reader, written) if written else None

    days, start, end = read("days", read_days), read("from", read_start), read("to", read_time)
    capacity = _capacity(body, seconds)
    if days is None or start is None or end is None or capacity is None:
        return None
    return Window(days, start, end, capacity)


def _capacity(body: Mapping[str, Any], seconds: int | None) -> Capacity | None:
    acus: list[Any] = [body.get(key) for key in ("min_acu", "max_acu")]
    if seconds is None or not all(isinstance(acu, int | float) and not isinstance(acu, bool) for acu in acus):
        return None
    return Capacity(acus[0], acus[1], seconds)


def _readable(path: KeyPath, unreadable: list[_Finding], reader: Callable[..., Value], *arguments: Any) -> Value | None:
    """What a reader makes of a text; its fault is added to unreadable."""
    try:
        return reader(*arguments)
    except Unreadable as error:
        unreadable.append(_Finding(path, error.fault))
        return None


# Rules


def _faults(read: _Read) -> Iterator[_Finding]:
    """Everything that is wrong with what can be read."""
    if read.timezone:
        yield from (_Finding(("timezone",), fault) for fault in zone_faults(read.timezone))
    if len(read.windows) > _MOST_WINDOWS:
        what, why = f"there are {len(read.windows)} awake windows", f"the stack has room for {_MOST_WINDOWS}"
        fix = "combine windows with the same times: MON-FRI or MON,WED"
        yield _Finding(("awake",), ("too-many-windows", what, why, fix))
        return
    if read.asleep:
        yield from _capacity_faults(("asleep",), read.asleep)
        yield from _seconds_faults(("asleep", "pause_after_seconds"), read.asleep)
    for path, window in read.windows:
        yield from _capacity_faults(path, window.capacity)
        if window.start == window.end:
            what, why = f"the window {window_name(window)} is empty", "it ends at the time it begins"
            yield _Finding((*path, "to"), ("empty-window", what, why, "write 00:00 and 24:00 for a whole day"))
        if window.capacity == read.asleep:
            what, fix = f"the window {window_name(window)} changes nothing", "give it another capacity, or remove it"
            yield _Finding(path, ("useless-window", what, "its capacity is the same as that of asleep", fix))
    yield from _overlaps(read.windows)


def zone_faults(name: str) -> Iterator[Fault]:
    """Why a time zone of this name cannot be used."""
    known = zones.zones()
    if not known:
        why = f"without that data nobody knows when the clocks change in {shown(name)}"
        fix = "install the package tzdata, from the system or with pip"
        yield "no-time-zones", "this machine has no time zone data", why, fix
    elif name not in known:
        by_word = {word.lower(): zone for zone in sorted(known) for word in (zone.split("/")[-1], zone)}
        guess = by_word.get(name.strip().replace(" ", "_").lower())
        fix = f"did you mean {guess}?" if guess else did_you_mean(name, known, "for example Europe/Berlin, or UTC")
        why = "a time zone is named as in the IANA database, such as Europe/Berlin"
        yield "unknown-time-zone", f"there is no time zone {shown(name)}", why, fix


def _seconds_faults(path: KeyPath, capacity: Capacity) -> Iterator[_Finding]:
    if capacity.pause_after_seconds not in _SECONDS:
        what = f"pause_after_seconds is {shown(capacity.pause_after_seconds)}"
        why = "RDS pauses a cluster after five minutes to a day without a connection"
        fix = f"write a number from {_SECONDS[0]} to {_SECONDS[-1]}"
        yield _Finding(path, ("wrong-value", what, why, fix))


def _capacity_faults(path: KeyPath, capacity: Capacity) -> Iterator[_Finding]:
    is_sound = True
    for key, acu, least in (("min_acu", capacity.min_acu, 0), ("max_acu", capacity.max_acu, 1)):
        what = f"{key} is {shown(acu)}"
        if not least <= acu <= _MOST_ACU:
            why, fix = f"Aurora allows {least} to {_MOST_ACU} ACUs", f"write a number from {least} to {_MOST_ACU}"
        elif acu % 0.5:
            why = "Aurora scales in steps of half an ACU"
            fix = f"write {acu_name(acu // 0.5 / 2)} or {acu_name(acu // 0.5 / 2 + 0.5)}"
        else:
            continue
        is_sound = False
        yield _Finding((*path, key), ("wrong-value", what, why, fix))
    if is_sound and capacity.min_acu > capacity.max_acu:
        what = f"the minimum of {acu_name(capacity.min_acu)} ACUs is above the maximum of {acu_name(capacity.max_acu)}"
        why, fix = "a cluster scales from min_acu to max_acu", "swap them, or raise max_acu"
        yield _Finding((*path, "min_acu"), ("minimum-over-maximum", what, why, fix))


def _overlaps(windows: Sequence[tuple[KeyPath, Window]]) -> Iterator[_Finding]:
    """Each two windows that share a minute of the week, once, at the second of them."""
    owners: dict[int, int] = {}
    for at, (path, window) in enumerate(windows):
        reported: set[int] = set()
        length = (window.end - window.start) % DAY or DAY * (window.start != window.end)
        for minute in (day * DAY + window.start + passed for day in window.days for passed in range(length)):
            owner = owners.setdefault(minute % (7 * DAY), at)
            if owner != at and owner not in reported:
                reported.add(owner)
                other_path, other = windows[owner]
                day, time = divmod(minute % (7 * DAY), DAY)
                what = f"the window {window_name(window)} overlaps {window_name(other)}"
                why = (
                    f"both would apply on {DAYS[day]} at {time_name(time)}, but the cluster has one capacity at a time"
                )
                fix = "make one of them end where the other begins"
                yield _Finding(path, ("overlapping-windows", what, why, fix), other_path)


# The options of the command line


def _read_options(timezone: str, awake: Sequence[str], awake_acu: str, asleep_acu: str, pause_after: str) -> _Read:
    """What the options say, each part with its path in the section that it would become."""
    unreadable: list[_Finding] = []
    seconds = _readable(("asleep", "pause_after_seconds"), unreadable, read_duration, pause_after)
    usual = _readable(("awake_acu",), unreadable, read_acu, awake_acu) or (0.5, 4.0)
    asleep = _readable(("asleep", "min_acu"), unreadable, read_acu, asleep_acu)
    seconds = _USUAL_SECONDS if seconds is None else seconds
    windows = [
        (path, window)
        for path, written in ((("awake", at), written) for at, written in enumerate(awake))
        if (window := _readable(path, unreadable, read_window, written, usual, seconds))
    ]
    if not awake:
        fault = "missing-window", "no awake window is given", "", 'add --awake "MON-FRI 07:00-17:00"'
        unreadable.append(_Finding(("awake",), fault))
    if not timezone.strip():
        fault = "empty-value", "no time zone is given", "", "add --timezone Europe/Berlin"
        unreadable.append(_Finding(("timezone",), fault))
        timezone = ""
    return _Read(timezone, tuple(windows), Capacity(*asleep, seconds) if asleep else None, tuple(unreadable))


def _of_option(finding: _Finding, awake: Sequence[str]) -> Problem:
    """The problem of an option; its path is that of the part of the section that the option would become."""
    options = {"timezone": "--timezone", "awake_acu": "--awake-acu", "asleep": "--asleep-acu", "awake": "--awake"}
    option = options[str(finding.path[0])]
    if finding.path[-1] == "pause_after_seconds":
        option = "--pause-after"
    elif finding.path[0] == "awake" and len(finding.path) > 1:
        window = awake[int(finding.path[1])]
        match = window_parts(window)
        is_usual = finding.path[-1] in ("min_acu", "max_acu") and match is not None and match[4] is None
        option = "--awake-acu" if is_usual else f'--awake "{shown(window)}"'
    return Problem(*finding.fault, context=option)
