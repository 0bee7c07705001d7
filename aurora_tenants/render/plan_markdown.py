"""A plan as Markdown, to be a comment on a change: dangers first, details folded, never longer than a comment may be.

Whatever anybody has named stands in blocks of code, whose fence is longer than any run of backticks in them, or in
<code> with its characters escaped: it cannot become a heading, a link, a mention or HTML.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence

from aurora_tenants.errors import Problem
from aurora_tenants.plan import Plan, Proposal
from aurora_tenants.render import schedule
from aurora_tenants.render.cost import cost_sentence
from aurora_tenants.render.items import View, tenant_lines
from aurora_tenants.render.output import safe
from aurora_tenants.render.plan import WAITING, compared, group_heading, summary, waiting_text
from aurora_tenants.render.problems import problem_text
from aurora_tenants.render.snapshot import snapshot_sentence
from aurora_tenants.render.text import count, printable
from aurora_tenants.tenant.plan import TenantPlan

# Of a comment on GitHub: "body is too long (maximum is 65536 characters)". In bytes, which are never fewer.
LONGEST = 65_536
# Kept free for the sentence on what is left out.
_RESERVE = 400
_IN_FULL = "`aurora-tenants plan --tenant NAME` or `aurora-tenants plan --output json`"


def plan_markdown(proposal: Proposal, *, file: str, longest: int = LONGEST) -> str:
    """The whole plan, as much of it as fits; what does not is counted, with how to see it. longest: in bytes."""
    plan = proposal.plan
    head = f"### {html.escape(summary(plan))}\n\n"
    if saved_first := plan.saved_first:
        head += f"{html.escape(printable(snapshot_sentence(saved_first, in_groups=plan.rollout is not None)))}\n\n"
    page = _Page(head, longest - _RESERVE)
    for title, found in (("danger", proposal.dangers), ("problem", plan.problems)):
        if found:
            page.add(f"**{count(len(found), title)}**\n\n")
            page.add_entries(title, [_problem(each, title) for each in found])
    for heading, tenants in _in_groups(plan):
        page.add(heading)
        for tenant in tenants:
            items = proposal.items.get(tenant.name, ())
            (line,) = tenant_lines(tenant, items, View(summary=True))
            _, *below = tenant_lines(tenant, items, View(places=True))
            body = "\n".join(_diffed(each.plain) for each in below)
            page.add(_folded(line.plain, body, "diff"), noun="tenant")
    if part := schedule.part(plan.schedule).plain.strip():
        page.add(_folded("pause schedule", part, ""), noun="pause schedule")
    if plan.waiting:
        page.add(_folded(WAITING, "\n".join(waiting_text(each).plain for each in plan.waiting), ""), noun="list")
    if plan.notices:
        notices = [printable(f"{notice.text}  [{notice.code}]") for notice in plan.notices]
        title = f"{count(len(notices), 'notice')}: nothing of it is touched"
        page.add(_folded(title, "\n".join(notices), ""), noun="list of notices")
    last = [compared(proposal, file), *([cost_sentence(proposal.cost)] if proposal.cost else [])]
    page.add(f"{fenced(chr(10).join(last), '')}\n", noun="line on what was compared")
    return page.text()


def _in_groups(plan: Plan) -> Iterator[tuple[str, list[TenantPlan]]]:
    """The tenants that something happens to, under the heading of each group; all under none without groups."""
    if not plan.rollout or not plan.stacks:
        yield "", list(plan.changed)
        return
    changed = {tenant.name: tenant for tenant in plan.changed}
    for group in plan.rollout.groups:
        heading = html.escape(group_heading(group, changed))
        yield f"#### {heading}\n\n", [changed[name] for name in group.tenants if name in changed]


class _Page:
    """What fits on it; what does not is counted by kind."""

    def __init__(self, head: str, longest: int) -> None:
        self._parts, self._size, self._longest = [head], _bytes(head), longest
        self._left_out: dict[str, int] = {}

    def add(self, text: str, *, noun: str = "") -> bool:
        """Whether it fits. noun: what is counted if it does not."""
        if self._size + _bytes(text) > self._longest:
            self._left_out[noun] = self._left_out.get(noun, 0) + 1
            return False
        self._parts.append(text)
        self._size += _bytes(text)
        return True

    def add_entries(self, noun: str, entries: Sequence[str]) -> None:
        """As many entries as fit into the half of what is left, in one block."""
        room = (self._longest - self._size) // 2
        fitting: list[str] = []
        for entry in entries:
            if sum(map(_bytes, fitting)) + _bytes(entry) + 200 > room:
                self._left_out[noun] = self._left_out.get(noun, 0) + 1
            else:
                fitting.append(entry)
        if fitting:
            self.add(f"{fenced(chr(10).join(fitting), '')}\n\n", noun=f"block of {noun}s")

    def text(self) -> str:
        left_out = {noun: number for noun, number in self._left_out.items() if noun}
        if left_out:
            counted = " and ".join(count(number, noun) for noun, number in left_out.items())
            is_one = sum(left_out.values()) == 1
            verb, them = ("does", "it") if is_one else ("do", "them")
            self._parts.append(f"\n**{counted} {verb} not fit here.** To see {them}: {_IN_FULL}.\n")
        return "".join(self._parts)


def fenced(text: str, language: str) -> str:
    """A block of code that nothing in the text ends."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _folded(title: str, body: str, language: str) -> str:
    code = html.escape(printable(title))
    return f"<details><summary><code>{code}</code></summary>\n\n{fenced(_safe(body), language)}\n\n</details>\n\n"


def _safe(text: str) -> str:
    return str(safe(text))


def _diffed(line: str) -> str:
    """A line whose sign is its first character, which is what colours it."""
    match = re.match(r"( +)([+~-]) ", line)
    return f"{'!' if match[2] == '~' else match[2]} {line[match.end() :]}" if match else line


def _problem(problem: Problem, severity: str) -> str:
    return _safe(problem_text(problem, severity="danger" if severity == "danger" else "error").plain)


def _bytes(text: str | Iterable[str]) -> int:
    return len("".join(text).encode())
