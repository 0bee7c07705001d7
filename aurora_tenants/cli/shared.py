"""The commands about the shared stack."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

import typer

from aurora_tenants.cli.options import Format, NoColor, Profile, Region, SharedName, ask, output_of
from aurora_tenants.errors import InvalidUsage, Problem

app = typer.Typer(help="The shared stack: the cluster, and what makes databases and users on it.")


@app.command("deploy")
def shared_deploy(
    stack: SharedName = "shared-global",
    parameter: Annotated[
        list[str] | None, typer.Option(help="A parameter of the template as Name=Value; may be repeated.")
    ] = None,
    region: Region = None,
    profile: Profile = None,
    no_color: NoColor = False,
) -> None:
    """Create or update the shared stack."""
    from aurora_tenants.aws import shared
    from aurora_tenants.progress import StackProgress

    out, parameters = output_of(no_color=no_color), _pairs(parameter or ())
    out.tell(f"Deploying stack {stack}; a new cluster takes about ten minutes.")
    changed = shared.deploy(
        region=region,
        profile=profile,
        stack=stack,
        parameters=parameters,
        tell=StackProgress(out.err).tell,
    )
    out.result(f"Stack {stack} is deployed." if changed else f"Stack {stack} is up to date: nothing was changed.")


@app.command("status")
def shared_status(
    stack: SharedName = "shared-global", region: Region = None, profile: Profile = None, output: Format = "text"
) -> None:
    """Show the shared stack's state and outputs."""
    from aurora_tenants.aws import shared

    out = output_of(output)
    status = shared.status(region=region, profile=profile, stack=stack)
    if output == "json":
        out.json(status)
    else:
        out.result("\n".join(f"{name}: {value}" for name, value in status.items()))


@app.command("delete")
def shared_delete(
    stack: SharedName = "shared-global",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Delete the shared stack and the cluster in it; refused while tenants are deployed on it."""
    from aurora_tenants.aws import shared
    from aurora_tenants.progress import StackProgress

    out = output_of()
    ask(out, f"Delete stack {stack}, and the cluster with every database in it (a last snapshot is kept)?", yes=yes)
    shared.delete(region=region, profile=profile, stack=stack, tell=StackProgress(out.err).tell)
    out.result(f"Stack {stack} is deleted.")


@app.command("template")
def shared_template() -> None:
    """Print the shared stack's template, for any other tool that deploys CloudFormation."""
    from aurora_tenants import data

    typer.echo(data.text("shared.yml"), nl=False)


def _pairs(pairs: Iterable[str]) -> Mapping[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise InvalidUsage(Problem("invalid-parameter", f"--parameter {pair} has no value", fix="write Name=Value"))
    return dict(pair.split("=", 1) for pair in pairs)
