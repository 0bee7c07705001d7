"""The pause schedule of tenants.yaml and of the command line: its values, and everything wrong with one.

The rules are the same for both. A way into the section of the file says what a fault is about: ("awake", 1, "from").

    awake: {days: MON-FRI, from: "07:00", …}   and   --awake "MON-FRI 07:00-17:00"   are the same Window
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from aurora_tenants.config.reading import mapping
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
_SECONDS = range(300, 86_400 + 1)

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Found:
    """A fault and the way to it in the section. other: the way to what it does not go together with."""

    path: KeyPath
    fault: Fault
    other: KeyPath | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    """What could be read of a schedule. windows: each with the way to it. None: not given, or not readable."""

    timezone: str | None
    windows: tuple[tuple[KeyPath, Window], ...]
    asleep: Capacity | None
    found: tuple[_Found, ...]


def from_options(
    timezone: str,
    awake: Sequence[str],
    *,
    awake_acu: str = AWAKE_ACU,
    asleep_acu: str = ASLEEP_ACU,
    pause_after: str = PAUSE_AFTER,
) -> PauseSchedule:
    """The schedule that the options of `pause-schedule set` ask for. Raises InvalidUsage with all that is wrong."""
    found: list[_Found] = []

    def read(path: KeyPath, reader: Callable[..., Value], *arguments: Any) -> Value | None:
        try:
            return reader(*arguments)
        except Unreadable as unreadable:
            found.append(_Found(path, unreadable.fault))
            return None

    seconds = read(("asleep", "pause_after_seconds"), read_duration, pause_after)
    usual = read(("awake_acu",), read_acu, awake_acu)
    range_asleep = read(("asleep", "min_acu"), read_acu, asleep_acu)
    known = 300 if seconds is None else seconds
    windows = [read(("awake", at), read_window, text, usual or (0.5, 4.0), known) for at, text in enumerate(awake)]
    asleep = Capacity(*range_asleep, known) if range_asleep else None
    if not awake:
        fix = 'add --awake "MON-FRI 07:00-17:00"'
        found.append(_Found(("awake",), ("missing-window", "no awake window is given", "", fix)))
    readable = tuple((("awake", at), window) for at, window in enumerate(windows) if window)
    if not timezone.strip():
        found.append(
            _Found(("timezone",), ("empty-value", "no time zone is given", "", "add --timezone Europe/Berlin"))
        )
    found += _faults(_Read(timezone if timezone.strip() else None, readable, asleep, ()))
    if found or asleep is None:
        raise InvalidUsage(*dict.fromkeys(_of_option(each, awake) for each in found))
    return PauseSchedule(timezone, tuple(window for _, window in readable), asleep)


def capacity_of(acu: str, pause_after: str) -> Capacity:
    """The capacity of a range such as `0.5-4`. Raises InvalidUsage with all that is wrong with the two."""
    try:
        capacity = Capacity(*read_acu(acu), read_duration(pause_after))
    except Unreadable as unreadable:
        raise InvalidUsage(Problem(*unreadable.fault)) from unreadable
    found = (*_capacity_faults((), capacity), *_seconds_faults(("pause_after_seconds",), capacity))
    if found:
        raise InvalidUsage(*(Problem(*each.fault) for each in found))
    return capacity


def declared(body: object) -> PauseSchedule | None:
    """What the section says; None when there is none, or anything in it cannot be used."""
    read = _read(body)
    if not read.timezone or read.asleep is None or not read.windows or read.found or any(_faults(read)):
        return None
    return PauseSchedule(read.timezone, tuple(window for _, window in read.windows), read.asleep)


def problems(document: Document) -> Iterator[Problem]:
    """Everything wrong with the section that the schema cannot say."""
    cluster = document.data.get("cluster") if isinstance(document.data, dict) else None
    read = _read(cluster.get("pause_schedule") if isinstance(cluster, dict) else None)
    for each in (*read.found, *_faults(read)):
        code, what, why, fix = each.fault
        if each.other is not None:
            why = f"the other is at {document.value((*SECTION, *each.other))}; {why}"
        yield Problem(code, what, why, fix, document.value((*SECTION, *each.path)), "cluster, pause_schedule")


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
    """What a section says. A value of the wrong type reads as absent: the schema has told of it."""
    section = mapping(body)
    found: list[_Found] = []
    timezone, asleep = section.get("timezone"), _capacity(mapping(section.get("asleep")), None)
    awake = section.get("awake")
    entries: list[tuple[KeyPath, object]] = [(("awake",), awake)] if isinstance(awake, dict) else []
    entries += [(("awake", at), entry) for at, entry in enumerate(awake if isinstance(awake, list) else ())]
    windows = []
    for path, entry in entries:
        window = _entry(path, mapping(entry), asleep.pause_after_seconds if asleep else 300, found)
        if window:
            windows.append((path, window))
    return _Read(timezone if isinstance(timezone, str) else None, tuple(windows), asleep, tuple(found))


def _entry(path: KeyPath, body: Mapping[str, Any], seconds: int, found: list[_Found]) -> Window | None:
    """One window of the file; what cannot be read of it is added to found."""

    def read(key: str, reader: Callable[[str], Value]) -> Value | None:
        try:
            return reader(body[key]) if isinstance(body.get(key), str) and body[key] else None
        except Unreadable as unreadable:
            found.append(_Found((*path, key), unreadable.fault))
            return None

    days, start, end = read("days", read_days), read("from", read_start), read("to", read_time)
    capacity = _capacity(body, seconds)
    if days is None or start is None or end is None or capacity is None:
        return None
    return Window(days, start, end, capacity)


def _capacity(body: Mapping[str, Any], seconds: int | None) -> Capacity | None:
    """seconds: None to read them of the body."""
    least, most = _number(body.get("min_acu")), _number(body.get("max_acu"))
    after = _number(body.get("pause_after_seconds", 300)) if seconds is None else seconds
    if least is None or most is None or after is None or not float(after).is_integer():
        return None
    return Capacity(least, most, int(after))


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


# Rules


def _faults(read: _Read) -> Iterator[_Found]:
    """Everything that is readable and cannot be."""
    if read.timezone:
        yield from (_Found(("timezone",), fault) for fault in _zone_faults(read.timezone))
    if len(read.windows) > _MOST_WINDOWS:
        what, why = f"there are {len(read.windows)} awake windows", f"at most {_MOST_WINDOWS} fit into the stack"
        yield _Found(("awake",), ("too-many-windows", what, why, "join windows of the same times: MON-FRI, or MON,WED"))
        return
    if read.asleep:
        yield from _capacity_faults(("asleep",), read.asleep)
        yield from _seconds_faults(("asleep", "pause_after_seconds"), read.asleep)
    for path, window in read.windows:
        yield from _capacity_faults(path, window.capacity)
        if window.start == window.end:
            what, why = f"the window {window_name(window)} is empty", "it ends when it begins"
            yield _Found((*path, "to"), ("empty-window", what, why, "write 00:00 and 24:00 for a whole day"))
        if window.capacity == read.asleep:
            what, why = f"the window {window_name(window)} changes nothing", "its capacity is that of asleep"
            yield _Found(path, ("useless-window", what, why, "give it another capacity, or take it out"))
    yield from _overlaps(read.windows)


def _zone_faults(name: str) -> Iterator[Fault]:
    known = zones.zones()
    if not known:
        why = f"without it nobody knows when the clocks of {shown(name)} change"
        fix = "install the package tzdata, of the system or with pip"
        yield "no-time-zones", "this machine has no time zone data", why, fix
    elif name not in known:
        by_word = {word.lower(): zone for zone in sorted(known) for word in (zone.split("/")[-1], zone)}
        guess = by_word.get(name.strip().replace(" ", "_").lower())
        fix = f"did you mean {guess}?" if guess else did_you_mean(name, known, "for example Europe/Berlin, or UTC")
        why = "a zone has a name of the IANA database, such as Europe/Berlin"
        yield "unknown-time-zone", f"there is no time zone {shown(name)}", why, fix


def _seconds_faults(path: KeyPath, capacity: Capacity) -> Iterator[_Found]:
    if capacity.pause_after_seconds not in _SECONDS:
        what = f"pause_after_seconds is {shown(capacity.pause_after_seconds)}"
        why = "RDS pauses a cluster after five minutes to a day without a connection"
        fix = f"write a number from {_SECONDS[0]} to {_SECONDS[-1]}"
        yield _Found(path, ("wrong-value", what, why, fix))


def _capacity_faults(path: KeyPath, capacity: Capacity) -> Iterator[_Found]:
    is_sound = True
    for key, acu, least in (("min_acu", capacity.min_acu, 0), ("max_acu", capacity.max_acu, 1)):
        what = f"{key} is {shown(acu)}"
        if not least <= acu <= _MOST_ACU:
            why, fix = f"Aurora takes {least} to {_MOST_ACU} ACUs there", f"write a number from {least} to {_MOST_ACU}"
        elif acu % 0.5:
            why = "Aurora scales by half an ACU"
            fix = f"write {acu_name(acu // 0.5 / 2)} or {acu_name(acu // 0.5 / 2 + 0.5)}"
        else:
            continue
        is_sound = False
        yield _Found((*path, key), ("wrong-value", what, why, fix))
    if is_sound and capacity.min_acu > capacity.max_acu:
        what = f"the minimum of {acu_name(capacity.min_acu)} ACUs is over the maximum of {acu_name(capacity.max_acu)}"
        why, fix = "a cluster scales from min_acu to max_acu", "exchange them, or raise max_acu"
        yield _Found((*path, "min_acu"), ("minimum-over-maximum", what, why, fix))


def _overlaps(windows: Sequence[tuple[KeyPath, Window]]) -> Iterator[_Found]:
    """Each two windows that share a minute of the week, once, at the second of them."""
    owners: dict[int, int] = {}
    for at, (path, window) in enumerate(windows):
        told: set[int] = set()
        length = (window.end - window.start) % DAY or DAY * (window.start != window.end)
        for minute in (day * DAY + window.start + passed for day in window.days for passed in range(length)):
            owner = owners.setdefault(minute % (7 * DAY), at)
            if owner != at and owner not in told:
                told.add(owner)
                other_path, other = windows[owner]
                day, time = divmod(minute % (7 * DAY), DAY)
                what = f"the window {window_name(window)} overlaps {window_name(other)}"
                why = f"on {DAYS[day]} at {time_name(time)} both would hold, and one capacity holds at a time"
                fix = "let one of them end where the other begins"
                yield _Found(path, ("overlapping-windows", what, why, fix), other_path)


# The options of the command line


def _of_option(found: _Found, awake: Sequence[str]) -> Problem:
    """The problem of an option; a way is to the part of the section that the option would become."""
    options = {"timezone": "--timezone", "awake_acu": "--awake-acu", "asleep": "--asleep-acu", "awake": "--awake"}
    option = options[str(found.path[0])]
    if found.path[-1] == "pause_after_seconds":
        option = "--pause-after"
    elif found.path[0] == "awake" and len(found.path) > 1:
        text = awake[int(found.path[1])]
        match = window_parts(text)
        is_usual = found.path[-1] in ("min_acu", "max_acu") and match is not None and match[4] is None
        option = "--awake-acu" if is_usual else f'--awake "{shown(text)}"'
    return Problem(*found.fault, context=option)
