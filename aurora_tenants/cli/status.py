"""The command that shows how the tenants are, and the cluster."""

from __future__ import annotations

from dataclasses import asdict
from time import sleep
from typing import TYPE_CHECKING, Annotated

import typer

from aurora_tenants.cli.interrupts import as_interrupts
from aurora_tenants.cli.options import DISPLAY, TARGET, AcuPrice, Display, Target, given_price, teller
from aurora_tenants.cli.tenants import MYSQL, Mysql
from aurora_tenants.errors import AuroraTenantsError, Exit, InvalidUsage, Problem

if TYPE_CHECKING:
    from aurora_tenants.render.output import Output
    from aurora_tenants.survey import Survey

Tenants = Annotated[
    list[str] | None,
    typer.Option("--tenant", help="All there is of this tenant; may be repeated.", metavar="NAME"),
]
_EVERY_SECONDS = 10.0
Every = Annotated[
    float | None,
    typer.Option(
        "--every",
        min=1,
        max=86_400,
        help=f"Seconds between two looks of --watch; {_EVERY_SECONDS:.0f} by default.",
        metavar="SECONDS",
    ),
]


@as_interrupts()
def status(
    target: Target = TARGET,
    tenant: Tenants = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until it is interrupted.")] = False,
    every: Every = None,
    wake: Annotated[bool, typer.Option("--wake", help="Wake a paused cluster to ask MySQL.")] = False,
    mysql: Mysql = MYSQL,
    acu_price: AcuPrice = None,
    display: Display = DISPLAY,
) -> None:
    from aurora_tenants.render.overview import overview_text
    from aurora_tenants.render.overview_json import overview_data
    from aurora_tenants.survey import Request, Survey

    if every is not None and not watch:
        what = "--every is how often --watch looks, and this looks once"
        raise InvalidUsage(Problem("only-with-watch", what, fix="add --watch, or leave --every out"))
    out, price = display.open(), given_price(acu_price)
    located = teller(out, is_json=display.is_json or watch)
    request = Request(
        **asdict(target),
        only=tuple(tenant or ()),
        wakes=wake,
        reading=mysql.reading(out),
        acu_price=price,
        located=located,
    )
    survey = Survey(request)
    if watch:
        _watch(out, survey, every or _EVERY_SECONDS, is_json=display.is_json)
    found = survey.look()
    if display.is_json:
        out.json(overview_data(found))
    else:
        out.result(overview_text(found, width=out.width))
    if found.problems:
        raise typer.Exit(Exit.FAILED)


def _watch(out: Output, survey: Survey, every: float, *, is_json: bool) -> None:
    """Until it is interrupted. What goes wrong at first ends it; later it is told, and the next look may be better."""
    from aurora_tenants.render.overview import overview_text
    from aurora_tenants.render.overview_json import overview_data
    from aurora_tenants.render.problems import problem_text
    from aurora_tenants.render.styled import Text

    found = survey.look()
    if is_json:
        while True:
            out.json(overview_data(found))
            sleep(every)
            found = survey.look()
    with out.screen() as show:
        told = Text()
        while True:
            show(Text().append(overview_text(found, width=out.width)).append(told))
            sleep(every)
            told = Text()
            try:
                found = survey.look()
            except AuroraTenantsError as error:
                for problem in error.problems:
                    told.append("\n").append(problem_text(problem))
