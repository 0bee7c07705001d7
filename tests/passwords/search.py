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
from urllib.parse import quote

_RUN = re.compile(rb"[0-9A-Za-z]{4,}")
# What is shorter could stand anywhere by chance.
SHORTEST = 12


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

    - a form that is one such run may stand within a longer one: `KEY=nABC…` in a JSON text;
    - any other has runs with something else on both sides of them, which are runs of the text as well.
    """

    def __init__(self, passwords: Iterable[str]) -> None:
        self._whole = defaultdict[int, set[bytes]](set)  # by their length
        self._by_run = defaultdict[bytes, set[bytes]](set)
        self._without = set[bytes]()  # forms that have no such run
        looked_for = {password for password in passwords if len(password) >= SHORTEST}
        self.count = len(looked_for)
        for password in looked_for:
            for form in forms(password):
                self._add(form)

    def _add(self, form: bytes) -> None:
        inner = [run for run in _RUN.finditer(form) if run.start() > 0 and run.end() < len(form)]
        if _RUN.fullmatch(form):
            self._whole[len(form)].add(form)
        elif inner:
            self._by_run[max((run[0] for run in inner), key=len)].add(form)
        else:
            self._without.add(form)

    def stand_in(self, text: bytes) -> bool:
        """Whether one of them does."""
        runs = set(_RUN.findall(text))
        return (
            any(form in text for run in runs & self._by_run.keys() for form in self._by_run[run])
            or any(part in self._whole[size] for run in runs for part, size in self._parts(run))
            or any(form in text for form in self._without)
        )

    def _parts(self, run: bytes) -> Iterator[tuple[bytes, int]]:
        for size in self._whole:
            for start in range(len(run) - size + 1):
                yield run[start : start + size], size


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
