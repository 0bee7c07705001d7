"""All commands by name, each with what it is for. What makes one is loaded when it is asked for, and not before."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer
import typer.core
import typer.main

from aurora_tenants import __version__
from aurora_tenants.cli.group import Group

NAME = "aurora-tenants"
_SETTINGS: dict[str, Any] = {"add_completion": False, "rich_markup_mode": None, "pretty_exceptions_enable": False}


class Later(NamedTuple):
    """A command, or a group of some: what it is for, the module that it is in, and its name there."""

    help: str
    module: str
    name: str

    def make(self, name: str) -> Any:
        """The command as typer makes it."""
        from aurora_tenants.cli.options import Command, with_groups

        alone = typer.Typer(**_SETTINGS)
        made = getattr(import_module(f"aurora_tenants.cli.{self.module}"), self.name)
        if isinstance(made, typer.Typer):
            alone.add_typer(made, name=name, help=self.help)
        else:
            alone.command(name, cls=Command, help=self.help)(with_groups(made))
        return typer.main.get_group(alone).commands[name]


COMMANDS = {
    "validate": Later("Check the file alone; asks nothing of AWS without --live.", "tenants", "validate"),
    "schema": Later("Print the JSON Schema of the file, for editors.", "tenants", "schema"),
    "plan": Later("Show what apply would change, down to the SQL. Changes nothing.", "tenants", "plan"),
    "apply": Later("Deploy what plan shows, one stack per tenant, and read back what came of it.", "tenants", "apply"),
    "env": Later("Print what a service of this tenant needs: names of resources, never a password.", "tenants", "env"),
    "status": Later(
        "Show how the tenants are and the cluster: sizes, connections, rotations, drift, costs. Wakes nothing unasked.",
        "status",
        "status",
    ),
    "rotate": Later(
        "Give the users of a tenant, or one of them, another password now, and prove it by a login.", "rotate", "rotate"
    ),
    "doctor": Later(
        "Look for what could stand in the way: in the account, the file, and what is deployed. Free; changes nothing.",
        "doctor",
        "doctor",
    ),
    "pause-schedule": Later(
        "When the cluster stays awake and when it may pause, and what that costs.", "pause_schedule", "app"
    ),
    "shared": Later("The shared stack: what makes databases and users on a cluster, or on a new one.", "repair", "app"),
    "sandbox": Later("The whole thing on this machine: a real MySQL, no AWS account.", "sandbox", "app"),
}


class Root(Group):
    """All commands. Of those that are not asked for, there is nothing but their names and what they are for."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, later in COMMANDS.items():
            self.commands[name] = typer.core.TyperCommand(name, help=later.help)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        self.load(*args[:1])
        return super().resolve_command(ctx, args)

    def load(self, *names: str) -> None:
        """Has these commands whole."""
        for name in names:
            if name in COMMANDS:
                self.commands[name] = COMMANDS[name].make(name)


app = typer.Typer(
    name=NAME,
    cls=Root,
    help="Databases, users and privileges of many tenants on one Aurora MySQL cluster, from one file in git.",
    context_settings={"help_option_names": ["-h", "--help"]},
    **_SETTINGS,
)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Show the version.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def whole() -> Any:
    """All of them at once, as click sees them: for whoever looks at every command."""
    group: Any = typer.main.get_command(app)
    group.load(*COMMANDS)
    return group
