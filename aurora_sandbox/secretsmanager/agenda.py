"""What is due when: names, each with one time, of which the earliest is known at once.

agenda.put("app", at)      due then, and no more at the time before; None: never
agenda.first()             when the first is due
agenda.take(until)         the names that are due by then, which are due no more
"""

from __future__ import annotations

import heapq
from datetime import datetime


class Agenda:
    """Each call costs the logarithm of how many there are, but for times that were put again: those are left behind
    until their turn comes.
    """

    def __init__(self) -> None:
        self._at: dict[str, datetime] = {}
        self._heap: list[tuple[datetime, str]] = []

    def put(self, name: str, at: datetime | None) -> None:
        if at is None:
            self._at.pop(name, None)
        elif self._at.get(name) != at:
            self._at[name] = at
            heapq.heappush(self._heap, (at, name))

    def first(self) -> datetime | None:
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, until: datetime) -> list[str]:
        """In the order of their times, and by name where those are the same."""
        taken = []
        while (first := self.first()) is not None and first <= until:
            _, name = heapq.heappop(self._heap)
            del self._at[name]
            taken.append(name)
        return taken
