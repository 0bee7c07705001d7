"""Text with styles, as everything in render/ makes it: rich, which shows it in colours, is only loaded where there are
some (output). A style is named as rich names it: "bold red".

Text("+ tenant shop", "bold green").append("  new", "dim")
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

# What rich leaves out of any text: bell, backspace, vertical tab, form feed, carriage return.
_LEFT_OUT = dict.fromkeys((7, 8, 11, 12, 13))


def _shown(text: str) -> str:
    return text if text.isprintable() else text.translate(_LEFT_OUT)


class Span(NamedTuple):
    """A style from one character of a text to before another one."""

    start: int
    end: int
    style: str


class Text:
    """A text, and which parts of it have a style of their own. style: that of all of it, whatever is appended."""

    __slots__ = ("plain", "spans", "style")

    def __init__(self, plain: str = "", style: str = "", spans: Iterable[Span] = ()) -> None:
        self.plain, self.style, self.spans = _shown(plain), style, list(spans)

    def append(self, text: Text | str, style: str = "") -> Text:
        """The same with this at its end; style: of a string, which a Text has itself."""
        start = len(self.plain)
        if isinstance(text, str):
            text = _shown(text)
            if text and style:
                self.spans.append(Span(start, start + len(text), style))
            self.plain += text
            return self
        if text.style:
            self.spans.append(Span(start, start + len(text.plain), text.style))
        self.spans += (Span(span.start + start, span.end + start, span.style) for span in text.spans)
        self.plain += text.plain
        return self

    def rstrip(self) -> None:
        """Without blanks and line breaks at its end."""
        shorter = self[: len(self.plain.rstrip())]
        self.plain, self.spans = shorter.plain, shorter.spans

    def lines(self) -> list[Text]:
        """Each of its lines, without the line break."""
        if "\n" not in self.plain:
            return [self]
        found = [Text(line, self.style) for line in self.plain.split("\n")]
        starts = [0]
        for line in found[:-1]:
            starts.append(starts[-1] + len(line.plain) + 1)
        for start, end, style in self.spans:
            at = bisect_right(starts, start) - 1
            while at < len(found) and starts[at] < end:
                first, last = max(start - starts[at], 0), min(end - starts[at], len(found[at].plain))
                if first < last:
                    found[at].spans.append(Span(first, last, style))
                at += 1
        return found

    def __getitem__(self, part: slice) -> Text:
        """A part of it, in its styles."""
        start, end, _ = part.indices(len(self.plain))
        inside = (span for span in self.spans if span.start < end and span.end > start)
        spans = (Span(max(span.start, start) - start, min(span.end, end) - start, span.style) for span in inside)
        return Text(self.plain[start:end], self.style, spans)

    def __len__(self) -> int:
        return len(self.plain)

    def __str__(self) -> str:
        return self.plain


def joined(lines: Iterable[Text]) -> Text:
    """One text of these lines, with line breaks between them."""
    plain, spans, start = list[str](), list[Span](), 0
    for line in lines:
        if line.style:
            spans.append(Span(start, start + len(line.plain), line.style))
        spans += (Span(span.start + start, span.end + start, span.style) for span in line.spans)
        plain.append(line.plain)
        start += len(line.plain) + 1
    return Text("\n".join(plain), spans=spans)
