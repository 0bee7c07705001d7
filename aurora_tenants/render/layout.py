"""Lines that fit a width: broken between words, never inside a name in backticks, with what follows indented."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text

# Nothing is laid out for less, or for more where nobody says how wide it is.
LEAST, USUAL = 60, 80


def fitted(text: Text, width: int, *, hanging: int = 2) -> Text:
    """The text with each of its lines broken to the width. hanging: by how much more than its line the rest is
    indented. A word that is longer than a line stays whole.
    """
    lines = text.split("\n", allow_blank=True)
    return Text("\n").join(part for line in lines for part in _broken(line, width, hanging))


def _broken(line: Text, width: int, hanging: int) -> list[Text]:
    plain = line.plain
    indent = len(plain) - len(plain.lstrip(" "))
    margin = " " * (indent + hanging)
    done, start, last, parts = "", 0, -1, list[Text]()
    for at in [*_gaps(plain, indent), len(plain)]:
        if last >= 0 and cell_len(done + plain[start:at]) > width:
            parts.append(Text(done).append_text(line[start:last]))
            done, start = margin, last + 1
            while start < at and plain[start] == " ":
                start += 1
        last = at
    return [*parts, Text(done).append_text(line[start:])]


def _gaps(plain: str, begin: int) -> list[int]:
    """Where a line may be broken: at blanks, but for those between backticks."""
    is_quoted, is_paired, gaps = False, plain.count("`") % 2 == 0, list[int]()
    for at, character in enumerate(plain):
        if character == "`" and is_paired:
            is_quoted = not is_quoted
        elif character == " " and at > begin and not is_quoted and plain[at - 1] != " ":
            gaps.append(at)
    return gaps
