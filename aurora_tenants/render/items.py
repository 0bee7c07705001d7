"""The lines of a tenant in a plan, as text: its heading, and under it a line for each object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from aurora_tenants.mysql.changes import Change
from aurora_tenants.render.stacks import STYLES, symbol
from aurora_tenants.render.styled import Text
from aurora_tenants.render.text import count, printable
from aurora_tenants.tenant.items import Item, reason
from aurora_tenants.tenant.objects import RECORDS
from aurora_tenants.tenant.plan import TenantPlan
from aurora_tenants.tenant.reasons import Line, rule

# Of what begins so, the commonest is said once for all new users of a tenant.
_LIMIT = "max_"
_SHORT = {"file": "file", "drift": "by hand", "spelling": "pattern", "program": "newer version"}


class View(NamedTuple):
    """How much of a plan is shown. verbose: also what this program writes down for itself, and places in the file.

    explain: also the statements, each with the rule behind it. places: of the file. summary: one line for each tenant.
    """

    explain: bool = False
    verbose: bool = False
    summary: bool = False
    places: bool = False


USUAL_VIEW = View()


def tenant_lines(tenant: TenantPlan, items: Sequence[Item], view: View) -> Iterator[Text]:
    """Its heading, and a line for each of its objects; with `summary` all in one."""
    shown = [item for item in items if view.verbose or not item.is_record]
    if view.summary:
        yield _in_short(tenant, shown)
        return
    common = {} if view.verbose or view.places else _common(shown)
    heading = _heading(tenant, items)
    for part in common.values():
        heading.append(f"; {part} where no other is said", "dim")
    yield heading
    is_mixed = len({item.origins for item in shown if item.origins}) > 1
    for item in shown:
        yield from _item(item, view, left_out=common.values(), is_mixed=is_mixed)
    if not shown:
        yield Text("  only what this program writes down for itself: --verbose shows it", "dim")


def _heading(tenant: TenantPlan, items: Sequence[Item]) -> Text:
    sign = symbol(tenant.stack)
    text = Text().append(printable(f"{sign} tenant {tenant.name}"), f"bold {STYLES[sign]}")
    return text.append(f"  {reason(tenant, items)}", "dim")


def _in_short(tenant: TenantPlan, items: Sequence[Item]) -> Text:
    """`~ tenant app  file, by hand: 1 database, 2 users; 1 weaker; 1 DROPPED`."""
    sign = symbol(tenant.stack)
    text = Text().append(printable(f"{sign} tenant {tenant.name}"), f"bold {STYLES[sign]}")
    origins = {origin for item in items for origin in item.origins}
    is_update = tenant.stack.action == "update"
    words = ", ".join(word for origin, word in _SHORT.items() if origin in origins) if is_update else ""
    text.append(f"  {words or reason(tenant, items)}", "dim")
    kinds = Counter(item.kind for item in items)
    text.append(f": {', '.join(count(number, kind) for kind, number in kinds.items())}" if kinds else "")
    if weaker := sum(item.weakens for item in items):
        text.append("; ").append(f"{weaker} weaker", "bold yellow")
    if dropped := sum(item.loses_data for item in items):
        text.append("; ").append(f"{dropped} DROPPED", "bold red")
    return text


def _from_where(item: Item) -> str:
    """What is not the file's doing, where others of the tenant are."""
    if "drift" in item.origins:
        return "partly changed by hand" if len(item.origins) > 1 else "changed by hand"
    return "MySQL takes a name for a pattern" if "spelling" in item.origins else ""


def _common(items: Sequence[Item]) -> dict[str, str]:
    """The limits that new users of a tenant have in common, by what they limit; where each has one or another."""
    users = [item for item in items if item.sign == "+" and item.kind == "user"]
    limits = [
        {part.what.partition(":")[0]: part.what for part in item.parts if part.what.startswith(_LIMIT)}
        for item in users
    ]
    common = {}
    for key in {key: None for each in limits for key in each}:
        if all(key in each for each in limits):
            value, times = Counter(each[key] for each in limits).most_common(1)[0]
            if times > 1:
                common[key] = value
    return common


def _name(item: Item) -> str:
    return printable(f"{item.kind} {item.name}")


def _item(item: Item, view: View, *, left_out: Collection[str], is_mixed: bool) -> Iterator[Text]:
    text = Text("  ").append(f"{item.sign} {_name(item)}", STYLES[item.sign]).append("  ")
    parts = [part for part in item.parts if view.verbose or not part.is_record]
    if item.sign == "+" and item.kind == "user":
        parts = [part for part in parts if str(part) not in left_out]
    for number, part in enumerate(parts):
        text.append("; " if number else "")
        bare = str(part._replace(mark=""))
        text.append(printable(bare), "bold red" if item.loses_data else "")
        text.append(f" ({part.mark})" if part.mark else "", "bold yellow")
    if is_mixed and (where := _from_where(item)):
        text.append(f"  -- {where}", "dim")
    if (view.verbose or view.explain or view.places) and item.where:
        more = f" and {len(item.where) - 1} more" if len(item.where) > 1 else ""
        text.append(printable(f"  {item.where[0].file}:{item.where[0].line}{more}"), "dim")
    text.rstrip()
    yield text
    for sentence in item.relied_on:
        yield Text(printable(f"      careful: {sentence}"), "yellow")
    for line in item.lines if view.explain else ():
        if view.verbose or line.change.action not in RECORDS:
            yield from _explained(line)


def _explained(line: Line) -> Iterator[Text]:
    yield Text(printable(f"      {_statement(line.change)}"))
    yield Text(printable(f"        rule: {rule(line)}"), "dim")


def _statement(change: Change) -> str:
    return f"{change.statement};" + (f"  -- {change.why}" if change.why else "")
