"""Words and numbers as they are printed, fit for a terminal."""

from __future__ import annotations

# What Python calls printable and nobody sees: fillers, joiners, variation selectors, a blank Braille pattern.
_UNSEEN = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
# Before each line but the first of a text that has several, so that none passes for a line of the program's own.
CONTINUED = "\n    | "


def is_shown(character: str) -> bool:
    """Whether a terminal shows a character and does nothing else with it."""
    return character.isprintable() and character not in _UNSEEN


def printable(text: str, *, keep: str = "") -> str:
    """The text with whatever a terminal would obey or hide written out: a user of MySQL may be called anything.

    Control characters, escape sequences, line breaks, what turns the direction of writing, what has no width.
    """
    if (text.isascii() and text.isprintable()) or all(map(is_shown, {*text} - {*keep})):
        return text
    return "".join(
        character if character in keep or is_shown(character) else character.encode("unicode_escape").decode()
        for character in text
    )


def several_lines(text: str) -> str:
    """A text that may have several lines: those after the first begin with a bar."""
    return printable(text, keep="\n").replace("\n", CONTINUED)


def located(account: str, region: str) -> str:
    """The first line of what a command says of AWS: where it is about to look, or to change something."""
    return f"AWS account {account}, region {region}"


def count(number: int, noun: str) -> str:
    """`1 tenant`, `1,000 tenants`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
