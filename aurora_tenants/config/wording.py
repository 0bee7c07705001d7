"""How values of the file, and guesses at what was meant, are worded in a Problem."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from difflib import get_close_matches
from functools import lru_cache
from itertools import pairwise

KeyPath = tuple[str | int, ...]
"""The path of a value from the top of the file: keys of mappings, and positions in lists, from 0."""

Fault = tuple[str, str, str, str]
"""The code, what, why and fix of a `Problem` whose place and context are still to be added."""

PlacedFault = tuple[KeyPath, Fault]
"""A fault and the path of the value that has it."""

_MOST = 60
_MOST_COMPARED = 100
_NAMED = {
    (0, "tenants"): "tenant",
    (2, "databases"): "database",
    (2, "roles"): "role",
    (2, "users"): "user",
    (4, "privileges"): "privilege",
}


def shown(value: object) -> str:
    """A value of the file as a sentence shows it: on one line, printable, at most 60 characters."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]  # as YAML writes it, not as Python does
    text = str(value)
    printable = "".join(
        character if character.isprintable() else f"<{escaped(character)}>" for character in text[: _MOST + 1]
    )
    return printable if len(printable) <= _MOST else printable[: _MOST - 3] + "..."


def escaped(character: str) -> str:
    """The code point of a character: U+0007."""
    return f"U+{ord(character):04X}"


def named_character(character: str) -> str:
    """A character as a sentence shows it: `"x"`, `a space`, `U+0007`."""
    name = {" ": "a space", "\\": "a backslash"}.get(character)
    return name or (f'"{character}"' if character.isprintable() else escaped(character))


def at(path: KeyPath, faults: Iterable[Fault]) -> Iterator[PlacedFault]:
    """Each of these faults with the same path."""
    return ((path, fault) for fault in faults)


def too_long(
    noun: str, text: str, longest: int, *, before: int = 0, code: str = "name-too-long", why: str = ""
) -> Iterator[Fault]:
    """A text with more characters than allowed. before: how many others count as well."""
    if before + len(text) > longest:
        excess = counted(before + len(text) - longest, "character")
        why = why or f"it can have at most {longest:,} characters"
        yield code, f"{noun} {shown(text)} is {excess} too long", why, f"shorten it by {excess}"


def repeated(
    noun: str, names: Iterable[tuple[KeyPath, str]], *, identity: Callable[[str], str] = str, why: str = ""
) -> Iterator[PlacedFault]:
    """Every name that is in a list a second time. identity: equal for names that mean the same."""
    seen: set[str] = set()
    for path, name in names:
        key = identity(name)
        if key in seen:
            code = f"duplicate-{noun.split()[-1]}"
            yield path, (code, f"{noun} {shown(name)} appears twice", why, "remove one of them")
        seen.add(key)


def dynamic_reference(noun: str, text: str) -> Iterator[Fault]:
    """A text that CloudFormation would replace with the value of a secret or a parameter."""
    if "{{resolve:" in text:
        why = "CloudFormation would replace it with the value of a secret or a parameter"
        yield "invalid-text", f"{noun} {shown(text)} contains {{{{resolve:", why, "remove {{resolve:"


def nearest(word: str, known: Collection[str]) -> str | None:
    """The known word that was probably meant, in any case; None when none is near.

    Of many words only the neighbours in the alphabet are compared: a comparison takes 10 µs, and one wrong name may
    appear in a thousand places.
    """
    ordered = sorted(known)
    at = bisect(ordered, word)
    return _nearest(word, tuple(ordered[max(0, at - _MOST_COMPARED // 2) : at + _MOST_COMPARED // 2]))


@lru_cache
def _nearest(word: str, known: tuple[str, ...]) -> str | None:
    by_lower = {name.lower(): name for name in known}
    close = get_close_matches(word.lower()[:_MOST], by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def did_you_mean(word: str, known: Collection[str], otherwise: str) -> str:
    """A fix: the nearest known word, or `otherwise` when none is near."""
    guess = nearest(word, known)
    return f"did you mean {shown(guess)}?" if guess else otherwise


def listed(words: Sequence[str], conjunction: str = "and") -> str:
    """Words as a sentence lists them: `a, b and c`. words: at least one."""
    *first, last = words
    return f"{', '.join(first)} {conjunction} {last}" if first else last


def counted(number: int, noun: str) -> str:
    """`1 character`, `2 characters`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def kind(value: object) -> str:
    """What type a value of the file has: `a list`, `the number 5`."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"the YAML boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {shown(value)}"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a mapping"


def context(path: KeyPath) -> str:
    """What a path leads to or into, in the file's own terms: `tenant shop, user shop-report, privilege 2`."""
    if len(path) > 1 and isinstance(path[0], str) and path[0] != "tenants":
        return shown(path[0])
    names = []
    for level, (step, inner) in enumerate(pairwise(path)):
        if isinstance(step, str) and (level, step) in _NAMED:
            names.append(f"{_NAMED[level, step]} {inner + 1 if isinstance(inner, int) else shown(inner)}")
    return ", ".join(names)
