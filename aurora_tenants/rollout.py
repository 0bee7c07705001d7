"""The groups of a rollout: which tenant is of which, in which order they come, and what stands in the way. Pure.

    of = membership(configuration, deployed.tenants)        {"shop-dev": 0, "billing": 1}: by tenant, the group's number
    plan_rollout(configuration, of, stacks, only=…)         RolloutPlan(groups=(PlannedGroup("canary", …), …), …)
    obstacles(rollout, of, stacks)                          a problem for each tenant that its group comes too early for

A tenant that left the file is of the last group, and comes after that group's tenants; so does the pause schedule. One
that gives something to another tenant goes with that one: what moves is given up and taken in one apply.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aurora_tenants.errors import InvalidUsage, Problem
from aurora_tenants.model import Configuration, Tenant
from aurora_tenants.naming import PAUSE_SCHEDULE
from aurora_tenants.stack import StackPlan

# By tenant, the number of its group, from 0.
Membership = Mapping[str, int]


class PlannedGroup(NamedTuple):
    """A group as a plan has it. tenants: those of the plan, in its order, whether something happens to them or not."""

    name: str
    tenants: tuple[str, ...] = ()
    pauses: bool = False


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """The groups of a plan, in their order; of a plan of some tenants alone, the groups of these.

    following: the group of the file that comes after these; empty for none. skipped: groups before one that was asked
    for alone, with those of their tenants to which something would happen.
    """

    groups: tuple[PlannedGroup, ...]
    stop_after: int | None = None
    following: str = ""
    skipped: tuple[PlannedGroup, ...] = ()

    def by_part(self, parts: Iterable[str]) -> dict[str, PlannedGroup]:
        """The group of each of these, which are parts as in StackPlan: what is no tenant's is of the last one."""
        known = {tenant: group for group in self.groups for tenant in group.tenants}
        return {part: known.get(part, self.groups[-1]) for part in parts}

    def those(self, tenants: Collection[str]) -> tuple[PlannedGroup, ...]:
        """The groups of these tenants, with them alone."""
        groups = (it._replace(tenants=tuple(name for name in it.tenants if name in tenants)) for it in self.groups)
        return tuple(group for group in groups if group.tenants)


def membership(configuration: Configuration, deployed: Iterable[str]) -> Membership:
    """The group of each tenant of the file, and of each that is deployed; none without a rollout.

    deployed: names of tenants, those of the file among them.
    """
    rollout = configuration.rollout
    if not rollout:
        return {}
    last = len(rollout.groups) - 1
    known = {tenant.name: rollout.groups.index(rollout.group_of(tenant.name)) for tenant in configuration.tenants}
    taken = {giver: known[tenant.name] for tenant in reversed(configuration.tenants) for giver in _givers(tenant)}
    return known | {name: taken.get(name, last) for name in deployed if name not in known}


def _givers(tenant: Tenant) -> set[str]:
    things = (*tenant.databases, *tenant.users_and_roles)
    return {thing.moved_from for thing in things if thing.moved_from}


def group_number(configuration: Configuration, name: str) -> int:
    """Where a group stands, from 0. Raises InvalidUsage for one that is not there."""
    names = [group.name for group in configuration.rollout.groups] if configuration.rollout else []
    if name in names:
        return names.index(name)
    if not names:
        what = f"there is no group {name}: the file has no rollout"
        raise InvalidUsage(Problem("no-rollout", what, fix="leave --group out, or add rollout to the file"))
    raise InvalidUsage(Problem("unknown-group", f"there is no group {name}", fix=f"known: {', '.join(names)}"))


def require_group(configuration: Configuration, *, name: str | None) -> None:
    """Raises InvalidUsage for a group that is not there. None is no group, which may be missing."""
    if name is not None:
        group_number(configuration, name)


