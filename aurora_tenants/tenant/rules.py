"""The rule behind each line of a plan, in a sentence. Pure."""

from __future__ import annotations

from aurora_tenants.tenant.reasons import Line


def rule(line: Line) -> str:
    """The rule behind a line, in a sentence."""
    is_dynamic = any(grant.scope.level == "DYNAMIC" for grant in line.change.grants)
    return _rule(line) + (_WITH_RELOAD if is_dynamic and line.change.action == "revoke" else "")


_WITH_RELOAD = (
    "; RELOAD, which no tenant may have, goes with it: a master that is restricted on schema mysql could not take a"
    " dynamic privilege away alone"
)


def _rule(line: Line) -> str:
    change = line.change
    if line.origins == ("spelling",):
        return (
            "a database in GRANT is a pattern unless the server has partial_revokes; the whole set is granted on the "
            "right spelling first, then the other one is revoked, because of two matching rows MySQL uses one"
        )
    if change.action == "grant" and "drift" in line.origins:
        return "what the file asks for is granted again when somebody took it away"
    if change.action == "revoke" and "drift" in line.origins:
        return "what the file does not mention of a managed user is revoked"
    if change.action == "record" and change.statement.startswith("DELETE "):
        return "who owned what is forgotten once the thing itself is gone, or has another name"
    return _RULES[change.action]


_RULES = {
    "record": "who owns what is written down in MySQL, before the thing itself is made",
    "create": "what the file names and MySQL has not is made; nothing that exists is taken over without adopt: true",
    "alter": "what differs is altered in place: nothing is dropped and made again",
    "rename": "an account is renamed rather than made again: it keeps its password, its rights and its roles",
    "grant": "rights are granted before any is revoked, so that a right which is kept never pauses",
    "set": "a role does nothing until it is active: default roles are set once they are granted",
    "revoke": "what the file does not ask for, or no longer, is revoked, after all that is new to that user or role",
    "drop": "a user that its stack made is dropped with it; a database only with on_remove: drop and leave by name",
    "release": "what was there before, or is to be retained, is kept and belongs to nobody from then on",
}
