"""The command that looks for what could stand in the way."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aurora_tenants.cli.options import DEFAULT_FILE, DISPLAY, SHARED_STACK, Display, Profile, Region
from aurora_tenants.cli.shared import Stack
from aurora_tenants.errors import Exit


def doctor(
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="The file that is to be applied; tenants.yaml if it exists.", metavar="PATH"),
    ] = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    cluster: Annotated[
        str | None,
        typer.Option(help="A cluster that is there, to be looked at as well.", metavar="IDENTIFIER|ARN"),
    ] = None,
    display: Display = DISPLAY,
) -> None:
    from aurora_tenants.checkup import Request, check_up
    from aurora_tenants.render.doctor import doctor_data, doctor_text

    out = display.open()
    here = DEFAULT_FILE if DEFAULT_FILE.exists() else None
    report = check_up(
        Request(
            file or here,
            default_stack=SHARED_STACK,
            stack=stack,
            region=region,
            profile=profile,
            cluster=cluster,
        )
    )
    if display.is_json:
        data = doctor_data(report.findings, stack=report.stack, account=report.account, region=report.region)
        out.json(data)
    else:
        out.result(doctor_text(report.findings))
    if any(finding.result == "problem" for finding in report.findings):
        raise typer.Exit(Exit.FAILED)
