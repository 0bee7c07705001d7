"""What a run prints: each probe as it ends, and a table of all of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from typing import IO, Any

from tools.smoke.probe import Result

_WIDEST, _LONGEST = 160, 2000
_KIND = 9


class Report:
    """out: a stream for people."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out

    def tell(self, text: str) -> None:
        """One line, or several. A terminal that is gone is no reason to leave a cluster behind, nor one without "…"."""
        try:
            try:
                self._out.write(f"{text}\n")
            except UnicodeEncodeError:
                self._out.write(text.encode("ascii", "backslashreplace").decode() + "\n")
            self._out.flush()
        except OSError:
            pass  # nobody reads it; the answers are in their file

    def result(self, result: Result) -> None:
        """What came of one probe."""
        self.tell(f"{result.kind:<{_KIND}}{result.probe.id}\n    expected  {result.probe.expected}")
        if result.kind != "not run":
            self.tell(f"    seen      {seen(result.seen, 400)}")
        if result.text:
            self.tell(f"    {'differs' if result.kind == 'differs' else 'because'}   {_cut(result.text, _LONGEST)}")

    def table(self, results: Iterable[Result]) -> None:
        """All of them, one line each, and how many there are of each kind."""
        rows = [*results]
        width = min(shutil.get_terminal_size((120, 24)).columns, _WIDEST)
        name = max((len(row.probe.id) for row in rows), default=5) + 2
        rest = max(width - _KIND - name, 40)
        expected = rest * 2 // 5
        head = f"{'':<{_KIND}}{'probe':<{name}}{'expected':<{expected}}seen"
        lines = [head, *(self._row(row, name, expected, rest - expected) for row in rows)]
        counts = {kind: sum(row.kind == kind for row in rows) for kind in ("same", "differs", "not run")}
        self.tell("\n".join(["", *lines, "", ", ".join(f"{count} {kind}" for kind, count in counts.items())]))

    @staticmethod
    def _row(row: Result, name: int, expected: int, rest: int) -> str:
        text = row.text or seen(row.seen, rest)
        first = f"{row.kind:<{_KIND}}{row.probe.id:<{name}}{_cut(row.probe.expected, expected - 2):<{expected}}"
        return f"{first}{_cut(text, rest)}".rstrip()


def seen(answer: Any, width: int) -> str:
    """An answer on one line; all of it is in the file of answers."""
    return _cut(json.dumps(answer, ensure_ascii=False), width)


def _cut(text: str, width: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: max(width - 1, 1)] + "…"
