"""The command `rotate`: what it says, and what it asks first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aurora_tenants.cli.options import DISPLAY, TARGET, Display, Target, ask, in_flight, teller
from aurora_tenants.errors import AuroraTenantsError, InvalidUsage, Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from aurora_tenants.render.output import Output
    from aurora_tenants.rotating import Begun, Step, Unseen

_IN_FLIGHT = "A rotation that has begun, Secrets Manager finishes; run the same again to see how it ended."


def rotate(
    tenant: Annotated[str, typer.Argument(help="The tenant, with its stage.")],
    user: Annotated[str | None, typer.Argument(help="One of its users; all that have a password by default.")] = None,
    revoke_old: Annotated[
        bool,
        typer.Option("--revoke-old", help="After a leak: end the password of before at once, whoever still uses it."),
    ] = False,
    stuck: Annotated[
        bool,
        typer.Option("--stuck", help="End a rotation that cannot go on, and keep the password that logs in."),
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also within 10 minutes of the last rotation, or of a change with --stuck."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    target: Target = TARGET,
    display: Display = DISPLAY,
) -> None:
    from aurora_tenants import config, rotating
    from aurora_tenants.aws.clients import connect
    from aurora_tenants.aws.whose import require_account
    from aurora_tenants.render import rotation as said

    out = display.open_events() if display.is_json else display.open()
    if stuck and revoke_old:
        what = "--stuck ends a rotation, and --revoke-old makes one"
        raise InvalidUsage(Problem("two-actions", what, fix="first run the one, then the other"))
    configuration = config.load_for(target.file, tenant)
    aws = connect(region=target.region or configuration.cluster.region, profile=target.profile)
    account = require_account(aws, configuration.cluster)
    teller(out, is_json=display.is_json)(account, aws.region)
    scene = rotating.find(aws, configuration, tenant, user=user)
    if stuck:
        rotating.require_stuck(scene, forced=force)
    else:
        rotating.require_due(scene, forced=force or revoke_old, anew=revoke_old)
    waits = not stuck or any(each.secret.pending for each in scene.targets)
    is_paused = waits and rotating.is_paused(scene)
    logins = None
    if revoke_old:
        logins = {} if is_paused else rotating.logins(scene)
    reasons = said.reasons(scene, is_paused=is_paused, logins=logins) if waits else []
    for reason in reasons:
        out.tell(reason)
    if reasons:
        ask(out, said.question(revokes=revoke_old, clears=stuck), yes)
    found: list[dict[str, Any]] = []
    try:
        with in_flight(_IN_FLIGHT):
            for each in scene.targets:
                if stuck:
                    cleared = rotating.clear(scene, each)
                    found.append(said.cleared_data(cleared))
                    text = said.cleared_text(cleared, tenant)
                else:
                    rotated = rotating.rotate(scene, each, forced=force or revoke_old, tell=_tell(out))
                    rotated = rotating.revoke(scene, rotated) if revoke_old else rotated
                    found.append(said.rotated_data(rotated))
                    text = said.rotated_text(rotated)
                if not display.is_json:
                    out.result(text)
    except AuroraTenantsError as error:
        error.nothing_was_changed = error.nothing_was_changed and not found
        if len(found) + 1 < len(scene.targets):
            out.tell(f"Not begun: {', '.join(each.user for each in scene.targets[len(found) + 1 :])}.")
        raise
    if display.is_json:
        out.json({"version": 1, "tenant": tenant, "users": found, "problems": []})


def _tell(out: Output) -> Callable[[Begun | Step | Unseen], None]:
    """Prints what happens, line by line: for people, or for a program."""
    from aurora_tenants.render.output import EventOutput
    from aurora_tenants.render.rotation import event_data, event_text

    if isinstance(out, EventOutput):
        events = out
        return lambda event: events.event(event_data(event))
    return lambda event: out.tell(event_text(event))
