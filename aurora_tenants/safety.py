"""Which changes of a plan are dangerous, and which flag allows each. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from aurora_tenants.errors import Problem
from aurora_tenants.model import Configuration
from aurora_tenants.mysql.changes import subject
from aurora_tenants.mysql.names import Account
from aurora_tenants.plan import Plan
from aurora_tenants.stack import Deployed, failed_rollback
from aurora_tenants.tenant.drops import Drop, drops_of
from aurora_tenants.tenant.isolation import Summary
from aurora_tenants.tenant.likely_moves import likely_moves
from aurora_tenants.tenant.watching import Watcher

# More than this share of the tenants at once is more likely a mistake in the file than a wish; few tenants are exempt.
_MASS_REMOVAL = 0.3
_MASS_REMOVAL_FROM = 10
# More names than this are only counted.
_MOST_NAMES = 5


def dangers(plan: Plan) -> tuple[Problem, ...]:
    """Every dangerous change, each with its reason and the flag that allows it."""
    breaches, opened = plan.isolation
    watched, others = map(_watched, plan.watchers), map(breach_problem, breaches)
    moves = likely_moves(plan.tenants)
    return (*_drops(plan), *_mass_removal(plan), *_skipped(plan), *moves, *map(_opened, opened), *watched, *others)


@dataclass(frozen=True, slots=True)
class Allowed:
    """The dangers that the command line allows. drops: databases. access: accounts, as --allow-access takes them.

    skipped_groups: that a group is deployed though one before it still differs.
    """

    drops: tuple[str, ...] = ()
    mass_removal: bool = False
    access: tuple[str, ...] = ()
    skipped_groups: bool = False


def not_allowed(plan: Plan, allowed: Allowed) -> tuple[Problem, ...]:
    """The dangers that no flag of this run allows. A breach that was there before the plan is no reason to stop it."""
    opened = (_opened(it) for it in plan.isolation.opened if not _names(it.account).intersection(allowed.access))
    watched = (_watched(it) for it in plan.watchers if not _names(it.account).intersection(allowed.access))
    removal = () if allowed.mass_removal else _mass_removal(plan)
    skipped = () if allowed.skipped_groups else _skipped(plan)
    return (*_drops(plan, allowed.drops), *removal, *skipped, *opened, *watched)


def not_deployable(deployed: Deployed) -> tuple[Problem, ...]:
    """Why nothing is applied to the shared stack as it is, though a plan can be made of it."""
    shared = deployed.shared
    return (failed_rollback(shared.stack),) if shared and shared.has_failed else ()


def breach_problem(breach: Summary) -> Problem:
    """An account that can get into what is not its own, whoever let it in."""
    return Problem(
        "breach",
        f"{subject(breach.account)} can get into {_databases(breach)}",
        why=f"{breach.how}; {_belongs(breach)}",
        fix=breach.fix,
    )


def held_without_consent(account: Account, database: str, sentence: str) -> Problem:
    """What an account of a stack holds on another's database that MySQL does not know to be shared with its stack."""
    what = f"{subject(account)} holds privileges on database {database} without its owner's consent"
    return Problem("no-consent", what, sentence, "apply the tenant that owns it, with shared_with, or revoke them")


def _opened(breach: Summary) -> Problem:
    return Problem(
        "opens-database",
        f"after this apply, {subject(breach.account)} could get into {_databases(breach)}",
        why=f"{breach.how}; {_belongs(breach)}",
        fix=f"{breach.fix}; or, if that is meant: --allow-access {breach.account.entry}",
    )


def _watched(watcher: Watcher) -> Problem:
    account, role = watcher.account, watcher.role
    through = f" through role {role.user}" if role else ""
    return Problem(
        "shows-statements",
        f"after this apply, {subject(account)} could read the statements that everybody else is running",
        why=f"PROCESS on *.*{through}; statements show what is in them: other tenants' data, and passwords",
        fix=f"take PROCESS out of the file; or, if that is meant: --allow-access {account.entry}",
    )


