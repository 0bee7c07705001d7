"""Text with styles is what rich would have made of the same, and what is no terminal gets what rich writes."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text as RichText

from aurora_tenants.render.layout import cells, fitted
from aurora_tenants.render.output import Output, safe
from aurora_tenants.render.stream import Stream, for_rich, stream
from aurora_tenants.render.styled import Text, joined

STYLES = st.sampled_from(["", "bold", "dim", "bold red", "green", "yellow"])
TEXTS = st.text(st.sampled_from("ab `;.\n\r\x07é中…") | st.characters(exclude_categories=["Cs"]), max_size=12)
# A text and its style, then what is appended to it: strings with a style, texts with another text in them.
PIECES = st.lists(st.tuples(TEXTS, STYLES, st.booleans()), max_size=5)
PARTS = st.tuples(st.integers(0, 40), st.integers(0, 40))


def built(kind: Any, plain: str, style: str, pieces: list[tuple[str, str, bool]]) -> Any:
    text = kind(plain, style)
    for piece, of_piece, is_text in pieces:
        if is_text:
            text.append(kind(piece, of_piece).append("x", "dim").append(piece))
        else:
            text.append(piece, of_piece or ("" if kind is Text else None))
    return text


def both(*how: Any) -> tuple[Text, RichText]:
    return built(Text, *how), built(RichText, *how)


def coloured(text: RichText) -> str:
    out = io.StringIO()
    options: dict[str, Any] = {"markup": False, "highlight": False, "emoji": False}
    Console(file=out, force_terminal=True, color_system="standard", **options).print(text, soft_wrap=True)
    return out.getvalue()


@settings(max_examples=60, deadline=None)
@given(TEXTS, STYLES, PIECES)
def test_a_text_that_is_put_together(plain: str, style: str, pieces: list[tuple[str, str, bool]]):
    ours, richs = both(plain, style, pieces)
    assert (ours.plain, len(ours), bool(ours)) == (richs.plain, len(richs), bool(richs))
    assert coloured(for_rich(ours)) == coloured(richs)
    ours.rstrip()
    richs.rstrip()
    assert coloured(for_rich(ours)) == coloured(richs)


@settings(max_examples=60, deadline=None)
@given(TEXTS, STYLES, PIECES, PARTS)
def test_a_part_of_it(plain: str, style: str, pieces: list[tuple[str, str, bool]], part: tuple[int, int]):
    ours, richs = both(plain, style, pieces)
    first, last = sorted(part)
    if first < last <= len(ours):
        assert coloured(for_rich(ours[first:last])) == coloured(richs[first:last])


@settings(max_examples=60, deadline=None)
@given(TEXTS, STYLES, PIECES)
def test_its_lines_and_what_they_make_together(plain: str, style: str, pieces: list[tuple[str, str, bool]]):
    ours, richs = both(plain, style, pieces)
    of_rich = richs.split("\n", allow_blank=True)
    if richs.plain:
        assert [coloured(for_rich(line)) for line in ours.lines()] == [coloured(line) for line in of_rich]
        assert coloured(for_rich(joined(ours.lines()))) == coloured(RichText("\n").join(of_rich))


@settings(max_examples=60, deadline=None)
@given(TEXTS, STYLES, PIECES, st.integers(1, 30))
def test_a_text_that_fits_stays_as_it_is(plain: str, style: str, pieces: list[tuple[str, str, bool]], width: int):
    ours, _ = both(plain, style, pieces)
    made = fitted(ours, width)
    if all(cells(line) <= width for line in ours.plain.split("\n")):
        assert coloured(for_rich(made)) == coloured(for_rich(ours))
    assert made.plain.split() == ours.plain.split()


@pytest.mark.parametrize("color", [None, False])
@settings(max_examples=60, deadline=None)
@given(TEXTS, STYLES, PIECES)
def test_what_is_no_terminal_gets_what_rich_writes(
    color: bool | None, plain: str, style: str, pieces: list[tuple[str, str, bool]]
):
    ours, _ = both(plain, style, pieces)
    for text in (safe(ours), safe(plain), f"{ours}".replace("\r", ""), "\tä\t中\t", Text("a\tb", "red")):
        out, of_rich = io.StringIO(), io.StringIO()
        Stream(out).print(text)
        console = Console(file=of_rich, no_color=color is False or None, markup=False, highlight=False, emoji=False)
        console.print(for_rich(text) if isinstance(text, Text) else text, soft_wrap=True)
        if not any(control in str(text) for control in "\x07\x08\x0b\x0c"):  # which `safe` leaves in nothing
            assert out.getvalue() == of_rich.getvalue()


# Where there are colours


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


class Closed(io.StringIO):
    def isatty(self) -> bool:
        raise ValueError


NAMES = ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "TERM", "COLUMNS", "LINES", "COLORTERM")
VALUES: list[dict[str, str]] = [
    {},
    *({name: value} for name in NAMES for value in ("", "0", "1", "20", "dumb", "xterm-256color", "no number")),
    {"FORCE_COLOR": "1", "NO_COLOR": "1"},
    {"TERM": "dumb", "COLUMNS": "100"},
    {"COLUMNS": "100", "LINES": "30"},
]


@pytest.fixture(params=VALUES, ids=str)
def variables(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in request.param.items():
        monkeypatch.setenv(name, value)
    return request.param


@pytest.mark.parametrize("color", [None, False])
@pytest.mark.parametrize("kind", [io.StringIO, Tty, Closed])
@pytest.mark.usefixtures("variables")
def test_colours_width_and_what_is_written_are_those_of_rich(kind: type[io.StringIO], color: bool | None):
    ours, of_rich = kind(), kind()
    made, options = stream(ours, color), {"markup": False, "highlight": False, "emoji": False}
    console = Console(file=of_rich, no_color=True if color is False else None, **options)  # type: ignore[arg-type]
    made.print(Text("wrong", "bold red"))
    console.print(RichText("wrong", "bold red"), soft_wrap=True)
    if console.width:  # rich writes nothing at all where COLUMNS is 0; what is no terminal has no use for it
        assert ours.getvalue() == of_rich.getvalue()
    assert (made.width, made.is_terminal, made.encoding) == (console.width, console.is_terminal, console.encoding)


def test_the_width_is_that_of_any_terminal_there_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    for found in (0, 1, 2, None):
        for columns in (0, 70):

            def size(descriptor: int, found: int | None = found, columns: int = columns) -> os.terminal_size:
                if descriptor != found:
                    raise OSError
                return os.terminal_size((columns, 20))

            monkeypatch.setattr(os, "get_terminal_size", size)
            assert stream(io.StringIO(), None).width == Console(file=io.StringIO()).width


def test_there_may_be_no_file():
    """As behind >&-."""
    there_is_none = Stream(None)
    there_is_none.print("x")
    there_is_none.write("y")
    there_is_none.flush()
    assert there_is_none.encoding == "utf-8"


@settings(max_examples=60, deadline=None)
@given(TEXTS, STYLES, PIECES)
def test_whatever_is_printed_is_written_out(plain: str, style: str, pieces: list[tuple[str, str, bool]]):
    ours, _ = both(plain, style, pieces)
    out = io.StringIO()
    Output(out=out).result(ours)
    assert all(character == "\n" or character.isprintable() or character == "\t" for character in out.getvalue())
