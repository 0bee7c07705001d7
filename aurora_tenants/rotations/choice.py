"""When one user's password is rotated: what the file says of it, within the hours that it says.

A window of its own comes first. Without one, and with a pause schedule, it is the time in which the cluster is awake:
a rotation at another time would wake it. The day is one of those that the window has, by the user's name, so that
not everybody's comes at once.
"""

from __future__ import annotations

import zlib

from aurora_tenants.model import PauseSchedule, RotateWindow, TenantUser
from aurora_tenants.rotations import asleep, utc
from aurora_tenants.rotations.calendar import days_for
from aurora_tenants.rotations.rules import Rules, of_days_and_hours
from aurora_tenants.rotations.utc import UtcHours


def rules_of(user: TenantUser, schedule: PauseSchedule | None) -> Rules:
    """The rules for a user. schedule: of its cluster.

    Where there is no time that keeps to what the file says, as in no valid file for a window of its own, a password
    is rotated after so many days at any time.
    """
    plain = Rules(days=user.rotate_after_days)
    if user.rotate_after_days == 0 or user.rotate_window == "any":
        return plain
    if isinstance(user.rotate_window, RotateWindow):
        found = utc.in_utc(user.rotate_window)
        return (_rules(user, found[0]) if found else None) or plain
    if schedule is None or not asleep.pauses(schedule):
        return plain
    # A password that expires must not do so between two rotations, which are further apart in the calendar.
    expires = user.options.expire_after_days or float("inf")
    fitting = (_rules(user, hours) for hours in asleep.windows(schedule))
    return next((rules for rules in fitting if rules and rules.most_days < expires), plain)


def _rules(user: TenantUser, hours: UtcHours) -> Rules | None:
    days = days_for(user.rotate_after_days, hours.days, pick=zlib.crc32(user.name.encode()))
    return of_days_and_hours(days, hours) if days else None
