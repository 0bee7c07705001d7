"""Lines that fit a width: broken between words, never inside a name in backticks, with what follows indented."""

from __future__ import annotations

from aurora_tenants.render.styled import Text, joined

# Nothing is laid out for less, or for more where nobody says how wide it is.
LEAST, USUAL = 60, 80


def fitted(text: Text, width: int, *, hanging: int = 2) -> Text:
    """The text with each of its lines broken to the width. hanging: by how much more than its line the rest is
    indented. A word that is longer than a line stays whole.
    """
    return joined(part for line in text.lines() for part in _broken(line, width, hanging))


def cells(text: str) -> int:
    """How many columns of a terminal it takes."""
    if text.isascii() and text.isprintable():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _broken(line: Text, width: int, hanging: int) -> list[Text]:
    """Between its parts, where that takes no more lines than between its words."""
    plain = line.plain
    if cells(plain) <= width:
        return [line]
    indent = len(plain) - len(plain.lstrip(" "))
    gaps, margin = _gaps(plain, indent), indent + hanging
    by_words, by_parts = (_cuts(plain, gaps, width, margin, prefers=prefers) for prefers in (False, True))
    parts, start = list[Text](), 0
    for cut in by_parts if len(by_parts) <= len(by_words) else by_words:
        parts.append(_from(line, start, cut, margin))
        start = cut
    return [*parts, _from(line, start, len(plain), margin)]


def _from(line: Text, start: int, end: int, margin: int) -> Text:
    """One line of it; all but the first are indented."""
    if not start:
        return line[:end]
    first = end - len(line.plain[start:end].lstrip(" "))
    return Text(" " * margin).append(line[first:end])


def _cuts(plain: str, gaps: list[int], width: int, margin: int, *, prefers: bool) -> list[int]:
    """The gaps at which lines end. prefers: before a whole part that fits into a line of its own."""
    cuts, start, last = list[int](), 0, -1
    for at in [*gaps, len(plain)]:
        room = width - (margin if start else 0)
        if last > start and cells(plain[start:at].lstrip(" ") if start else plain[start:at]) > room:
            cut = last
            if prefers:
                cut = next((gap for gap in reversed(gaps) if start < gap <= last and _begins_part(plain, gap)), last)
                ends = next((gap for gap in gaps if gap > cut and _begins_part(plain, gap)), len(plain))
                cut = cut if cells(plain[cut:ends].strip()) <= width - margin else last
            cuts.append(cut)
            start = cut
        last = at
    return cuts


def _begins_part(plain: str, gap: int) -> bool:
    """Whether another difference follows, another sentence, or a remark that stands apart."""
    return plain[gap - 1] in ";." or plain[gap : gap + 2] == "  "


def _gaps(plain: str, begin: int) -> list[int]:
    """Where a line may be broken: at blanks, but for those between backticks."""
    is_quoted, is_paired, gaps = False, plain.count("`") % 2 == 0, list[int]()
    for at, character in enumerate(plain):
        if character == "`" and is_paired:
            is_quoted = not is_quoted
        elif character == " " and at > begin and not is_quoted and plain[at - 1] != " ":
            gaps.append(at)
    return gaps
