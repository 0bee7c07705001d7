"""What is printed: lines as they are, colours where they are wanted, rows of a query."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from aurora_tenants.render.output import Output, table
from aurora_tenants.render.stream import Stream
from aurora_tenants.render.styled import Text
from tests.render.printed import text_of


def test_a_long_line_is_never_broken(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "20")
    assert text_of("word " * 40) == "word " * 40 + "\n"


def coloured(monkeypatch: pytest.MonkeyPatch, *, color: bool | None = None, **variables: str) -> str:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"FORCE_COLOR": "1", "TERM": "xterm-256color"} | variables).items():
        monkeypatch.setenv(name, value)
    out = io.StringIO()
    Output(out=out, color=color).result(Text("wrong", "bold red"))
    return out.getvalue()


RED = "\x1b[1;31m"


def test_colour_is_used_where_the_terminal_has_it(monkeypatch: pytest.MonkeyPatch):
    assert RED in coloured(monkeypatch)


def test_no_color_is_honoured_as_variable_and_as_option(monkeypatch: pytest.MonkeyPatch):
    assert RED not in coloured(monkeypatch, NO_COLOR="1")
    assert RED not in coloured(monkeypatch, color=False)


@pytest.mark.parametrize(
    ("columns", "rows", "expected"),
    [
        (("a", "b"), [(1, None), ("x\ty\\\nz", 2.5)], "a\tb\n1\tNULL\nx\\ty\\\\\\nz\t2.5\n"),
        (("none",), [], "none\n"),
    ],
)
def test_rows_of_a_query_as_mysqls_own_client_shows_them(columns: Any, rows: Any, expected: str):
    out = io.StringIO()
    Output(out=out).raw(table(columns, rows))
    assert out.getvalue() == expected


def test_on_a_terminal_results_take_each_others_place_on_a_screen_of_their_own():
    out = io.StringIO()
    made = Output(out=out)
    made.out = Stream(out, Console(file=out, force_terminal=True, width=80, height=6))
    with made.screen() as show:
        show(Text("first"))
        show(Text("\n".join(f"line {number}\x1b[2J" for number in range(20))))
        assert out.getvalue().startswith("\x1b[?1049h")
    shown = out.getvalue()
    last = shown.rpartition("first")[2]
    assert shown.endswith("\x1b[?1049l")
    assert ("line 3\\x1b[2J" in last, "line 4" in last, "… and 16 more lines" in last) == (True, False, True)


def test_elsewhere_they_follow_each_other():
    out = io.StringIO()
    with Output(out=out).screen() as show:
        show(Text("first"))
        show(Text("second"))
    assert out.getvalue() == "first\n\nsecond\n\n"
