"""A question between groups, while a table of what is in flight is shown."""

from __future__ import annotations

import io

from rich.console import Console

from aurora_tenants.apply import Result, Step
from aurora_tenants.render.progress import Progress
from aurora_tenants.render.stream import Stream
from tests.values import stack_plan

UP = "\x1b[1A"


def test_a_question_stays_where_it_was_asked_once_the_table_goes_on():
    out = io.StringIO()
    with Progress(Stream(out, Console(file=out, force_terminal=True, width=80)), 2) as progress:
        progress.tell(Step(stack_plan("a")))
        with progress.aside():
            out.write("Go on?\n")
        progress.tell(Step(stack_plan("a"), result=Result(stack_plan("a"))))
    before, after = out.getvalue().split("Go on?\n")
    assert before.endswith(f"\x1b[?25h\r{UP}\x1b[2K{UP}\x1b[2K")  # the table is gone, and the cursor is there
    assert UP not in after.partition("[1/2] a: updated")[0]
