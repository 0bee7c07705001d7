"""Where what is printed goes: results to stdout, everything else to stderr.

Text never passes through markup, so what a user called a thing is shown as it is. Whatever a terminal would obey or
hide is written out here at the latest (`safe`). Only line breaks pass: names go through `render.text.printable` before.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import IO, Any, cast

from rich.console import Console
from rich.text import Span, Text

from aurora_tenants.render.layout import LEAST
from aurora_tenants.render.text import is_shown, printable, several_lines


class Output:
    """Where results (stdout) and everything else (stderr) go. color: None asks the terminal."""

    def __init__(self, *, color: bool | None = None, out: IO[str] | None = None, err: IO[str] | None = None) -> None:
        self.out = _console(out or sys.stdout, color)
        self.err = _console(err or sys.stderr, color)

    @property
    def width(self) -> int:
        """In how many columns text is laid out: the terminal's, or those of the variable COLUMNS; 80 without either."""
        return max(self.out.width, LEAST)

    def result(self, text: Text | str) -> None:
        """One line, or several, of a result."""
        self.out.print(safe(text), soft_wrap=True)

    def raw(self, text: str) -> None:
        """A result whose every character counts: rich would turn tabs into spaces."""
        self.out.file.write(text)

    def tell(self, text: Text | str) -> None:
        """One line of anything else; what comes in several is marked (several_lines)."""
        self.err.print(several_lines(text) if isinstance(text, str) else safe(text), soft_wrap=True)

    def json(self, value: Any) -> None:
        """A result for a program."""
        self.out.print(_json(value, indent=2), soft_wrap=True)

    def endure(self) -> None:
        """From now on nothing fails because nobody reads it any more or the disk is full: the rest goes nowhere."""
        for console in (self.out, self.err):
            if not isinstance(console.file, _Enduring):
                console.file = cast("IO[str]", _Enduring(console.file))


class EventOutput(Output):
    """Where everything but results is for a program, too: a line of JSON on stderr for each thing that is told."""

    _whole_lines = threading.Lock()

    def tell(self, text: Text | str) -> None:
        """An event of its own, for what is said to people elsewhere."""
        self.event({"event": "told", "text": str(text)})

    def event(self, value: Mapping[str, Any]) -> None:
        """One line, with the time."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = _json({"event": value["event"], "at": now} | dict(value))
        with self._whole_lines:
            self.err.file.write(f"{line}\n")
            self.err.file.flush()


class _Enduring:
    """A file that takes what it is given, whether or not that goes anywhere."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        try:
            return self._file.write(text)
        except OSError:
            self._end()
            return len(text)

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError:
            self._end()

    def _end(self) -> None:
        """What Python still holds of it would fail once more when it exits."""
        with suppress(OSError):  # of what is no file of the system's
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._file.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _json(value: Any, indent: int | None = None) -> str:
    # All of it is ASCII; only DEL, which a terminal obeys, JSON leaves as it is.
    return json.dumps(value, indent=indent).replace("\x7f", "\\u007f")


def safe(text: Text | str) -> Text | str:
    """The text, in its colours, with everything written out that a terminal would obey or hide, but for line breaks."""
    if isinstance(text, str):
        return printable(text, keep="\n\t")
    plain = text.plain
    odd = [at for at, character in enumerate(plain) if character not in "\n\t" and not is_shown(character)]
    if not odd:
        return text
    whole = Text(end=text.end)
    for part in text.divide(sorted({cut for at in odd for cut in (at, at + 1)})):
        written = printable(part.plain, keep="\n\t")
        if written != part.plain:
            part = Text(written, part.style, spans=[Span(0, len(written), span.style) for span in part.spans])
        whole.append_text(part)
    return whole


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