def _databases(breach: Summary) -> str:
    """`database shop of tenant shop`, `databases a, b, … (12) of tenants a, b, … (12)`."""
    parts = (("database", breach.databases), ("tenant", tuple(dict.fromkeys(breach.owners))))
    return " of ".join(
        f"{noun} {names[0]}" if len(names) == 1 else f"{noun}s {_listed(names)}" for noun, names in parts
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= _MOST_NAMES else f"{', '.join(names[:_MOST_NAMES])}, … ({len(names):,})"


def _belongs(breach: Summary) -> str:
    if not breach.belongs_to:
        return "it belongs to no tenant"
    what = "the database is" if len(breach.databases) == 1 else "they are"
    return f"it belongs to {', '.join(breach.belongs_to)}, with whom {what} not shared"


def no_tenants(configuration: Configuration, deployed: Deployed, allowed: Allowed) -> tuple[Problem, ...]:
    """A file that lost its tenants: far more likely than a wish to remove every one of them."""
    if configuration.tenants or not deployed.tenants or allowed.mass_removal:
        return ()
    what = f"the file lists no tenants, but CloudFormation holds {len(deployed.tenants)}"
    why = "every user and every secret of theirs would be deleted"
    return (Problem("no-tenants", what, why, "if that is meant: --allow-mass-removal"),)


def unused(plan: Plan, allowed: Allowed) -> tuple[str, ...]:
    """A sentence for each flag that allows something which this plan does not do: perhaps a slip of the pen."""
    drops = sorted({*allowed.drops}.difference(*(tenant.stack.drops for tenant in plan.tenants)))
    getting_in = [*(it.account for it in plan.isolation.opened), *(it.account for it in plan.watchers)]
    access = sorted({*allowed.access}.difference(*map(_names, getting_in)))
    skips_none = allowed.skipped_groups and not (plan.rollout and plan.rollout.skipped)
    nothing_new = "this account would get into nothing that it could not get into before"
    return (
        *(f"--allow-drop {name}: no database of this name would be dropped" for name in drops),
        *(f"--allow-access {account}: {nothing_new}" for account in access),
        *(["--allow-skipped-groups: no group before this one differs"] if skips_none else ()),
    )


def _names(account: Account) -> set[str]:
    """How the account may be written: at `%`, as in MySQL, the host may be left out."""
    return {account.entry, account.user} if account.host == "%" else {account.entry}


def _drops(plan: Plan, allowed: Collection[str] = ()) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            "drops-database",
            f"database {drop.database} would be dropped{_contents(drop)}",
            why="it is no longer in tenants.yaml, and its on_remove was drop",
            fix=f"if that is meant: --allow-drop {drop.database}",
            context=f"tenant {drop.tenant}",
        )
        for drop in drops_of(plan.tenants)
        if drop.database not in allowed
    )


def _contents(drop: Drop) -> str:
    """How much is in a database, where that is known."""
    if not drop.loses_data:
        return f"; {drop.contents}"
    return " with everything in it" + (f": {drop.contents}" if drop.contents else "")


def _skipped(plan: Plan) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            "skips-group",
            f"group {group.name} comes before this one, and is not deployed: {_listed(group.tenants)}",
            why="nothing was tried on it first; its tenants differ from the file",
            fix=f"aurora-tenants apply --group {group.name}; or, if that is meant: --allow-skipped-groups",
        )
        for group in (plan.rollout.skipped if plan.rollout else ())
    )


def _mass_removal(plan: Plan) -> tuple[Problem, ...]:
    deleted = [tenant for tenant in plan.tenants if tenant.stack.action == "delete"]
    # Of a tenant that only gets another name nothing is removed.
    gone = [it.name for it in deleted if not it.moves or {change.action for change in it.changes} - {"offer"}]
    gone += [each.name for each in plan.waiting if each.is_removal]
    total = plan.deployed_count
    is_all = bool(gone) and len(gone) == total
    if not is_all and (total < _MASS_REMOVAL_FROM or len(gone) <= total * _MASS_REMOVAL):
        return ()
    names = ", ".join(gone[:10]) + (", …" if len(gone) > 10 else "")
    count = "the only" if total == 1 else f"all {total}" if is_all else f"{len(gone)} of {total}"
    noun = "tenant" if total == 1 else "tenants"
    return (
        Problem(
            "mass-removal",
            f"{count} deployed {noun} would be removed: {names}",
            why="they are no longer in tenants.yaml; their users and secrets would be deleted",
            fix="if that is meant: --allow-mass-removal",
        ),
    )
