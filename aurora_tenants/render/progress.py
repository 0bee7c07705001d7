"""What is shown while stacks are in flight: a table that moves on a terminal, plain lines everywhere else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from aurora_tenants.apply import Step
from aurora_tenants.aws.stacks import Event
from aurora_tenants.render.text import printable

_DONE = {"create": "created", "update": "updated", "replace": "created anew", "delete": "removed"}


class Progress:
    """Takes the steps of stacks from any thread. One line per stack when it starts and when it ends; on a terminal also
    a table of those in flight with what each is doing now."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._done = 0
        self._started: dict[str, float] = {}
        self._now: dict[str, str] = {}
        self._lock = threading.Lock()
        self._live = Live(console=console, transient=True, refresh_per_second=4) if console.is_terminal else None

    def __enter__(self) -> Progress:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Out of the way of a question, while nothing is in flight."""
        if self._live:
            self._live.stop()
        yield
        if self._live:
            self._live.start()

    def tell(self, step: Step) -> None:
        """Shows one step of one stack."""
        with self._lock:
            if step.stack.part not in self._started:
                self._started[step.stack.part] = time.monotonic()
                if not self._live:
                    self._line(Text(f"{step.stack.part}: started"))
            if step.event:
                self._now[step.stack.part] = _doing(step.event)
            if step.result:
                self._now.pop(step.stack.part, None)
                self._done += 1
                self._line(self._ended(step))
            if self._live:
                self._live.update(self._table())

    def _ended(self, step: Step) -> Text:
        assert step.result is not None
        seconds = time.monotonic() - self._started[step.stack.part]
        head = f"[{self._done}/{self._total}] {step.stack.part}: "
        if step.result.problems:
            return Text(f"{head}failed after {seconds:.1f} s: {printable(step.result.problems[0].what)}", "red")
        return Text(f"{head}{_DONE[step.result.stack.action]} in {seconds:.1f} s")

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for part, doing in sorted(self._now.items()):
            table.add_row(Text(f"  {part}"), Text(doing, "dim"))
        return table

    def _line(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)


class StackProgress:
    """One stack's events as lines, for a stack that takes minutes and of which there is only one."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def tell(self, event: Event) -> None:
        """Shows what has ended; that something begins says little."""
        if not event.status.endswith("_IN_PROGRESS"):
            self._console.print(Text(f"  {_doing(event)}"), soft_wrap=True)


def _doing(event: Event) -> str:
    text = f"{event.status.lower().replace('_', ' ')}: {event.resource}"
    return printable(f"{text} ({event.reason})" if event.status.endswith("_FAILED") and event.reason else text)
