"""What is shown while stacks are in flight: a table that moves on a terminal, plain lines everywhere else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from aurora_tenants.apply import Pace, Result, Step
from aurora_tenants.aws.stacks import Event
from aurora_tenants.render.stream import Stream, for_rich, row
from aurora_tenants.render.styled import Text
from aurora_tenants.render.text import count, printable

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

_DONE = {"create": "created", "update": "updated", "replace": "created anew", "delete": "removed"}
# Where nothing moves, that a stack begins is only told of so many; of more, what is in flight is told now and then.
_FEW_STACKS = 20
_NOW_AND_THEN_SECONDS = 30.0
# How many of those in flight one line names.
_MOST_NAMES = 5
# Throttling is told again only if it goes on, and no sooner.
_PACE_SECONDS = 60.0
# Of a terminal's lines, those that the table leaves to others: its own first and last, and the cursor's.
_SPARE_LINES = 3


class Board:
    """How far a run is: what has ended, what is in flight and since when. Safe to use from any thread."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = total
        self._clock, self._began = clock, clock()
        self._lock = threading.Lock()
        self._since: dict[str, float] = {}
        self._doing: dict[str, str] = {}
        self._waits: dict[str, str] = {}
        self._results: dict[str, Result] = {}

    def take(self, step: Step) -> bool:
        """Remembers a step; whether it is the first of its stack."""
        part = step.stack.part
        with self._lock:
            is_first = part not in self._since
            self._since.setdefault(part, self._clock())
            if step.result:
                self._results[part] = step.result
            if step.event:
                self._doing[part] = _doing(step.event)
                self._waits.pop(part, None)
            elif step.waits:
                self._waits[part] = printable(step.waits)
            else:
                self._waits.pop(part, None)
            return is_first

    @property
    def seconds(self) -> float:
        """Since it began."""
        return self._clock() - self._began

    def seconds_of(self, part: str) -> float:
        """Since the first step of a stack."""
        with self._lock:
            return self._clock() - self._since[part]

    @property
    def results(self) -> Mapping[str, Result]:
        """Of the stacks that have ended, by part."""
        with self._lock:
            return dict(self._results)

    @property
    def in_flight(self) -> Mapping[str, str]:
        """What each stack that has begun and not ended is doing now or waits for, the one that began first first."""
        with self._lock:
            return {
                part: self._waits.get(part) or self._doing.get(part, "begins")
                for part in self._since
                if part not in self._results
            }

    @property
    def waiting(self) -> Set[str]:
        """Those of them that wait for somebody else."""
        with self._lock:
            return self._waits.keys() - self._results.keys()

    def counts(self) -> str:
        """`45 of 200 done, 2 failed, 14 in flight, 1 waiting, 140 to come; 4 min 05 s`."""
        results, flying, waits = self.results, self.in_flight, len(self.waiting)
        endings = [result.ending for result in results.values()]
        done = endings.count("applied") + endings.count("elsewhere")
        parts = [
            *((endings.count(ending), ending) for ending in ("failed", "not started", "stopped")),
            (len(flying) - waits, "in flight"),
            (waits, "waiting"),
            (self.total - len(results) - len(flying), "to come"),
        ]
        said = "".join(f", {number:,} {what}" for number, what in parts if number > 0)
        return f"{done:,} of {self.total:,} done{said}; {duration(self.seconds)}"


