"""Where what is printed goes: results to stdout, everything else to stderr.

Text never passes through markup, so what a user called a thing is shown as it is. Whatever a terminal would obey or
hide is written out here at the latest (`safe`). Only line breaks pass: names go through `render.text.printable` before.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import pairwise
from typing import IO, Any, cast

from aurora_tenants.render.layout import LEAST
from aurora_tenants.render.stream import stream
from aurora_tenants.render.styled import Span, Text
from aurora_tenants.render.text import is_shown, printable, several_lines


class Output:
    """Where results (stdout) and everything else (stderr) go. color: None asks the terminal."""

    def __init__(self, *, color: bool | None = None, out: IO[str] | None = None, err: IO[str] | None = None) -> None:
        self.out = stream(out or sys.stdout, color)
        self.err = stream(err or sys.stderr, color)

    @property
    def width(self) -> int:
        """In how many columns text is laid out: the terminal's, or those of the variable COLUMNS; 80 without either."""
        return max(self.out.width, LEAST)

    def result(self, text: Text | str) -> None:
        """One line, or several, of a result."""
        self.out.print(safe(text))

    @contextmanager
    def screen(self) -> Iterator[Callable[[Text], None]]:
        """As the stream's, for results that take each other's place."""
        with self.out.screen() as show:
            yield lambda text: show(cast("Text", safe(text)))

    def raw(self, text: str) -> None:
        """A result whose every character counts: rich would turn tabs into spaces."""
        self.out.write(text)

    def tell(self, text: Text | str) -> None:
        """One line of anything else; what comes in several is marked (several_lines)."""
        self.err.print(several_lines(text) if isinstance(text, str) else safe(text))

    def json(self, value: Any) -> None:
        """A result for a program."""
        self.out.print(_json(value, indent=2))

    def endure(self) -> None:
        """From now on nothing fails because nobody reads it any more or the disk is full: the rest goes nowhere."""
        for each in (self.out, self.err):
            if each.file and not isinstance(each.file, _Enduring):
                each.lead_to(cast("IO[str]", _Enduring(each.file)))


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
            self.err.write(f"{line}\n")
            self.err.flush()


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
    hidden = {character for character in {*text.plain} - {*"\n\t"} if not is_shown(character)}
    if not hidden:
        return text
    whole, cuts = Text(), {0, len(text)}
    cuts.update(cut for at, character in enumerate(text.plain) if character in hidden for cut in (at, at + 1))
    for start, end in pairwise(sorted(cuts)):
        part = text[start:end]
        written = printable(part.plain, keep="\n\t")
        if written != part.plain:
            part = Text(written, part.style, (Span(0, len(written), span.style) for span in part.spans))
        whole.append(part)
    return whole


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows of a query as tab-separated lines under their column names; cells as MySQL's own client writes them."""
    lines = [columns, *rows]
    return "".join("\t".join(_cell(cell) for cell in line) + "\n" for line in lines)


def _cell(cell: object) -> str:
    if cell is None:
        return "NULL"
    return str(cell).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\0", "\\0")
