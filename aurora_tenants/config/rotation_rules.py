"""What is wrong with when and by what passwords are to be rotated: what Secrets Manager cannot be told, or a function
cannot do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from aurora_tenants.config import rotation
from aurora_tenants.config.declared import DeclaredTenant, Placed
from aurora_tenants.config.reading import mapping, text
from aurora_tenants.config.schedule_text import Unreadable, time_name
from aurora_tenants.config.wording import Fault, KeyPath, PlacedFault, at, context, counted, shown
from aurora_tenants.config.yaml_file import Document
from aurora_tenants.errors import Problem
from aurora_tenants.model import HOSTED, Cluster, RotateWindow, TenantUser
from aurora_tenants.rotations import utc
from aurora_tenants.rotations.calendar import days_for, most_apart
from aurora_tenants.schedule.week import day_names

_ARN = re.compile(r"arn:aws[a-z-]*:lambda:([a-z0-9-]+):(\d{12}):function:[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9_$-]{1,128})?")
_EXAMPLE = "arn:aws:lambda:eu-west-1:123456789012:function:rotation"
_DAY = 24 * 60
_OF_ROTATION = ("rotate_window", "rotation", "rotation_lambda")


def problems(document: Document, cluster: Cluster, tenants: tuple[DeclaredTenant, ...]) -> Iterator[Problem]:
    """Every window that cannot be kept to, and every function that cannot rotate what it is to."""
    data = mapping(document.data)
    timezone, defaults = rotation.timezone_of(data), mapping(data.get("defaults"))
    for path, fault in _of_body(("defaults",), defaults, cluster, timezone):
        yield Problem(*fault, document.value(path), context(path))
    for tenant in tenants:
        body = mapping(mapping(data.get("tenants")).get(str(tenant.path[1])))
        found = [*_window((*tenant.path, "rotate_window"), body, timezone)]
        for user in tenant.users:
            found += _of_body(user.path, user.body, cluster, timezone)
            found += _of_user(user, next(_said(user, tenant.path, body), ("defaults", "rotate_window")))
        yield from (tenant.problem(path, fault) for path, fault in found)


def _said(user: Placed[TenantUser], tenant: KeyPath, body: Mapping[str, Any]) -> Iterator[KeyPath]:
    """Where a user's window is said, where that is not in the defaults. body: of its tenant."""
    for path, where in ((user.path, user.body), (tenant, body)):
        if text(where, "rotate_window"):
            yield (*path, "rotate_window")


def _of_body(path: KeyPath, body: Mapping[str, Any], cluster: Cluster, timezone: str) -> Iterator[PlacedFault]:
    """What is wrong in the defaults or in a user alone."""
    yield from _window((*path, "rotate_window"), body, timezone)
    arn = text(body, "rotation_lambda")
    if arn:
        yield from at((*path, "rotation_lambda"), _function(arn, cluster))
    if arn and text(body, "rotation"):
        what = "both rotation and rotation_lambda are set"
        why = "each of them says which function rotates a password"
        yield (*path, "rotation_lambda"), ("two-functions", what, why, "remove one of them")


def _window(path: KeyPath, body: Mapping[str, Any], timezone: str) -> Iterator[PlacedFault]:
    written = text(body, "rotate_window")
    if not written:
        return
    try:
        window = rotation.read_window(written, timezone)
    except Unreadable as unreadable:
        yield path, unreadable.fault
        return
    if isinstance(window, RotateWindow):
        yield from at(path, _hours(window))


def _hours(window: RotateWindow) -> Iterator[Fault]:
    if utc.in_utc(window):
        return
    ahead = utc.offsets_of(window.timezone)[0]
    begin = ((window.start - ahead) // 60 * 60 + ahead) % _DAY
    what = f"no full hour of UTC is in the window {utc.name_of(window)} {window.timezone}"
    why = "Secrets Manager's windows begin at a full hour of UTC, and last one hour or more"
    longer = f"{day_names(window.days)} {time_name(begin)}-{time_name((begin + 60) % _DAY or _DAY)}"
    yield "no-full-hour", what, why, f"for example {longer}"


def _of_user(user: Placed[TenantUser], window: KeyPath) -> Iterator[PlacedFault]:
    """window: where the user's is said."""
    value, body = user.value, user.body
    if value.auth == "iam":
        return
    if value.rotate_after_days == 0:
        for key in _OF_ROTATION:
            if text(body, key):
                what, why = f"{key} is set for a user whose password is never rotated", "rotate_after_days is 0"
                yield (*user.path, key), ("never-rotated", what, why, "remove it")
    elif isinstance(value.rotate_window, RotateWindow):
        yield from at(window, _apart(value.rotate_window, value.rotate_after_days))
    if value.rotation == HOSTED and value.rotate_after_days:
        for key, fault in _hosted(value):
            yield (*user.path, key) if key in body else user.path, fault


def _apart(window: RotateWindow, every: int) -> Iterator[Fault]:
    if not days_for(every, window.days):
        apart = most_apart(window.days)
        what = f"a password is to be rotated after {counted(every, 'day')}, and windows are up to {apart} days apart"
        why = f"it is rotated in its window {utc.name_of(window)} alone"
        yield "windows-too-far-apart", what, why, f"add days to it, or write rotate_after_days: {apart} or more"


def _function(arn: str, cluster: Cluster) -> Iterator[Fault]:
    form = _ARN.fullmatch(arn)
    if not form:
        why = "it is the ARN of a Lambda function that rotates secrets"
        yield (
            "invalid-arn",
            f"rotation_lambda {shown(arn)} is not the ARN of a function",
            why,
            f"for example {_EXAMPLE}",
        )
        return
    for noun, is_one, wanted in (("region", form[1], cluster.region), ("account", form[2], cluster.account)):
        if wanted and is_one != wanted:
            what = f"rotation_lambda is a function in {noun} {is_one}, and the cluster is in {wanted}"
            why = "Secrets Manager calls functions of its own account and region"
            yield f"function-in-other-{noun}", what, why, "write the ARN of a function beside the cluster"


def _hosted(user: TenantUser) -> Iterator[tuple[str, Fault]]:
    """Why AWS's function cannot rotate a user's password: it logs in as the user, and changes that account."""
    fix = "remove it, or write rotation: own"
    options = user.options
    if len(user.hosts) > 1:
        what = f"{counted(len(user.hosts), 'host')} for a user with rotation: hosted"
        why = "AWS's function changes the password of one of its accounts, and the others would keep the old one"
        yield "host", ("not-with-hosted", what, why, "write one host, or rotation: own")
    if options.require.kind not in ("NONE", "SSL"):
        why = "AWS's function logs in as the user, and has no certificate to show"
        yield "require", ("not-with-hosted", "a certificate is required of a user with rotation: hosted", why, fix)
    if options.is_locked:
        why = "AWS's function logs in as the user, whose account is locked"
        yield "locked", ("not-with-hosted", "locked is set for a user with rotation: hosted", why, fix)
    if options.require_current:
        why = "AWS's function sets the new password without saying the current one, which MySQL then refuses"
        what = "password_require_current is set for a user with rotation: hosted"
        yield "password_require_current", ("not-with-hosted", what, why, fix)
