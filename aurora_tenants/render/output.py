"""Where what is printed goes: results to stdout, everything else to stderr.

Text never passes through markup, so what a user called a thing is shown as it is.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import IO, Any

from rich.console import Console
from rich.text import Text


class Output:
    """Where results (stdout) and everything else (stderr) go. color: None asks the terminal."""

    def __init__(self, *, color: bool | None = None, out: IO[str] | None = None, err: IO[str] | None = None) -> None:
        self.out = _console(out or sys.stdout, color)
        self.err = _console(err or sys.stderr, color)

    def result(self, text: Text | str) -> None:
        """One line, or several, of a result."""
        self.out.print(text, soft_wrap=True)

    def raw(self, text: str) -> None:
        """A result whose every character counts: rich would turn tabs into spaces."""
        self.out.file.write(text)

    def tell(self, text: Text | str) -> None:
        """One line of anything else."""
        self.err.print(text, soft_wrap=True)

    def json(self, value: Any) -> None:
        """A result for a program."""
        self.out.print(json.dumps(value, indent=2), soft_wrap=True)


def _console(file: IO[str], color: bool | None) -> Console:
    # None leaves it to rich, which honours NO_COLOR.
    return Console(file=file, no_color=True if color is False else None, markup=False, highlight=False, emoji=False)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows of a query as tab-separated lines under their column names; cells as MySQL's own client writes them."""
    lines = [columns, *rows]
    return "".join("\t".join(_cell(cell) for cell in line) + "\n" for line in lines)


def _cell(cell: object) -> str:
    if cell is None:
        return "NULL"
    return str(cell).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\0", "\\0")
