"""How often, when and by what passwords are rotated, as the defaults, a tenant or a user say it: the nearest counts.

    rotate_window: SUN 02:00-05:00                   by the pause schedule's clock, or UTC without one
    rotate_window: SAT,SUN 22:00-02:00 Europe/Berlin
    rotate_window: any                               at any time, whatever the defaults say

What is wrong with any of it is found by `rotation_rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from aurora_tenants.config import pause
from aurora_tenants.config.reading import mapping, number, text
from aurora_tenants.config.schedule_text import Unreadable, read_days, read_start, read_time, window_parts
from aurora_tenants.config.wording import shown
from aurora_tenants.model import HOSTED, OWN, RotateWindow
from aurora_tenants.rotations.utc import UTC, name_of

ANY: Literal["any"] = "any"
_USUAL_DAYS = 30

When = RotateWindow | Literal["any"] | None


class Rotated(NamedTuple):
    """What holds for one user. function: as `TenantUser.rotation`."""

    days: int
    window: When
    function: str


class Usual(NamedTuple):
    """What holds for those that do not say so themselves. timezone: of a window without one."""

    days: int
    window: When
    function: str
    timezone: str

    def of_tenant(self, body: Mapping[str, Any]) -> Usual:
        """The same for the users of one tenant."""
        return self._replace(window=self._window(body)) if "rotate_window" in body else self

    def of_user(self, body: Mapping[str, Any]) -> Rotated:
        days, function = number(body, "rotate_after_days"), function_in(body)
        return Rotated(self.days if days is None else days, self._window(body), function or self.function)

    def _window(self, body: Mapping[str, Any]) -> When:
        written = text(body, "rotate_window")
        if written is None:
            return self.window
        try:
            return read_window(written, self.timezone)
        except Unreadable:
            return None


def usual(data: object) -> Usual:
    """What the defaults of a file say."""
    defaults, timezone = mapping(mapping(data).get("defaults")), timezone_of(data)
    days = number(defaults, "rotate_after_days")
    usual = Usual(_USUAL_DAYS if days is None else days, None, function_in(defaults) or OWN, timezone)
    return usual.of_tenant(defaults)


def timezone_of(data: object) -> str:
    """The zone of a window that names none: the pause schedule's."""
    schedule = pause.declared(mapping(mapping(data).get("cluster")).get("pause_schedule"))
    return schedule.timezone if schedule else UTC


def function_in(body: Mapping[str, Any]) -> str | None:
    """What rotates a password, where it is said."""
    kind = text(body, "rotation")
    return text(body, "rotation_lambda") or (kind if kind in (OWN, HOSTED) else None)


def read_window(written: str, timezone: str) -> RotateWindow | Literal["any"]:
    """Raises Unreadable for a text of another form. timezone: where it names none."""
    if written.strip().lower() == ANY:
        return ANY
    match = window_parts(written)
    if not match:
        why = "it consists of days, the time it begins, the time it ends and perhaps a time zone, or is: any"
        example = 'for example "SUN 02:00-05:00" or "SUN 02:00-05:00 Europe/Berlin"'
        raise Unreadable("invalid-window", f"{shown(written)} is not a window", why, example)
    days, start, end, zone = match.groups()
    window = RotateWindow(read_days(days), read_start(start), read_time(end), zone or timezone)
    if window.start == window.end:
        what, why = f"the window {name_of(window)} is empty", "it ends at the time it begins"
        raise Unreadable("empty-window", what, why, "write 00:00-24:00 for a whole day")
    for fault in pause.zone_faults(window.timezone) if window.timezone != UTC else ():
        raise Unreadable(*fault)
    return window
