"""A rotation → text and JSON: what is asked before it, each step as it happens, how it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from aurora_tenants.lambdas.password import READERS_KEEP
from aurora_tenants.render.problems import problem_data, problem_text
from aurora_tenants.render.styled import Text
from aurora_tenants.render.text import count
from aurora_tenants.rotating import Begun, Cleared, Rotated, Scene, Step, Target, Unseen
from aurora_tenants.tenant.rotation import STEPS, Login

_ACTIONS = {"take back": "taken-back", "make current": "made-current"}
_NOT_TRIED = (
    "whether it logs in cannot be tried: the user needs a client certificate, or may not come from the Data API's host"
)


def reasons(scene: Scene, *, is_paused: bool, logins: Mapping[str, Login] | None) -> list[str]:
    """What whoever is asked has to know, a sentence each; nothing where nobody need be asked.

    logins: of the users whose old password is to end; None where none is. Those of a paused cluster are not known, and
    empty: it has no connections.
    """
    found = []
    if len(scene.targets) > 1:
        found.append(f"{count(len(scene.targets), 'user')} of tenant {scene.tenant}: {_names(scene)}, one by one.")
    if is_paused:
        found.append(
            "The cluster is paused: this wakes it, usually in 15 s, and it stays awake until it is idle again."
        )
    if logins is not None:
        found += [_cut_off(each, logins.get(each.user)) for each in scene.targets]
    return found


def question(*, revokes: bool, clears: bool) -> str:
    """What is asked after the reasons."""
    if clears:
        return "End the rotation that waits?"
    return "Rotate, and end the old password?" if revokes else "Rotate?"


def _names(scene: Scene) -> str:
    return ", ".join(each.user for each in scene.targets)


def _cut_off(target: Target, login: Login | None) -> str:
    """Who is cut off when the old password of a user ends."""
    now = f"has {count(login.connections, 'connection')} now, which stay open" if login else "has no connection now"
    return (
        f"User {target.user} {now}. Whoever connects anew with a password of before is refused at once: pools that do"
        f" not read the secret again, and copies of it. End connections that should not be by KILL."
    )


def event_text(event: Begun | Step | Unseen) -> str | Text:
    """What has just happened."""
    if isinstance(event, Unseen):
        return problem_text(event.problem, severity="notice")
    if isinstance(event, Step):
        number = list(STEPS).index(event.name) + 1
        return f"  {number}/{len(STEPS)} {event.name:<12}  {STEPS[event.name]}"
    verb = "goes on, which had begun before" if event.goes_on else "has begun"
    return f"The rotation of user {event.target.user} {verb}: secret {event.target.secret.name}"


def rotated_text(rotated: Rotated) -> str:
    """How it has ended, in two sentences."""
    user, minutes = rotated.target.user, int(READERS_KEEP.total_seconds() // 60)
    proof = "It logs in." if rotated.logs_in else f"MySQL has taken it; {_NOT_TRIED}."
    if rotated.revoked:
        return f"User {user} has a new password, and no other. {proof}"
    if not rotated.target.is_own:
        by = rotated.target.secret.function.rpartition(":")[2]
        return f"User {user} has a new password. {proof} Whether the one before still works, function {by} decides."
    before = f"The one before works until the next rotation, which begins in {minutes} minutes at the earliest."
    return f"User {user} has a new password. {proof} {before}"


def cleared_text(cleared: Cleared, tenant: str) -> str:
    """What came of a rotation that could not go on, and what to do next."""
    target, login = cleared.target, cleared.login
    user, secret = target.user, target.secret
    if login is None:
        return f"No rotation of user {user} waits: secret {secret.name} has no version AWSPENDING."
    again = f"aurora-tenants rotate {tenant} {user}"
    if cleared.ending == "make current":
        which = "the password of the version that waited logs in, and that of the one before did not"
        return f"The rotation of user {user} is ended: {which}, so readers get version {secret.pending} now."
    taken = f"The rotation of user {user} is ended: version {secret.pending} of secret {secret.name} is taken back."
    if login.current is False:
        return f"{taken} Neither its password nor the current one logs in; this sets both in MySQL: {again}"
    proof = "logs in" if login.current else f"stays; {_NOT_TRIED}"
    return f"{taken} The current password {proof}. To rotate now: {again}"


def rotated_data(rotated: Rotated) -> dict[str, Any]:
    """The same for a program. logs_in: null where a login says nothing."""
    return {
        **_of(rotated.target),
        "action": "rotated",
        "version": rotated.version,
        "steps": list(rotated.steps),
        "logs_in": rotated.logs_in,
        "revoked": rotated.revoked,
    }


def cleared_data(cleared: Cleared) -> dict[str, Any]:
    """action: taken-back, made-current, or none where nothing waited."""
    login = cleared.login
    return {
        **_of(cleared.target),
        "action": _ACTIONS.get(cleared.ending or "", "none"),
        "version": cleared.target.secret.pending or None,
        "logs_in": login.current if login else None,
    }


def _of(target: Target) -> dict[str, Any]:
    secret = target.secret
    rotated = secret.rotated.astimezone(UTC).isoformat(timespec="seconds") if secret.rotated else None
    return {"user": target.user, "secret": secret.name, "rotated_before": rotated}


def event_data(event: Begun | Step | Unseen) -> dict[str, Any]:
    """An event for a program."""
    if isinstance(event, Unseen):
        return {"event": "unseen", "problem": problem_data(event.problem)}
    if isinstance(event, Step):
        return {"event": "step", "user": event.target.user, "step": event.name}
    return {"event": "begun", "user": event.target.user, "version": event.version, "goes_on": event.goes_on}
