"""Where passwords stand in texts, in one pass over each text however many passwords there are. Pure.

A password is looked for as it is, and as JSON, a URL, HTML, hexadecimal and base64 would write it.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from urllib.parse import quote

_RUN = re.compile(rb"[0-9A-Za-z]{4,}")
# What is shorter could stand anywhere by chance.
SHORTEST = 12
_LONG = 6  # a run that few texts hold by chance within another


def forms(password: str) -> set[bytes]:
    """How a password may be written."""
    plain = password.encode()
    coded = {plain, json.dumps(password)[1:-1].encode(), quote(password, safe="").encode(), quote(password).encode()}
    coded |= {html.escape(password).encode(), plain.hex().encode(), plain.hex().upper().encode()}
    for before in range(3):  # bytes in front of it, of which some of its first and last letters are made, too
        letters = base64.b64encode(bytes(before) + plain).rstrip(b"=")
        coded.add(letters[-(-before * 4 // 3) : len(letters) - (1 if (before + len(plain)) % 3 else 0)])
    return coded


class Passwords:
    """Those that are looked for. A text is cut into runs of letters and digits, and these are compared with theirs:

    - a run with something else on both sides of it within a form is a whole run of the text as well;
    - any other may stand within a longer one, as in `KEY=nABC…` of a JSON text.
    """

    def __init__(self, passwords: Iterable[str]) -> None:
        self._whole = defaultdict[bytes, set[bytes]](set)  # forms by such a run
        self._within = defaultdict[int, dict[bytes, set[bytes]]](dict)  # forms by another, by its length
        self._without = set[bytes]()  # forms that have only short ones
        looked_for = {password for password in passwords if len(password) >= SHORTEST}
        self.count = len(looked_for)
        for password in looked_for:
            for form in forms(password):
                self._add(form)

    def _add(self, form: bytes) -> None:
        found = [(len(run[0]), run.start() > 0 and run.end() < len(form), run[0]) for run in _RUN.finditer(form)]
        inner = [(size, run) for size, is_inner, run in found if is_inner]
        size, _, longest = max(found, default=(0, False, b""))
        if inner:
            self._whole[max(inner)[1]].add(form)
        elif size >= _LONG:
            self._within[size].setdefault(longest, set()).add(form)
        else:
            self._without.add(form)

    def stand_in(self, text: bytes) -> bool:
        """Whether one of them does."""
        runs = set(_RUN.findall(text))
        return any(form in text for form in chain(self._without, self._candidates(runs)))

    def _candidates(self, runs: set[bytes]) -> Iterator[bytes]:
        """Forms of which a run is there."""
        for run in runs & self._whole.keys():
            yield from self._whole[run]
        for size, forms_by_part in self._within.items():
            for run in runs:
                for start in range(len(run) - size + 1):
                    yield from forms_by_part.get(run[start : start + size], ())


def places(said: bytes, mark: bytes) -> Iterator[tuple[str, bytes]]:
    """The pieces of what was said, each with its place: see inside/sitecustomize.py."""
    for piece in said.split(mark)[1:]:
        place, _, text = piece.partition(b"\n")
        yield place.decode(errors="replace"), text


def lines_with(passwords: Passwords, text: bytes) -> list[int]:
    """The numbers of the lines that hold one; none if none does. [1] also where only the lines together do."""
    if not passwords.stand_in(text):
        return []
    return [number for number, line in enumerate(text.splitlines(), 1) if passwords.stand_in(line)] or [1]
