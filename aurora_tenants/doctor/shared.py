"""The state of what is deployed: the shared stack, its functions, the inspector, lost events, tenants' stacks. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from aurora_tenants.doctor.finding import Verdict, ok, problem, warning
from aurora_tenants.errors import Problem
from aurora_tenants.stack import Stack, failed

# When AWS stops to update a runtime. ("Lambda runtimes", AWS Lambda Developer Guide, October 2026)
_DEPRECATED = {
    "python3.8": date(2024, 10, 14),
    "python3.9": date(2025, 12, 15),
    "python3.10": date(2026, 10, 31),
    "python3.11": date(2027, 6, 30),
    "python3.12": date(2028, 10, 31),
    "python3.13": date(2029, 6, 30),
}
_SOON = timedelta(days=180)
# A rotation takes minutes; one that has not ended after this long will not.
_STUCK = timedelta(hours=1)
_LATE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SharedFacts:
    """The shared stack. stack: None when there is none of this name.

    unusable: what `plan` would say against it. inspector_problem: why the inspector may not read the grant tables.
    is_current: its template is this program's. made: the stack of the cluster that was made with it.
    """

    name: str
    stack: Stack | None
    unusable: Problem | None = None
    inspector_problem: str = ""
    is_current: bool = True
    made: Stack | None = None

    @property
    def is_usable(self) -> bool:
        return self.stack is not None and self.unusable is None


class FunctionFacts(NamedTuple):
    """A function as Lambda describes it. state: empty when there is no such function."""

    name: str
    state: str = ""
    reason: str = ""
    update: str = ""
    update_reason: str = ""
    runtime: str = ""


class Functions(NamedTuple):
    """The functions of a shared stack. today: by this machine's clock."""

    functions: tuple[FunctionFacts, ...]
    stack: str
    today: date


class SecretFacts(NamedTuple):
    """The inspector's secret as Secrets Manager describes it. stack: the shared one. now: by this machine's clock.

    None: never, or not said. has_pending: a version waits to become current. is_there: False when there is none, or it
    is to be deleted (is_marked).
    """

    name: str
    stack: str
    now: datetime
    is_there: bool = True
    is_rotated: bool | None = None
    has_pending: bool = False
    changed: datetime | None = None
    next: datetime | None = None
    is_marked: bool = False


class DataApiAnswer(NamedTuple):
    """What became of asking MySQL through the Data API. problem: None for an answer."""

    problem: Problem | None = None

    @classmethod
    def denied(cls, found: str, fix: str) -> DataApiAnswer:
        return cls(Problem("access-denied", found, fix=fix))


def check_shared(shared: SharedFacts) -> Iterator[Verdict]:
    name, stack = shared.name, shared.stack
    deploy = f"run: aurora-tenants shared deploy --stack {name}"
    if shared.made and (found := failed(shared.made, name)):
        yield problem(found.what, found.why, found.fix)
    if stack is None:
        if shared.made:
            yield warning(f"there is no stack {name} yet, only its cluster's, {shared.made.name}", fix=deploy)
            return
        yield ok(f"there is no stack {name} yet; `aurora-tenants shared deploy` makes it")
        return
    if stack.is_busy:
        why = "nothing can be deployed meanwhile"
        yield warning(f"stack {name} is in the middle of an operation: {stack.status}", why, "wait until it has ended")
    elif found := failed(stack, name):
        yield problem(found.what, found.why, found.fix)
    elif shared.unusable:
        yield problem(shared.unusable.what, shared.unusable.why, shared.unusable.fix)
    elif shared.inspector_problem:
        why = f"plan reads MySQL as the inspector, and of that was said: {shared.inspector_problem}"
        fix = f"when the cause is gone, run: aurora-tenants shared repair --stack {name}"
        yield problem("the inspector could not be made as it should be", why, fix)
    elif not shared.is_current:
        yield warning(
            f"stack {name} was deployed with another version of its template", "it works, and lacks what is new", deploy
        )
    else:
        yield ok(f"stack {name} is {stack.status}, with this program's template")


def check_functions(facts: Functions) -> Iterator[Verdict]:
    found = [verdict for each in facts.functions for verdict in _function(each, facts)]
    yield from found
    if not found:
        names = " and ".join(each.name for each in facts.functions)
        yield ok(f"functions {names} are active")


