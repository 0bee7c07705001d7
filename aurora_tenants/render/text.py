"""Words and numbers as they are printed, fit for a terminal."""

from __future__ import annotations


def printable(text: str, *, keep: str = "") -> str:
    """The text with whatever else a terminal would obey written out: a user of MySQL may be called anything."""
    return "".join(
        character if character in keep or character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def located(account: str, region: str) -> str:
    """The first line of what a command says of AWS: where it is about to look, or to change something."""
    return f"AWS account {account}, region {region}"


def count(number: int, noun: str) -> str:
    """`1 tenant`, `1,000 tenants`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
