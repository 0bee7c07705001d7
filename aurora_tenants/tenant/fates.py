"""What becomes of things that go, move, or belong to somebody else until now, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from aurora_tenants.mysql.grants import Grant
from aurora_tenants.mysql.options import IAM_PLUGIN, PASSWORD_PLUGINS
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.resource import is_new_to
from aurora_tenants.mysql.state import Contents, Server, User
from aurora_tenants.rotations.rules import NEVER
from aurora_tenants.tenant.moves import Move
from aurora_tenants.tenant.reasons import Line
from aurora_tenants.tenant.rights import NONE, Part, name, places, said
from aurora_tenants.tenant.settings import Settings


def moved(move: Move, tenant: str) -> Part:
    """That something goes to another tenant, comes from one, or has another name from then on."""
    if move.receiver != tenant:
        return Part(f"moves to tenant {move.receiver}, nothing is dropped")
    renamed = f"renamed from {name(move.old)}: password, secret and rights stay"
    if move.giver == tenant:
        return Part(renamed)
    here = f"moves here from tenant {move.giver}, nothing is dropped"
    return Part(f"{here}; {renamed}" if move.old != move.name else here)


def taken(owner: Owner | None, before: Owner | None, *, was_deployed: bool) -> list[Part]:
    """That something which is there belongs to the tenant from then on. before: whose it is now."""
    if not is_new_to(owner, before) or owner is None:
        return []
    if before is None and was_deployed:
        return [Part("MySQL does not say any more whose it is; it counts as adopted from then on")]
    if owner.adopted:
        return [Part("adopted: it belongs to this tenant from then on")]
    if before and before.released and before.stack == owner.stack:
        return [Part("taken back: it was kept when it left the file")]
    if before and before.stack == owner.stack:
        return []
    return [Part("it is there already, and not this tenant's")]


def of_password(user: User, known: User, settings: Settings, *, is_lost: bool) -> list[Part]:
    """What becomes of the password of an account that is taken over, or that has none."""
    has_password = user.options.plugin != IAM_PLUGIN and known.options.plugin in (None, *PASSWORD_PLUGINS)
    if not has_password or not user.owner:
        return []
    if known.has_no_password and known.owner:
        return [Part("password", NONE, "the secret's")]
    if known.is_expired and known.owner:
        return [Part("password", "made to expire", "the secret's again")]
    if not user.owner.adopted or not is_new_to(user.owner, known.owner):
        return []
    if known.owner or is_lost:
        return [Part("it gets the secret's password, if it has another")]
    if settings.rotation == NEVER:
        return [Part("the password that it has now works beside the secret's: it is never rotated")]
    until = f"until the first rotation, {settings.rotation.first()}"
    return [Part(f"the password that it has now works {until}")]


def removed_database(actions: Collection[str], contents: Contents | None) -> list[Part]:
    """What becomes of a database that the tenant does not have any more. actions: what happens to it in MySQL."""
    if "drop" in actions:
        return [Part(_dropped(contents))]
    return [Part("kept, belongs to nobody from then on")] if "release" in actions else []


def removed_account(
    kind: str, lines: Iterable[Line], grants: Iterable[Grant], server: Server, *, has_secret: bool
) -> list[Part]:
    """What becomes of a user or a role that the tenant does not have any more. grants: what it holds now."""
    changes = [line.change for line in lines]
    actions = {change.action for change in changes}
    if "drop" in actions:
        return [Part("dropped" + (", and its secret deleted" if has_secret else ""))]
    secret = [Part("its secret is deleted")] if has_secret else []
    if "release" not in actions:
        return [Part("its secret is deleted; MySQL has no such user any more")] if has_secret else []
    if any("ACCOUNT LOCK" in change.statement for change in changes):
        return [Part("locked and kept, belongs to nobody from then on"), *secret]
    on = list(dict.fromkeys(places(grants, server)))
    rights = f" and its rights on {', '.join(on)}" if on else ""
    return [Part(f"kept: it keeps its {'password' if kind == 'user' else 'members'}{rights}"), *secret]


def as_they_are(lines: Iterable[Line], server: Server) -> list[Part]:
    """Statements that no difference of two states explains, such as rights of others on what is taken over."""
    parts: list[Part] = []
    for change in (line.change for line in lines):
        if change.action == "revoke" and change.grants:
            why = f" ({change.why})" if change.why else ""
            for part in said(change.grants, server):
                held, _, on = part.what.rpartition(" on ")
                parts.append(Part(f"{on}{why}", held or part.what, NONE))
        else:
            parts.append(Part(change.why or change.statement))
    return list(dict.fromkeys(parts))


def _dropped(contents: Contents | None) -> str:
    return "DROPPED with everything in it" if contents is None else f"DROPPED: {contents}"
