"""Commands under one name."""

from __future__ import annotations

from typing import Any

import typer.core

from aurora_tenants.cli.conversion import as_given


class Group(typer.core.TyperGroup):
    """Commands under one name. The name alone asks for help; in typer that is an error."""

    def parse_args(
        self, ctx: Any, args: list[str]
    ) -> Any:  # a context's type is private in one typer, click's in another
        return super().parse_args(ctx, args or ["--help"])

    def get_params(self, ctx: Any) -> Any:
        return [as_given(each) for each in super().get_params(ctx)]
