"""Which stacks in flight are worth a look, found out with as few calls as possible: one for all lanes of an apply.

poller = poller_of(cloudformation)
with poller.watching(stack_id) as watched:
    while not has_ended(its events):
        watched.wait()                  until they are worth reading again

One or two stacks are looked at in turn. Of more, ListStacks tells in one call which are in progress, and those that are
not any more are looked at. It may lag behind, so what it does not tell of is only looked at, and never taken to have
ended: what has happened to a stack is what its events say.

No thread is started for that: one of the lanes that wait asks for all of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary, ref

from botocore.exceptions import BotoCoreError, ClientError

from aurora_tenants.aws.clients import is_denied
from aurora_tenants.status import STATES

# Between two rounds: soon at first, and longer the longer stacks take. With a list and a look after that, an end is
# noticed within two seconds.
_POLL_SECONDS = (0.2, 1.3)
# What a round may cost where ListStacks may not be called, in looks a second.
_LOOKS_PER_SECOND = 2.0
# A stack that is in progress is looked at so often all the same, to say what is happening; one every few seconds.
_SEEN_SECONDS, _ONE_SECONDS = 20.0, 4.0
# A look at a stack that was in vain, because a list lags behind, comes again after so many rounds, twice as many, …
_IN_VAIN_ROUNDS, _MOST_ROUNDS = 1, 4
_IN_PROGRESS = sorted(status for status, state in STATES.items() if state.way == "wait")


@dataclass(eq=False, slots=True)
class Watched:
    """A stack that somebody follows. id: the last part of its ARN. looked: when, or since when it is watched.

    in_vain: looks at it that were due since it was not in progress, one after the other.
    """

    id: str
    poller: Poller
    began: float
    looked: float
    in_vain: int = 0
    is_due: bool = False

    def wait(self, *, at_most: float | None = None) -> bool:
        """Returns when it is worth a look; False if it is not after so many seconds."""
        return self.poller.wait(self, at_most)

    def seconds(self) -> float:
        """How long it is watched."""
        return self.poller.seconds_since(self.began)


class Poller:
    """Decides for all stacks that are watched; safe in any number of threads. list_stacks: CloudFormation's."""

    def __init__(self, list_stacks: Callable[..., Any], *, now: Callable[[], float] = time.monotonic) -> None:
        self.stop = threading.Event()
        self._list, self._now = list_stacks, now
        self._watched: list[Watched] = []
        self._changed = threading.Condition()
        self._is_asking = False
        self._next = 0.0
        self._shown = 0.0
        # Of the last list, and whether there may be one at all.
        self._pages, self._may_list = 1, True

    @contextmanager
    def watching(self, stack_id: str) -> Iterator[Watched]:
        """For as long as somebody follows it. stack_id: an ARN, or its last part."""
        now = self._now()
        watched = Watched(stack_id.rpartition("/")[2], self, now, now)
        with self._changed:
            self._watched.append(watched)
            if len(self._watched) == 1:
                self._next = now + _POLL_SECONDS[0]
            elif self._is_small():
                self._next = min(self._next, now + _POLL_SECONDS[0])
            self._changed.notify_all()
        try:
            yield watched
        finally:
            with self._changed:
                self._watched.remove(watched)

    def wait(self, watched: Watched, at_most: float | None) -> bool:
        """As `Watched.wait`."""
        until = None if at_most is None else self._now() + at_most
        while True:
            with self._changed:
                now = self._now()
                if watched.is_due:
                    watched.is_due, watched.looked = False, now
                    return True
                if until is not None and now >= until:
                    return False
                if self._is_asking or now < self._next:
                    ends = [each for each in (None if self._is_asking else self._next, until) if each is not None]
                    self._changed.wait(min(ends) - now if ends else None)
                    continue
                self._is_asking = True
            try:
                self.round()
            finally:
                with self._changed:
                    self._is_asking = False
                    self._next = self._now() + self._pause()
                    self._changed.notify_all()

    def seconds_since(self, then: float) -> float:
        """By the clock that the poller goes by."""
        return self._now() - then

    def round(self) -> None:
        """Asks once for all of them, and decides which are due."""
        listed = self._listed()
        with self._changed:
            for each in self._in_turn() if listed is None else self._ended(listed):
                each.is_due = True

    def _listed(self) -> set[str] | None:
        """The ids of the stacks in progress; None where asking for their events costs no more, or lists are denied."""
        if not self._may_list or self._is_small():
            return None
        found: set[str] = set()
        token: dict[str, str] = {}
        pages = 0
        try:
            while True:
                answer = self._list(StackStatusFilter=_IN_PROGRESS, **token)
                pages += 1
                found |= {each["StackId"].rpartition("/")[2] for each in answer["StackSummaries"]}
                if "NextToken" not in answer:
                    break
                token = {"NextToken": answer["NextToken"]}
        except (BotoCoreError, ClientError) as error:
            # Whoever looks at a stack next meets the same error, if it is one, and says what it is about.
            self._may_list = not is_denied(error)
            return None
        self._pages = pages
        return found

    def _ended(self, listed: set[str]) -> list[Watched]:
        """Those that are in progress no more, and now and then one that is."""
        now, longest = self._now(), _POLL_SECONDS[1]
        due: list[Watched] = []
        for each in self._watched:
            if each.id in listed:
                each.in_vain = 0
                continue
            rounds = min(_MOST_ROUNDS, _IN_VAIN_ROUNDS * 2 ** (each.in_vain - 1)) if each.in_vain else 0
            if now - each.began >= self._pause() and now - each.looked >= rounds * longest:
                each.in_vain += 1
                due.append(each)
        oldest = min(self._watched, key=lambda each: each.looked, default=None)
        if oldest and not due and now - oldest.looked >= _SEEN_SECONDS and now - self._shown >= _ONE_SECONDS:
            self._shown = now
            due.append(oldest)
        return due

    def _in_turn(self) -> list[Watched]:
        """As many as a round may cost, those first that were not looked at for longest."""
        many = max(2, round(_LOOKS_PER_SECOND * _POLL_SECONDS[1]))
        return sorted(self._watched, key=lambda each: each.looked)[:many]

    def _is_small(self) -> bool:
        """Whether to look at each costs no more than a list, and the look at the one of them that has ended."""
        return len(self._watched) <= self._pages + 1

    def _pause(self) -> float:
        """Seconds until the next round: of a few by the youngest, of many by the oldest, since one is always young."""
        shortest, longest = _POLL_SECONDS
        with self._changed:
            since = max if self._is_small() else min
            age = self._now() - since((each.began for each in self._watched), default=0.0)
        return min(longest, max(shortest, age / 4))


_pollers: WeakKeyDictionary[Any, Poller] = WeakKeyDictionary()
_making = threading.Lock()


def poller_of(cloudformation: Any) -> Poller:
    """The one that everybody shares who asks through this client."""
    with _making:
        if cloudformation not in _pollers:
            client: Callable[[], Any] = ref(cloudformation)  # it lives as long as somebody asks through it
            _pollers[cloudformation] = Poller(lambda **options: client().list_stacks(**options))
        return _pollers[cloudformation]
