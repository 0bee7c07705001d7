"""Where text goes: in colours to a terminal, by rich; as it is to anything else, for which rich is not loaded."""

from __future__ import annotations

import builtins
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from aurora_tenants.render.styled import Text, joined

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text as RichText

# In one of these, which may ask for colours where there is no terminal, rich looks by itself.
_ASKING = ("FORCE_COLOR", "TTY_COMPATIBLE")
_USUAL_COLUMNS, _USUAL_LINES = 80, 25


class Size(NamedTuple):
    """Of a terminal, in characters."""

    height: int
    width: int


class Stream:
    """A file that takes lines. file: None where there is none, as behind >&-. console: rich's, where it writes."""

    def __init__(self, file: IO[str] | None, console: Console | None = None) -> None:
        self.file, self.console = file, console
        self._whole_texts = threading.RLock()

    def print(self, text: Text | str) -> None:
        """The text and a line break, at once."""
        plain = str(text)
        console = self.console or (_console(self.file, None) if "\t" in plain else None)  # which has a way with tabs
        if console:
            console.print(for_rich(text) if isinstance(text, Text) else text, soft_wrap=True)
            return
        with self._whole_texts:
            self.write(f"{plain}\n")
            self.flush()

    def write(self, text: str) -> None:
        """The text as it is."""
        if self.file:
            self.file.write(text)

    def flush(self) -> None:
        """What has been written is not only here."""
        if self.file:
            self.file.flush()

    def lead_to(self, file: IO[str]) -> None:
        """From now on all of it goes there."""
        self.file = file
        if self.console:
            self.console.file = file

    @contextmanager
    def screen(self) -> Iterator[Callable[[Text], None]]:
        """A screen of its own on a terminal, with what shows a text alone on it; elsewhere texts follow each other."""
        console = self.console if self.is_terminal else None
        if not console:
            yield lambda text: self.print(Text().append(text).append("\n"))
            return

        def show(text: Text) -> None:
            console.clear()
            self.print(_top(text, self.size.height - 1))

        console.set_alt_screen(True)
        try:
            yield show
        finally:
            console.set_alt_screen(False)

    @property
    def is_terminal(self) -> bool:
        """Whether what is written can be written over."""
        return self.console is not None and self.console.is_terminal

    @property
    def encoding(self) -> str:
        """How characters are written: `utf-8`."""
        return (getattr(self.file, "encoding", None) or "utf-8").lower()

    @property
    def size(self) -> Size:
        """How much a terminal shows: of any that there is, where this is none."""
        if self.console:
            return Size(self.console.height, self.console.width)
        return Size(_USUAL_LINES, _columns())

    @property
    def width(self) -> int:
        """In how many columns."""
        return self.size.width


def _top(text: Text, height: int) -> Text:
    """As many of its lines; of the rest it is said how many there are."""
    lines = text.lines()
    if len(lines) <= height:
        return text
    more = len(lines) - height + 1
    return joined([*lines[: height - 1], Text(f"… and {more:,} more lines", "dim")])


def stream(file: IO[str] | None, color: bool | None) -> Stream:
    """color: None leaves it to rich, which honours NO_COLOR."""
    return Stream(file, _console(file, color) if _may_have_colors(file) else None)


def _console(file: IO[str] | None, color: bool | None) -> Console:
    from rich.console import Console

    return Console(file=file, no_color=True if color is False else None, markup=False, highlight=False, emoji=False)


def _may_have_colors(file: IO[str] | None) -> bool:
    """False only where rich would see no terminal (`Console.is_terminal`), so that it would write text as it is."""
    if any(name in os.environ for name in _ASKING) or hasattr(builtins, "get_ipython"):
        return True
    is_terminal = getattr(file, "isatty", None)
    try:
        return is_terminal is not None and bool(is_terminal())
    except ValueError:  # it is closed
        return False


def _columns() -> int:
    """As rich counts them: of the variable COLUMNS, else of the first terminal that any of the three streams is."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit():
        return int(columns)
    for descriptor in range(3):
        try:
            return os.get_terminal_size(descriptor).columns or _USUAL_COLUMNS
        except (OSError, ValueError):
            continue  # it is no terminal
    return _USUAL_COLUMNS


def for_rich(text: Text) -> RichText:
    """The text as rich has it."""
    from rich.text import Span
    from rich.text import Text as RichText

    return RichText(text.plain, text.style, spans=[Span(*span) for span in text.spans])


def row(text: Text) -> RichText:
    """One line of a table, whatever is in it."""
    made: Any = for_rich(text)
    made.no_wrap, made.overflow = True, "ellipsis"
    return made  # type: ignore[no-any-return]
