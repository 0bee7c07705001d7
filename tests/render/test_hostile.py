"""What somebody called a thing, so that it would be obeyed or not be seen: it is written out wherever it is printed."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from aurora_tenants.apply import Result, Step
from aurora_tenants.aws.stacks import Event
from aurora_tenants.doctor.finding import Finding
from aurora_tenants.errors import Location, Problem
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.state import Database, Live, State, User
from aurora_tenants.preview import Change, Difference, Preview
from aurora_tenants.render.doctor import doctor_data, doctor_text
from aurora_tenants.render.output import Output
from aurora_tenants.render.plan import plan_text
from aurora_tenants.render.plan_json import plan_data
from aurora_tenants.render.preview import preview_data, preview_text
from aurora_tenants.render.problems import problem_data, problem_text
from aurora_tenants.render.progress import Progress, StackProgress
from aurora_tenants.render.stream import Stream
from aurora_tenants.render.styled import Text
from tests.render.printed import text_of
from tests.render.test_plan import of_nobody
from tests.values import EMPTY, stack_plan

FORGED = "\nNo changes: all is well."
ODD = {
    "escape sequence": "\x1b[2J\x1b]0;title\x07\x1b]8;;http://x\x1b\\",
    "C1 control": "\x9b2J\x85",
    "carriage return, backspace, tab, NUL, DEL": "\r\b\t\0\x7f",
    "line separators": "\u2028\u2029\x0b\x0c",
    "turned direction": "\u202egnp\u2066\u200f",
    "no width": "\u200b\u200d\ufeff\u2060\u034f\ufe0f\U000e0041\U000e0101",
    "blank that is a letter": "\u3164\u115f\u2800",
    "line of its own": FORGED,
}
# What is no danger to a terminal is shown as it is: markup of rich, of HTML, of Markdown.
PLAIN = "[red]a[/red] <b>&amp;| `x` @everyone [y](http://z) é 中"


def check(text: str) -> None:
    """Nothing in it but characters that are seen, and no line that begins like one of the program's own."""
    hidden = [c for c in text if c != "\n" and (not c.isprintable() or c in "\u034f\ufe0f\u3164\u115f\u2800\U000e0101")]
    assert hidden == []
    assert "\nNo changes: all is well." not in text
    assert "a" in text


def check_json(value: object) -> None:
    out = io.StringIO()
    Output(out=out).json(value)
    text = out.getvalue()
    assert text.isascii() and [c for c in text if c < " " and c != "\n"] == [] and "\x7f" not in text
    assert json.loads(text) == value


@pytest.fixture(params=ODD.values(), ids=ODD.keys())
def odd(request: pytest.FixtureRequest) -> str:
    return f"a{request.param}z"


def test_names_from_mysql_in_a_plan(odd: str):
    users = {account: User(account) for account in (Account(odd), Account("a", odd))}
    proposal = of_nobody(Live(EMPTY.server._replace(version=odd), State({odd: Database(odd)}, users)))
    check(text_of(plan_text(proposal, file="tenants.yaml")))
    check_json(plan_data(proposal))


def test_problems_in_every_field(odd: str):
    problem = Problem("code", odd, odd, odd, Location(odd, 1, 2), odd)
    for severity in ("error", "danger"):
        check(text_of(problem_text(problem, severity=severity)))
    check_json(problem_data(problem))


def test_what_cloudformation_says_of_a_change(odd: str):
    difference = Difference(odd, odd, odd + "b", odd)
    preview = Preview("stack", False, (Change(odd, odd, "change", differences=(difference,)),))
    check(text_of(preview_text([preview])))
    check_json(preview_data([preview]))


def test_what_cloudformation_says_meanwhile(odd: str):
    out = io.StringIO()
    stream = Stream(out)
    event = Event("shared-shop", odd, "Custom::Database", "CREATE_FAILED", odd)
    StackProgress(stream).tell(event)
    progress, plan = Progress(stream, 1), stack_plan("shop")
    progress.tell(Step(plan, event))
    progress.tell(Step(plan, result=Result(plan, problems=(Problem("x", odd),))))
    check(out.getvalue())


def test_what_doctor_finds(odd: str):
    findings = [Finding("check", "problem", odd, odd, odd)]
    check(text_of(doctor_text(findings)))
    check_json(doctor_data(findings, stack=odd, account="", region=""))


def test_whatever_else_is_printed(odd: str):
    err = io.StringIO()
    Output(err=err).tell(odd)
    check(err.getvalue())
    if FORGED not in odd:  # a result may have several lines
        check(text_of(odd) + text_of(Text("x").append(odd, "red").append("y")))


def test_colours_stay_around_what_is_written_out():
    out = io.StringIO()
    console = Output(out=out)
    colours = Console(file=out, force_terminal=True, color_system="standard", markup=False, highlight=False)
    console.out = Stream(out, colours)
    console.result(Text("a").append("b\x1bc", "red").append("d"))
    assert out.getvalue().replace("\x1b[31m", "<").replace("\x1b[0m", ">").replace("><", "") == "a<b\\x1bc>d\n"


def test_markup_of_any_kind_is_text():
    assert text_of(PLAIN) == f"{PLAIN}\n"
    assert text_of(problem_text(Problem("x", PLAIN))) == f"error: {PLAIN}  [x]\n"


def test_no_name_ends_a_block_of_code_that_a_plan_is_quoted_in():
    odd = "a\n```\n<img src=x>\n@everyone"
    made = of_nobody(Live(EMPTY.server, State(users={Account(odd): User(Account(odd))})))
    lines = text_of(plan_text(made, file="tenants.yaml")).splitlines()
    assert [line for line in lines if line.lstrip().startswith(("```", "<", "@"))] == []
