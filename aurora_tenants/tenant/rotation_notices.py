"""What a plan has to say of when and by what passwords are rotated. Pure.

Of the hosted function: what its way costs a month, and what the shared stack's own does that it does not. Of windows: a
rotation that would wake a paused cluster, and where a clock that moves takes a window from its hours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from aurora_tenants.errors import Notice, Problem
from aurora_tenants.model import HOSTED, Cluster, Configuration, RotateWindow, Tenant, TenantUser
from aurora_tenants.naming import HOSTED_USER, secret_name
from aurora_tenants.rotations.asleep import wakes
from aurora_tenants.rotations.choice import rules_of
from aurora_tenants.rotations.utc import off_in_words
from aurora_tenants.schedule.cost import Endpoint, endpoint
from aurora_tenants.tenant.connections import listed
from aurora_tenants.tenant.secrets import Secrets

_OWN_NEEDS_NONE = (
    "with rotation: own it costs nothing, because the shared stack's function asks the Data API, which needs no"
    " network, and the old password works until the next rotation"
)


def rotation_notices(
    configuration: Configuration, secrets: Secrets | None, region: str, only: Collection[str]
) -> Iterator[Notice]:
    """region: of the cluster, for prices. only: the tenants that it is about; all of them when empty."""
    users = list(_rotated(configuration.tenants, only))
    yield from _waking(configuration.cluster, users)
    yield from moved_windows(users)
    if hosted := [user.name for user in users if user.rotation == HOSTED]:
        yield _hosted(hosted, secrets, region)


def hosted_secret(configuration: Configuration, only: Collection[str]) -> str:
    """The name of the secret that shows a hosted function, where one is needed; empty elsewhere."""
    is_needed = any(user.rotation == HOSTED for user in _rotated(configuration.tenants, only))
    return secret_name(configuration.cluster, HOSTED_USER) if is_needed else ""


def hosted_problems(configuration: Configuration, secrets: Secrets | None, only: Collection[str]) -> Iterator[Problem]:
    """That there is no hosted function for those who are to be rotated by one."""
    name = hosted_secret(configuration, only)
    if name and secrets and not secrets.hosted:
        users = [user.name for user in _rotated(configuration.tenants, only) if user.rotation == HOSTED]
        shared = configuration.cluster.stack
        have = "has" if len(users) == 1 else "have"
        what = f"{_users(users)} {have} rotation: hosted, and there is no hosted function beside stack {shared}"
        why = f"its stack makes secret {name}, and there is none that is rotated"
        fix = "deploy cfn/hosted-rotation.yml, as docs/hosted-rotation.md says, or write rotation: own"
        yield Problem("hosted-rotation-missing", what, why, fix)


def _rotated(tenants: Iterable[Tenant], only: Collection[str]) -> Iterator[TenantUser]:
    for tenant in tenants:
        if not only or tenant.name in only:
            yield from (user for user in tenant.users if user.rotate_after_days)


def _users(names: list[str]) -> str:
    return f"{len(names):,} {'user' if len(names) == 1 else 'users'} ({listed(names)})"


def _waking(cluster: Cluster, users: Iterable[TenantUser]) -> Iterator[Notice]:
    schedule = cluster.pause_schedule
    waking = [user.name for user in users if wakes(rules_of(user, schedule), schedule)]
    if waking:
        what = f"{_users(waking)} may be rotated while the cluster is paused, which wakes it for minutes"
        fix = "without rotate_window a rotation comes while it is awake, if rotate_after_days leaves room for that"
        yield Notice("rotation-wakes", f"{what}; {fix}")


def moved_windows(users: Iterable[TenantUser]) -> Iterator[Notice]:
    """The windows that a clock which is put forward and back takes from their hours, each once."""
    names: dict[RotateWindow, list[str]] = {}
    for user in users:
        if isinstance(user.rotate_window, RotateWindow):
            names.setdefault(user.rotate_window, []).append(user.name)
    for window, of in names.items():
        if sentence := off_in_words(window):
            fix = "one that is so much longer is kept to all the year"
            yield Notice("rotate-window-moves", f"of {_users(of)}, {sentence}; {fix}")


def _hosted(names: list[str], secrets: Secrets | None, region: str) -> Notice:
    subnets = secrets.hosted.endpoint_subnets if secrets and secrets.hosted else None
    zones = None if subnets is None else len(subnets)
    text = f"AWS's hosted function rotates {_users(names)}, and ends an old password at once"
    cost = "it has no endpoint of its own" if zones == 0 else _cost(endpoint(region), zones)
    return Notice("hosted-rotation", f"{text}; {cost}; {_OWN_NEEDS_NONE}")


def _cost(price: Endpoint, zones: int | None) -> str:
    """What an endpoint costs a month. zones: that it is in; None where that is not known."""
    where = "a zone" if zones is None else f"{zones} zone" if zones == 1 else f"{zones} zones"
    if price.month is None:
        return f"what its endpoint costs for {where} in this region is not known here"
    amount = price.month * (zones or 1)
    return f"its endpoint costs ${amount:,} a month for {where} (${price.hour} an hour each, as of {price.as_of})"
