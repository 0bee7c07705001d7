"""The commands about the pause schedule: set, show, clear.

They write the file first and deploy then: what fails between the two is made good by any later apply.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aurora_tenants.cli.group import Group
from aurora_tenants.cli.options import (
    DISPLAY,
    TARGET,
    AcuPrice,
    Command,
    Display,
    Target,
    ask,
    given_price,
    in_flight,
    teller,
    with_groups,
)
from aurora_tenants.errors import AuroraTenantsError, InvalidUsage, NotConverged, Problem, Refused

if TYPE_CHECKING:
    from decimal import Decimal

    from aurora_tenants.model import Capacity, PauseSchedule
    from aurora_tenants.render.output import Output
    from aurora_tenants.scheduling import Schedule

app = typer.Typer(cls=Group)

FileOnly = Annotated[bool, typer.Option("--file-only", help="Write the file alone; apply deploys what it says.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
PauseAfter = Annotated[
    str, typer.Option("--pause-after", help="Without a connection for that long it pauses: 5m to 24h.", metavar="TIME")
]


@dataclass(frozen=True, slots=True)
class Week:
    """A schedule as `set` takes it."""

    timezone: Annotated[
        str, typer.Option("--timezone", help="Whose local time the windows are in.", metavar="ZONE")
    ] = ""
    awake: Annotated[
        list[str] | None,
        typer.Option("--awake", help='Days and hours, "MON-FRI 07:00-17:00"; may be repeated.', metavar="WINDOW"),
    ] = None
    awake_acu: Annotated[
        str, typer.Option("--awake-acu", help="Minimum and maximum while awake.", metavar="MIN-MAX")
    ] = "0.5-4"
    asleep_acu: Annotated[
        str, typer.Option("--asleep-acu", help="Minimum and maximum at all other times.", metavar="MIN-MAX")
    ] = "0-2"
    pause_after: PauseAfter = "5m"

    def read(self) -> PauseSchedule:
        """Raises InvalidUsage with all that is wrong."""
        from aurora_tenants.config.pause import from_options

        capacities = {"awake_acu": self.awake_acu, "asleep_acu": self.asleep_acu, "pause_after": self.pause_after}
        return from_options(self.timezone, self.awake or (), **capacities)


WEEK = Week()


@app.command("set", cls=Command)
@with_groups
def set_schedule(
    week: Week = WEEK,
    file_only: FileOnly = False,
    yes: Yes = False,
    target: Target = TARGET,
    acu_price: AcuPrice = None,
    display: Display = DISPLAY,
) -> None:
    """Write a schedule into the file, deploy it, and bring the cluster to what it says of this hour."""
    out, price = display.open(), given_price(acu_price)
    edit = _Edit(target.file, week.read())
    if file_only:
        _write_only(out, display, edit)
        return
    schedule = edit.deployment(target, teller(out, is_json=display.is_json))
    _require(schedule)
    if not display.is_json:
        _show(out, display, schedule, target, price)
        out.tell(_about_to(schedule, edit))
    live, done = schedule, "Nothing was changed."
    if edit.changes or schedule.plan.stack.is_changed or schedule.to_bring:
        ask(out, f"Write {target.file} and deploy the schedule?", yes=yes)
        with _after_writing(edit, "this again"):
            _deploy(out, schedule)
            live, done = schedule.again(), "The pause schedule is deployed."
            _require_converged(live)
    if display.is_json:
        _show(out, display, live, target, price)
    else:
        out.result(f"{done} {_scales(live)}")


@app.command("show", cls=Command)
@with_groups
def show_schedule(target: Target = TARGET, acu_price: AcuPrice = None, display: Display = DISPLAY) -> None:
    """Show the week, what comes next, what the cluster does now, and what that costs a month. Wakes nothing."""
    from aurora_tenants import config
    from aurora_tenants.scheduling import read_schedule

    out, price = display.open(), given_price(acu_price)
    located = teller(out, is_json=display.is_json)
    schedule = read_schedule(config.load(target.file), region=target.region, profile=target.profile, located=located)
    _show(out, display, schedule, target, price)


@app.command("clear", cls=Command)
@with_groups
def clear_schedule(
    then: Annotated[
        str | None,
        typer.Option(
            "--then", help="What holds from now on: awake, asleep, stay, or a range such as 0.5-4.", metavar="WHAT"
        ),
    ] = None,
    pause_after: PauseAfter = "5m",
    file_only: FileOnly = False,
    yes: Yes = False,
    target: Target = TARGET,
    display: Display = DISPLAY,
) -> None:
    """Take the schedule out of the file, remove its stack, and leave the cluster at what should hold from now on."""
    from aurora_tenants.schedule.plan import acu

    out, file = display.open(), target.file
    edit = _Edit(file, None)
    if file_only:
        if then is not None:
            why = "it is about the cluster, which the file leaves alone"
            what, fix = "--then cannot go together with --file-only", "leave one of them out"
            raise InvalidUsage(Problem("unknown-then", what, why, fix))
        _write_only(out, display, edit)
        return
    schedule = edit.deployment(target, teller(out, is_json=display.is_json))
    is_gone = not edit.changes and not schedule.plan.stack.is_changed
    if is_gone and then in (None, "stay"):
        _cleared(out, display, schedule, f"There is no pause schedule, neither in {file} nor deployed.")
        return
    _require(schedule)
    capacity = _held_then(out, then, pause_after, edit.before, schedule, yes=yes)
    if is_gone and capacity:
        ask(out, f"There is no pause schedule any more. Bring the cluster to {acu(capacity)}?", yes=yes)
    else:
        ask(out, f"Take the pause schedule out of {file} and remove its stack?", yes=yes)
    with _after_writing(edit, _clear_again(capacity)):
        _deploy(out, schedule)
        if capacity:
            schedule.bring(capacity)
        live = schedule.again()
        _require_converged(live)
    _cleared(out, display, live, f"The pause schedule is removed. {_scales(live)}")


class _Edit:
    """A file, and what it would say with another schedule. before: the schedule it has. Writes only by `write`."""

    def __init__(self, file: Path, wanted: PauseSchedule | None) -> None:
        from dataclasses import replace

        from aurora_tenants import config
        from aurora_tenants.config import edit, yaml_file

        self.file, self._text = file, yaml_file.read(file)
        configuration = config.parse(self._text, str(file))
        self.before = configuration.cluster.pause_schedule
        self._edited = edit.with_schedule(self._text, wanted, str(file))
        self._configuration = replace(configuration, cluster=replace(configuration.cluster, pause_schedule=wanted))
        self.changes = self._edited != self._text

    def deployment(self, target: Target, located: Callable[[str, str], None]) -> Schedule:
        """What there is in AWS, beside what the file would say."""
        from aurora_tenants.scheduling import read_schedule

        return read_schedule(self._configuration, region=target.region, profile=target.profile, located=located)

    def write(self) -> None:
        from aurora_tenants.config import edit

        if self.changes:
            edit.replace(self.file, self._text, self._edited)


def _write_only(out: Output, display: Display, edit: _Edit) -> None:
    edit.write()
    if display.is_json:
        out.json({"version": 1, "file": str(edit.file), "is_changed": edit.changes})
    elif edit.changes:
        out.result(f"{edit.file} is written. aurora-tenants plan shows what it changes, apply deploys it.")
    else:
        out.result(f"{edit.file} says so already: nothing was changed.")


@contextmanager
def _after_writing(edit: _Edit, again: str) -> Iterator[None]:
    """Writes the file; what fails from then on is told with it. again: what does all that is left."""
    edit.write()
    written = f"{edit.file} is written already; " if edit.changes else ""
    try:
        with in_flight(f"{written}what CloudFormation has begun, it finishes; {again} does what is left."):
            yield
    except AuroraTenantsError as error:
        what = f"{written}run {again} when the cause is gone"
        raise NotConverged(*error.problems, Problem("not-deployed", what)) from error


def _clear_again(capacity: Capacity | None) -> str:
    """The command that ends a `clear`, without the schedule that said what awake and asleep are."""
    if capacity is None:
        return "this again"
    after = "" if capacity.min_acu else f" --pause-after {capacity.pause_after_seconds}s"
    return f"`aurora-tenants pause-schedule clear --then {capacity.min_acu:g}-{capacity.max_acu:g}{after}`"


def _require(schedule: Schedule) -> None:
    if schedule.refusals:
        raise Refused(*schedule.refusals)


def _require_converged(schedule: Schedule) -> None:
    if schedule.plan.stack.is_changed or schedule.plan.problems:
        what = "deployed, but CloudFormation still differs from the file"
        why = "somebody else changes it at the same time, or this is a bug"
        raise NotConverged(Problem("not-converged", what, why, "run aurora-tenants plan"), *schedule.plan.problems)


def _deploy(out: Output, schedule: Schedule) -> None:
    from aurora_tenants.render.progress import StackProgress

    schedule.deploy(StackProgress(out.err).tell)


def _about_to(schedule: Schedule, edit: _Edit) -> str:
    from aurora_tenants.schedule.plan import acu

    parts = [f"{edit.file} {'will be written' if edit.changes else 'says so already'}"]
    parts.append(
        f"{schedule.plan.stack.action} stack {schedule.plan.stack.name}"
        if schedule.plan.stack.is_changed
        else "the stack is as it should be"
    )
    if schedule.to_bring:
        parts.append(f"bring the cluster to {acu(schedule.to_bring)}")
    return "; ".join(parts)


def _scales(schedule: Schedule) -> str:
    from aurora_tenants.schedule.plan import acu

    capacity = schedule.plan.live.cluster.capacity
    return f"The cluster scales from now on: {acu(capacity)}." if capacity else ""


def _show(out: Output, display: Display, schedule: Schedule, target: Target, acu_price: Decimal | None) -> None:
    from aurora_tenants.render.problems import problem_data
    from aurora_tenants.render.schedule import show, show_data

    shown = schedule.look(str(target.file), acu_price)
    if display.is_json:
        out.json(
            show_data(shown)
            | _place(schedule)
            | {"problems": [problem_data(problem) for problem in schedule.plan.problems]}
        )
    else:
        is_plain = not out.out.encoding.lower().startswith("utf")
        out.result(show(shown, is_plain=is_plain, columns=out.out.width))


def _place(schedule: Schedule) -> dict[str, str]:
    return {"account": schedule.account, "region": schedule.aws.region}


def _cleared(out: Output, display: Display, schedule: Schedule, text: str) -> None:
    from aurora_tenants.render.schedule import capacity_data

    if display.is_json:
        out.json(
            {"version": 1}
            | _place(schedule)
            | {"cluster": {"scaling": capacity_data(schedule.plan.live.cluster.capacity)}}
        )
    else:
        out.result(text)


def _held_then(
    out: Output, then: str | None, pause_after: str, before: PauseSchedule | None, schedule: Schedule, *, yes: bool
) -> Capacity | None:
    """What should hold from now on; None to leave the cluster as it is. Asks where it was not said."""
    from aurora_tenants.schedule.plan import cannot_pause

    choices: dict[str, Capacity | None] = {"stay": None}
    if before:
        choices["asleep"] = before.asleep
        if len({window.capacity for window in before.awake}) == 1:
            choices["awake"] = before.awake[0].capacity
    if then is None:
        if yes or not sys.stdin.isatty():
            what, why = (
                "--then is missing: what should hold from now on?",
                "without a schedule nothing changes it any more",
            )
            fix = f"add --then with one of: {', '.join(sorted(choices))}, 0.5-4"
            raise Refused(Problem("not-said", what, why, fix))
        then = _asked(out, choices, schedule.plan.live.cluster.capacity)
    capacity = choices[then] if then in choices else _range(then, pause_after, sorted(choices))
    if capacity and (problems := cannot_pause(schedule.plan.live.cluster, [capacity])):
        raise Refused(*problems)
    return capacity


def _asked(out: Output, choices: Mapping[str, Capacity | None], now: Capacity | None) -> str:
    """What somebody at the terminal says. now: what the cluster scales now, None when that is nothing."""
    from aurora_tenants.schedule.plan import acu

    out.tell("What should hold from now on?")
    for name, capacity in sorted(choices.items()):
        shown = capacity or now
        out.tell(f"  {name:<7} {acu(shown) if shown else ''}{'' if capacity else ', as it is now'}")
    out.tell("  or a range such as 0.5-4")
    return sys.stdin.readline().strip()


def _range(then: str, pause_after: str, choices: list[str]) -> Capacity:
    from aurora_tenants.config.pause import capacity_of

    try:
        return capacity_of(then, pause_after)
    except InvalidUsage as error:
        known = Problem("unknown-then", f"--then cannot be {then or 'empty'}", fix=f"{', '.join(choices)}, or 0.5-4")
        raise InvalidUsage(*(error.problems if then[:1].isdigit() else (known,))) from error
