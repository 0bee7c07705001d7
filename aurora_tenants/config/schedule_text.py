"""The parts of a pause schedule as texts, and the texts as parts.

    MON-FRI 07:00-17:00        Window((0, 1, 2, 3, 4), 420, 1020, …)
    SAT 22:00-02:00 0.5-2      from Saturday until Sunday, with a capacity of its own
    0.5-4                      the minimum and the maximum in ACUs
    5m                         300 seconds

Each reader raises Unreadable for a text of another form. Whether the numbers make sense is checked by `pause`.
"""

from __future__ import annotations

import re

from aurora_tenants.config.wording import Fault, did_you_mean, shown
from aurora_tenants.model import Capacity, Window
from aurora_tenants.schedule.week import DAYS, day_names

AWAKE_ACU = "0.5-4"
ASLEEP_ACU = "0-2"
PAUSE_AFTER = "5m"
"""The defaults of the command line."""

DAY = 24 * 60
_TIME = re.compile(r"\s*([01]?[0-9]|2[0-3]|24(?=:00)):([0-5][0-9])\s*")
_WINDOW = re.compile(r"\s*([^0-9]*[^0-9\s])\s+([^\s-]+)\s*-\s*([^\s-]+)(?:\s+(\S+))?\s*")
_ACU = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*-\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*")
_DURATION = re.compile(r"\s*([0-9]{1,9})\s*([smh]?)\s*")
_LONGEST = 200
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


class Unreadable(Exception):
    """A text that is not in the form it has to have."""

    def __init__(self, *fault: str) -> None:
        super().__init__(*fault)
        self.fault: Fault = fault  # type: ignore[assignment]


def _parts(match: re.Match[str] | None, text: str, code: str, noun: str, why: str, example: str) -> tuple[str, ...]:
    if not match:
        subject = shown(text) if text.strip() else "an empty text"
        raise Unreadable(code, f"{subject} is not {noun}", why, f"for example {example}")
    return match.groups()


def window_parts(text: str) -> re.Match[str] | None:
    """The days, the begin, the end and the capacity of a window as texts; the last is None where it has none."""
    return _WINDOW.fullmatch(text) if len(text) <= _LONGEST else None


def read_window(text: str, usual: tuple[float, float], seconds: int) -> Window:
    """A window as --awake takes it. usual: the least and most ACUs of a window without its own."""
    why = "a window consists of days, the time it begins and the time it ends"
    example = '"MON-FRI 07:00-17:00"'
    days, start, end, acu = _parts(window_parts(text), text, "invalid-window", "a window", why, example)
    least, most = read_acu(acu) if acu else usual
    return Window(read_days(days), read_start(start), read_time(end), Capacity(least, most, seconds))


def read_days(text: str) -> tuple[int, ...]:
    """Days in the order of the week. A range may go past the end of the week: FRI-MON."""
    days: set[int] = set()
    for part in text.upper().split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        begin, end = _day(first, text), _day(last if dash else first, text)
        for day in ((begin + at) % 7 for at in range((end - begin) % 7 + 1)):
            if day in days:
                what = f"{DAYS[day]} appears twice in {shown(text)}"
                raise Unreadable("duplicate-day", what, "", "name each day once")
            days.add(day)
    return tuple(sorted(days))


def _day(word: str, text: str) -> int:
    if word not in DAYS:
        what = f"{shown(word)} is not a day" if word else f"a day is missing from {shown(text)}"
        why = "days are MON, TUE, WED, THU, FRI, SAT and SUN, and ranges and lists of them: MON-FRI or MON,WED"
        raise Unreadable("invalid-days", what, why, did_you_mean(word, DAYS, "for example MON-FRI"))
    return DAYS.index(word)


def read_time(text: str) -> int:
    """Minutes after midnight."""
    why = "times are hours and minutes from 00:00 to 24:00"
    hours, minutes = _parts(_TIME.fullmatch(text), text, "invalid-time", "a time", why, '"07:00"')
    return int(hours) * 60 + int(minutes)


def read_start(text: str) -> int:
    """Minutes after midnight; 24:00 is refused."""
    minute = read_time(text)
    if minute == DAY:
        what, why = "a window begins at 24:00", "24:00 is the end of a day"
        raise Unreadable("invalid-time", what, why, "write 00:00 and the next day")
    return minute


def read_acu(text: str) -> tuple[float, float]:
    """The least and the most capacity: `0.5-4`."""
    why = "it is the minimum and the maximum in ACUs"
    parts = _parts(_ACU.fullmatch(text), text, "invalid-acu", "a range of capacity", why, AWAKE_ACU)
    least, most = (whole(float(number)) for number in parts)
    return least, most


def read_duration(text: str) -> int:
    """Seconds: `5m`, `300s`, `300`."""
    why = "it is a number of seconds (s), minutes (m) or hours (h)"
    number, unit = _parts(_DURATION.fullmatch(text), text, "invalid-duration", "a duration", why, PAUSE_AFTER)
    return int(number) * _UNITS[unit]


def time_name(minute: int) -> str:
    """Minutes after midnight as a clock shows them: `07:00`, and `24:00` for the end of a day."""
    return f"{minute // 60:02}:{minute % 60:02}"


def window_name(window: Window) -> str:
    """A window as --awake takes it, without its capacity: `MON-FRI 07:00-17:00`."""
    return f"{day_names(window.days)} {time_name(window.start)}-{time_name(window.end)}"


def acu_name(acu: float) -> str:
    """A number of ACUs without needless zeros: `0.5`, `4`."""
    return str(whole(acu))


def whole(acu: float) -> float:
    """The same number, as an int where it is whole: that is how it is shown and written."""
    return int(acu) if float(acu).is_integer() else acu