class Progress:
    """Takes the steps of stacks from any thread. A line for each stack when it ends. On a terminal also a table of
    those in flight with what each is doing now; elsewhere a line when one starts, or now and then where there are many.
    """

    def __init__(self, stream: Stream, total: int) -> None:
        self.board = Board(total)
        self._stream = stream
        self._paced = -_PACE_SECONDS
        self._telling = threading.Lock()  # never taken by what draws the table, which waits for nobody who prints
        self._ended = threading.Event()
        self._live: Live | None = self._new_table() if stream.is_terminal else None

    def __enter__(self) -> Progress:
        if self._live:
            self._live.start()
        else:
            threading.Thread(target=self._now_and_then, name="progress", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Takes the table off the terminal; lines are printed as before."""
        self._ended.set()
        if self._live:
            self._live.stop()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Without the table, for a question while nothing is in flight."""
        if self._live:
            self._live.stop()
        yield
        if self._live:
            self._live = self._new_table()  # the one before would be drawn over what was written meanwhile
            self._live.start()

    def _new_table(self) -> Live:
        from rich.live import Live

        return Live(console=self._stream.console, transient=True, refresh_per_second=4, get_renderable=self._table)

    def tell(self, step: Step | Pace) -> None:
        """Shows one step of one stack, or that AWS throttles."""
        with self._telling:
            if isinstance(step, Pace):
                self._tell_pace(step)
                return
            is_first = self.board.take(step)
            if step.result:
                if step.result.ending != "stopped":  # of which there may be hundreds, all at once
                    self._line(self._end(step.result))
            elif is_first and not self._live and self.board.total <= _FEW_STACKS:
                self._line(Text(f"{step.stack.part}: started"))

    def _tell_pace(self, pace: Pace) -> None:
        if self.board.seconds - self._paced >= _PACE_SECONDS:
            self._paced = self.board.seconds
            self._line(Text(pace_sentence(pace)))

    def _end(self, result: Result) -> Text:
        part = result.stack.part
        number = sum(each.ending != "stopped" for each in self.board.results.values())
        head = f"[{number}/{self.board.total}] {part}: "
        seconds = f"{self.board.seconds_of(part):.1f} s"
        if result.ending == "not started":
            return Text(f"{head}not started: {printable(result.problems[0].what)}", "red")
        if result.problems:
            return Text(f"{head}failed after {seconds}: {printable(result.problems[0].what)}", "red")
        if result.ending == "elsewhere":
            return Text(f"{head}already done by another apply, after {seconds}")
        return Text(f"{head}{_DONE[result.stack.action]} in {seconds}")

    def _table(self) -> Group:
        """Never higher than the terminal, so that it is drawn over itself: what does not fit is counted."""
        from rich.console import Group

        height, width = self._stream.size
        flying = list(self.board.in_flight.items())
        room = max(height - _SPARE_LINES, 1)
        shown = flying if len(flying) <= room else flying[: room - 1]
        width = min(max((len(part) for part, _ in shown), default=0), width // 2)
        rows = [row(Text(f"  {part:<{width}.{width}}  ").append(doing, "dim")) for part, doing in shown]
        more = [for_rich(Text(f"  and {len(flying) - len(shown):,} more", "dim"))] if len(shown) < len(flying) else []
        return Group(row(Text(self.board.counts(), "bold")), *rows, *more)

    def _now_and_then(self) -> None:
        while not self._ended.wait(_NOW_AND_THEN_SECONDS):
            flying = list(self.board.in_flight)
            named = ", ".join(flying[:_MOST_NAMES]) + (", …" if len(flying) > _MOST_NAMES else "")
            with self._telling:
                self._line(Text(f"{self.board.counts()}{f': {named}' if named else ''}"))

    def _line(self, text: Text) -> None:
        self._stream.print(text)


class StackProgress:
    """One stack's events as lines, for a stack that takes minutes and of which there is only one."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def tell(self, event: Event) -> None:
        """Shows what has ended; that something begins says little."""
        if not event.status.endswith("_IN_PROGRESS"):
            self._stream.print(f"  {_doing(event)}")


def busy_sentence(busy: Mapping[str, str], seconds: float) -> str:
    """`Waiting up to 180 s until operations have ended: shared-shop (UPDATE_IN_PROGRESS).`"""
    named = [f"{printable(name)} ({status})" for name, status in sorted(busy.items())]
    more = f" and {count(len(named) - _MOST_NAMES, 'more stack')}" if len(named) > _MOST_NAMES else ""
    return f"Waiting up to {seconds:.0f} s until operations have ended: {', '.join(named[:_MOST_NAMES])}{more}."


def pace_sentence(pace: Pace) -> str:
    """`AWS throttles: 12 of the last 60 calls; 9 stacks at once from now on.`"""
    of = f"{pace.throttled:,} of the last {count(pace.calls, 'call')}"
    return f"AWS throttles: {of}; {count(pace.parallel, 'stack')} at once from now on."


def duration(seconds: float) -> str:
    """`12 s`, `4 min 05 s`, `1 h 04 min`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def _doing(event: Event) -> str:
    text = f"{event.status.lower().replace('_', ' ')}: {event.resource}"
    return printable(f"{text} ({event.reason})" if event.status.endswith("_FAILED") and event.reason else text)
