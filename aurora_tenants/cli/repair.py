"""The command `shared repair`: what it says, and what it asks before each of its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aurora_tenants.cli.deployment import Operator
from aurora_tenants.cli.interrupts import as_interrupts
from aurora_tenants.cli.options import (
    DISPLAY,
    IN_FLIGHT,
    Command,
    InterruptedInFlight,
    ask,
    in_flight,
    teller,
    with_groups,
)
from aurora_tenants.cli.shared import PLACE, Place, app
from aurora_tenants.cli.tenants import Mysql, Wait
from aurora_tenants.errors import NotConverged

if TYPE_CHECKING:
    from aurora_tenants.aws.clients import Aws
    from aurora_tenants.plan import Proposal
    from aurora_tenants.render.output import Output
    from aurora_tenants.repair import Damage


@app.command("repair", cls=Command)
@with_groups
def shared_repair(
    place: Place = PLACE,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be done, and stop.")] = False,
    wait: Wait = 180.0,
) -> None:
    """Bring back what was changed by hand: functions, the inspector, the schema aurora_tenants and what is in it."""
    from aurora_tenants import repair

    out = DISPLAY.open()
    aws, stack, _ = place.open(teller(out, is_json=False))
    reading = Mysql(wait=wait).reading(out)
    damage = repair.look(aws, stack, reading)
    _tell(out, damage)
    if damage.secret.is_marked:
        if plan:
            out.tell("It is restored first; what else there is to do is seen after that. Nothing was changed.")
            return
        ask(out, f"Restore secret {damage.secret.name}?", yes=yes)
        damage = repair.restore(aws, damage, reading)
    deployment = repair.prepare(damage, region=aws.region, profile=place.profile)
    if functions := damage.functions:
        out.tell(f"First the code of {' and '.join(functions)} is written again, then:")
    operator = Operator(out, deployment, (), yes=yes, only_shows=plan, as_json=False, verb="Repair")
    try:
        with as_interrupts():
            repaired = repair.execute(deployment, damage, operator)
    except KeyboardInterrupt as error:
        if not operator.has_begun:
            raise
        raise InterruptedInFlight(IN_FLIGHT) from error
    if repaired:
        out.result(f"Stack {stack} is repaired: the inspector reads MySQL, and its functions run this program's code.")
    if repaired or damage.live:
        live = None if repaired else damage.live
        _bring_back(out, aws, repair.find_lost(aws, stack, reading, live), yes=yes, plan=plan)
    if plan:
        out.tell("Nothing was changed.")


def _tell(out: Output, damage: Damage) -> None:
    for sentence in damage.said:
        out.tell(f"Found: {sentence}")
    if not damage.said:
        out.tell("Nothing is seen to be broken. Code and privileges are set back all the same.")


def _bring_back(out: Output, aws: Aws, proposal: Proposal, *, yes: bool, plan: bool) -> None:
    from aurora_tenants import repair
    from aurora_tenants.render.lost import lost_text
    from aurora_tenants.render.progress import Progress
    from aurora_tenants.render.text import count

    if text := lost_text(proposal):
        out.result(text)
    stacks = proposal.plan.stacks
    if plan or not stacks:
        return
    ask(out, f"Deploy {count(len(stacks), 'tenant')} again?", yes=yes)
    with in_flight(), Progress(out.err, len(stacks)) as progress:
        results = repair.bring_back(aws, proposal, progress.tell)
    if problems := [problem for result in results for problem in result.problems]:
        raise NotConverged(*problems)
    out.result(f"{count(len(stacks), 'tenant')} recorded again.")
