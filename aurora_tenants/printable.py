"""Text of somebody else's, made fit for a terminal."""

from __future__ import annotations


def printable(text: str, *, keep: str = "") -> str:
    """The text with whatever else a terminal would obey written out: a user of MySQL may be called anything."""
    return "".join(
        character if character in keep or character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