def _function(each: FunctionFacts, facts: Functions) -> Iterator[Verdict]:
    again = f"aurora-tenants shared deploy --stack {facts.stack}"
    if not each.state:
        why = "the stack made it, and somebody deleted it: every event of a tenant's stack would fail"
        fix = f"run: aurora-tenants shared repair --stack {facts.stack}"
        yield problem(f"function {each.name} is not there", why, fix)
        return
    if each.state not in ("Active", "Inactive"):  # Lambda wakes an inactive one with the next event
        said = f": {each.reason}" if each.reason else ""
        verdict = warning if each.state == "Pending" else problem
        yield verdict(f"function {each.name} is {each.state}{said}", "it takes no events", f"run: {again}")
    if each.update == "Failed":
        said = f": {each.update_reason}" if each.update_reason else ""
        yield problem(f"the last update of function {each.name} failed{said}", "it runs older code", f"run: {again}")
    ends = _DEPRECATED.get(each.runtime)
    if ends and facts.today > ends:
        yield problem(f"function {each.name} runs on {each.runtime}", f"AWS ended that on {ends}", f"run: {again}")
    elif ends and facts.today > ends - _SOON:
        yield warning(f"function {each.name} runs on {each.runtime}", f"AWS ends that on {ends}", f"run: {again}")


def check_inspector(secret: SecretFacts) -> Iterator[Verdict]:
    repair, what = f"run: aurora-tenants shared repair --stack {secret.stack}", f"the inspector's secret {secret.name}"
    is_late = secret.next is not None and secret.now > secret.next + _LATE
    is_stuck = secret.has_pending and secret.changed is not None and secret.now > secret.changed + _STUCK
    if not secret.is_there:
        gone = "is marked for deletion" if secret.is_marked else "is gone"
        yield problem(f"{what} {gone}", "plan reads MySQL with it", repair)
    elif is_stuck or is_late:
        since = secret.changed if is_stuck else secret.next
        found = f"the rotation of {what} has not ended" if is_stuck else f"the rotation of {what} is overdue"
        why = f"since {since:%Y-%m-%d %H:%M} UTC; the log of the rotation function says why"
        yield problem(found, why, repair)
    elif secret.is_rotated is False:
        yield warning(f"{what} is not rotated", "somebody switched its rotation off", repair)
    else:
        due = f", next on {secret.next:%Y-%m-%d}" if secret.next else ""
        yield ok(f"{what} is rotated{due}")


def check_dead_letters(lost: int) -> Iterator[Verdict]:
    if lost:
        why = "the cluster did not get the capacity of its schedule then; the queue keeps events for 14 days"
        fix = "`aurora-tenants pause-schedule show` says what should be; read the queue's messages for the reason"
        yield warning(f"{lost} events of the pause schedule were not delivered", why, fix)
    else:
        yield ok("no event of the pause schedule was lost")


def check_data_api(answer: DataApiAnswer) -> Iterator[Verdict]:
    if answer.problem is None:
        yield ok("the Data API answers, to the inspector's login")
        return
    found = answer.problem
    yield problem(f"the Data API does not answer: {found.what}", found.why, found.fix or "run doctor again in a minute")


def check_tenant_stacks(stacks: Mapping[str, Stack]) -> Iterator[Verdict]:
    odd: Sequence[tuple[str, Stack]] = [(name, each) for name, each in sorted(stacks.items()) if _is_odd(each)]
    if not odd:
        yield ok(f"{len(stacks)} tenant stacks, none of them failed or busy")
        return
    named = ", ".join(f"{name} ({each.status})" for name, each in odd[:5])
    more = f" and {len(odd) - 5} more" if len(odd) > 5 else ""
    why = "an operation failed or has not ended; apply continues a rollback and replaces what can only be deleted"
    yield warning(f"{len(odd)} of {len(stacks)} tenant stacks: {named}{more}", why, "run: aurora-tenants plan")


def _is_odd(stack: Stack) -> bool:
    return stack.is_busy or stack.is_only_to_delete or stack.status.endswith("_FAILED")