def members(configuration: Configuration, deployed: Iterable[str], name: str, only: Collection[str]) -> tuple[str, ...]:
    """What is of a group: tenants, and the pause schedule with the last one; with `only`, these of them.

    deployed: as for `membership`. Raises InvalidUsage for a group that is not there, and for one of `only` that is of
    another group; one that is nowhere is left to whoever looks for it.
    """
    number = group_number(configuration, name)
    last = len(configuration.rollout.groups) - 1 if configuration.rollout else 0
    of = {**membership(configuration, deployed), PAUSE_SCHEDULE: last}
    for part in only:
        if of.get(part, number) != number:
            what = f"{part if part == PAUSE_SCHEDULE else f'tenant {part}'} is not of group {name}"
            why = "with --group, --tenant names some of the group's"
            raise InvalidUsage(Problem("tenant-of-another-group", what, why, "leave one of the two out"))
    return tuple(only) or tuple(part for part, group in of.items() if group == number)


def before(configuration: Configuration, deployed: Iterable[str], name: str) -> tuple[str, ...]:
    """The tenants of all groups that come before this one. deployed: as for `membership`."""
    number = group_number(configuration, name)
    return tuple(tenant for tenant, group in membership(configuration, deployed).items() if group < number)


def in_order(of: Membership, stacks: Iterable[StackPlan]) -> tuple[StackPlan, ...]:
    """The same as they are deployed: group by group, in each the removals last. Without groups as they are."""
    if not of:
        return tuple(stacks)
    return tuple(sorted(stacks, key=lambda stack: (of[stack.part], stack.action == "delete")))


def plan_rollout(
    configuration: Configuration, of: Membership, stacks: Sequence[StackPlan], *, is_partial: bool
) -> RolloutPlan | None:
    """The groups of a plan of these stacks of tenants, which are in order; None without a rollout.

    is_partial: it is about some tenants alone, so groups that have none of them are left out; for none, all but the
    last one.
    """
    rollout = configuration.rollout
    if not rollout:
        return None
    by_number: dict[int, list[str]] = {}
    for stack in stacks:
        by_number.setdefault(of[stack.part], []).append(stack.part)
    every = range(len(rollout.groups))
    numbers = (sorted(by_number) or every[-1:]) if is_partial else every
    groups = tuple(
        PlannedGroup(rollout.groups[it].name, tuple(by_number.get(it, ())), rollout.groups[it].pauses) for it in numbers
    )
    after = [group.name for group in rollout.groups[max(numbers) + 1 :]]
    return RolloutPlan(groups, rollout.stop_after, after[0] if after else "")


def obstacles(rollout: RolloutPlan | None, stacks: Sequence[StackPlan]) -> Iterator[Problem]:
    """Every tenant that needs what one of another group shares or gives up, where that cannot be there by then."""
    if not rollout:
        return
    number = {tenant: at for at, group in enumerate(rollout.groups) for tenant in group.tenants}
    by_name = {stack.name: stack for stack in stacks}
    for stack in stacks:
        mine = number[stack.part]
        for other in (by_name[name] for name in stack.needs if name in by_name):
            if number[other.part] > mine:
                yield _too_early(stack, other, rollout)
        for other in (by_name[name] for name in stack.givers if name in by_name):
            if number[other.part] != mine:
                yield _apart(stack, other, rollout)


def _too_early(stack: StackPlan, other: StackPlan, rollout: RolloutPlan) -> Problem:
    mine, later = _names(rollout, stack, other)
    what = f"{stack.about} of group {mine} needs what {other.about} of group {later} is yet to share"
    why = f"group {later} is deployed after group {mine}"
    fix = f"put {other.about} into group {mine} or one before it, or {stack.about} into group {later}"
    return Problem("needs-later-group", what, why, fix, context=stack.about)


def _names(rollout: RolloutPlan, *stacks: StackPlan) -> list[str]:
    return [group.name for group in rollout.by_part(stack.part for stack in stacks).values()]


def _apart(stack: StackPlan, other: StackPlan, rollout: RolloutPlan) -> Problem:
    mine, theirs = _names(rollout, stack, other)
    what = f"{stack.about} of group {mine} takes what {other.about} of group {theirs} gives up"
    why = "what moves is given up and taken at once, and two groups are not deployed at once"
    fix = "put both into one group of the rollout, at least until that is applied"
    return Problem("moves-between-groups", what, why, fix, context=stack.about)
