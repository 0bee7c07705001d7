"""What a plan costs at thousands of tenants, without MySQL and AWS: CPU and memory of everything that is computed.

    python -m bench.scale [N …] [--once] [--write-docs]        --write-docs: puts the tables into docs/scale.md

Each tenant has one database and three users: an owner (ALL), an application (four privileges) and a report (SELECT on
two tables and on columns of a third). The file is parsed, what is deployed and what MySQL holds is made of it as
values, and `propose` does the rest, for tenants that are all there and for tenants that are all new. Reading MySQL and
CloudFormation is left out; `python -m bench` measures that. Each size has a process of its own, with the garbage
collector off, and every figure is the best of three, or with --once the only one, as CPU.
"""

from __future__ import annotations

import gc
import json
import math
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypeVar

from aurora_tenants import config
from aurora_tenants.aws.clients import Aws
from aurora_tenants.aws.usable import PROVIDER_VERSION
from aurora_tenants.config import declared, yaml_file
from aurora_tenants.inputs import Inputs
from aurora_tenants.model import Configuration
from aurora_tenants.mysql.grants import Grant
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.state import Database, Live, Server, State, User
from aurora_tenants.naming import DIGEST, stack_name, tenant_tags
from aurora_tenants.plan import Proposal
from aurora_tenants.propose import Request, propose
from aurora_tenants.render.plan import plan_text
from aurora_tenants.rotations.rules import NEVER
from aurora_tenants.stack import Deployed, Shared, Stack
from aurora_tenants.tenant.desired import state_of
from aurora_tenants.tenant.parts import parts_of
from aurora_tenants.tenant.secrets import LiveSecret, Secrets
from aurora_tenants.tenant.template import template

DOCUMENT = Path(__file__).parents[1] / "docs" / "scale.md"
SIZES = (1_000, 5_000, 10_000)
SERVER = Server("8.0.42", True, "caching_sha2_password")
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:shared-global-secret-rotation"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Figures:
    """CPU in seconds: of parsing and checking the file, and of the plan with its text. peak_mb: of the process, until
    it has planned what is all there.
    """

    tenants: int
    parsing: float
    nothing: float
    new: float
    peak_mb: float


def main(sizes: Sequence[int], *, times: int, writes: bool) -> None:
    """Prints both tables."""
    found = []
    for size in sizes:
        command = [sys.executable, "-m", "bench.scale", "--times", str(times), str(size)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found.append(Figures(**json.loads(done.stdout)))
        print(f"{size:,} tenants are measured", file=sys.stderr, flush=True)
    tables = {"plan": [_how(times), "", *of_plans(found)], "file": [*of_files()]}
    print("\n\n".join("\n".join(lines) for lines in tables.values()))
    if writes:
        DOCUMENT.write_text(with_tables(DOCUMENT.read_text(), tables))


def with_tables(text: str, tables: dict[str, list[str]]) -> str:
    """The document with these tables in the place of those that are between the markers."""
    for name, lines in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"no markers of {name}")
        text = before + begin + "\n" + "\n".join(lines) + "\n\n" + end + after
    return text


def of_plans(found: Sequence[Figures]) -> Iterator[str]:
    """As Markdown, with the exponent of each column from the first size to the last."""
    yield "| tenants | file parsed and checked, s | nothing to do, s | together | all are new, s | peak memory, MB |"
    yield "|--:|--:|--:|--:|--:|--:|"
    for it in found:
        parts = (it.parsing, it.nothing, it.parsing + it.nothing, it.new)
        yield f"| {it.tenants:,} | {' | '.join(f'{part:.2f}' for part in parts)} | {it.peak_mb:.0f} |"
    first, last = found[0], found[-1]
    if first.tenants == last.tenants:
        return

    def exponent(of: Callable[[Figures], float]) -> str:
        return f"{math.log(of(last) / of(first), last.tenants / first.tenants):.2f}"

    columns: list[Callable[[Figures], float]] = [
        *(lambda it: it.parsing, lambda it: it.nothing, lambda it: it.parsing + it.nothing),
        *(lambda it: it.new, lambda it: it.peak_mb),
    ]
    yield f"| exponent | {' | '.join(map(exponent, columns))} |"


def of_files() -> Iterator[str]:
    """As Markdown: how much of a file a tenant takes, and how many a file has room for."""
    yield "| how they are written | values of a tenant | bytes of a tenant | tenants in a file | what ends it |"
    yield "|---|--:|--:|--:|---|"
    kinds = {
        "one by one": (file_of, 1),
        "with three stages": (lambda count: staged_file_of(count, 3), 3),
        "with twenty stages": (lambda count: staged_file_of(count, 20), 20),
    }
    for name, (make, stages) in kinds.items():
        values, size = (of(make(200)) - of(make(100)) for of in (_values, len))
        each, bytes_each = values / 100 / stages, size / 100 / stages
        by_values, by_bytes = int(yaml_file.MOST_VALUES / each), int(yaml_file.MOST_BYTES / bytes_each)
        limit = f"{yaml_file.MOST_VALUES:,} values" if by_values <= by_bytes else f"{yaml_file.MOST_BYTES:,} bytes"
        most = min(by_values, by_bytes)
        yield f"| {name} | {each:.0f} | {bytes_each:,.0f} | {most:,} | {limit} |"


def _values(text: str) -> int:
    """How many values there are, what has stages once for each, as the limit counts them."""
    document = yaml_file.parse(text, "tenants.yaml")
    size = 0
    for name, body in document.data["tenants"].items():
        stages = declared.stages(body)
        listed = document.size(("tenants", name, "stages")) if stages else 0
        size += (document.size(("tenants", name)) - listed + 1) * max(1, len(stages))
    return size


def file_of(count: int) -> str:
    """A file of so many tenants, each written out."""
    return _file(f"svc{number:05}" for number in range(count))


def staged_file_of(count: int, stages: int) -> str:
    """A file of so many services, each with so many stages."""
    names = ", ".join(f"s{number:02}" for number in range(stages))
    return _file((f"svc{number:05}" for number in range(count)), f"    stages: [{names}]")


def _file(names: Iterable[str], stages: str = "") -> str:
    lines = ["version: 1", "cluster: {stack: shared-global}", "tenants:"]
    for name in names:
        db = f'"{name}-{{stage}}"' if stages else name

        def user(suffix: str, name: str = name) -> str:
            return f'"{name}-{{stage}}{suffix}"' if stages else f"{name}{suffix}"

        lines += [
            f"  {name}:",
            *([stages] if stages else []),
            f"    databases: {{{db}: {{}}}}",
            "    users:",
            f"      {user('')}: {{privileges: [{{permission: ALL, database: {db}}}]}}",
            f"      {user('-app')}: {{privileges: [{{permission: [SELECT, INSERT, UPDATE, DELETE], database: {db}}}]}}",
            f"      {user('-report')}:",
            "        privileges:",
            f"          - {{permission: SELECT, database: {db}, table: a}}",
            f"          - {{permission: SELECT, database: {db}, table: b}}",
            f"          - {{permission: SELECT, database: {db}, table: c, columns: [id, country]}}",
        ]
    return "\n".join(lines) + "\n"


def measured(size: int, times: int) -> Figures:
    """Of so many tenants, in this process."""
    for module in (declared, yaml_file):
        vars(module)["MOST_VALUES"] = 10**9  # what a file may hold is another question than what it costs
    gc.disable()
    text = file_of(size)
    parsing, configuration = _best(lambda: config.parse(text, "tenants.yaml"), times)
    deployed, live, secrets = everything(configuration)
    peak = 0.0

    def plan_nothing() -> Proposal:
        nonlocal peak
        proposal = proposed(configuration, deployed, live, secrets)
        peak = peak or _peak_mb()
        return proposal

    nothing, proposal = _best(plan_nothing, times)
    assert not proposal.plan.changed
    before = Live(SERVER, State()), secrets._replace(by_name={})
    new, proposal = _best(lambda: proposed(configuration, Deployed(deployed.shared, {}), *before), times)
    assert len(proposal.plan.changed) == size
    return Figures(size, parsing, nothing, new, peak)


def _peak_mb() -> float:
    """The most memory that this process had until now; macOS counts bytes, Linux kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _best(act: Callable[[], T], times: int) -> tuple[float, T]:
    """The least CPU of some tries, in seconds, and what came of the last."""
    least, result = math.inf, None
    for _ in range(times):
        began = time.process_time()
        result = act()
        least = min(least, time.process_time() - began)
    assert result is not None
    return least, result


def proposed(configuration: Configuration, deployed: Deployed, live: Live, secrets: Secrets) -> Proposal:
    """The plan, after its text was made. Nothing is asked of AWS."""
    assert deployed.shared is not None
    inputs = Inputs(
        aws=Aws("eu-west-1", None, None, lambda _: None),
        configuration=configuration,
        shared=deployed.shared,
        deployed=deployed,
        live=live,
        account="123456789012",
        secrets=secrets,
    )
    proposal = propose(inputs, Request(file=Path("tenants.yaml")))
    assert plan_text(proposal, file="tenants.yaml").plain
    return proposal


def everything(configuration: Configuration) -> tuple[Deployed, Live, Secrets]:
    """What there is once all of a file is applied."""
    cluster, now = configuration.cluster, datetime.now(UTC)
    stacks: dict[str, Stack] = {}
    by_name: dict[str, LiveSecret] = {}
    databases, users, grants = dict[str, Database](), dict[Account, User](), set[Grant]()
    for tenant in configuration.tenants:
        made, name = template(cluster, tenant), stack_name(cluster, tenant.name)
        held = state_of(made.resources, name, SERVER)
        databases |= held.databases
        users |= held.users
        grants |= held.grants
        outputs = {DIGEST: made.digest}
        for parts in parts_of(made.resources):
            arn = f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{parts.name}-AbCdEf"
            outputs[parts.secret] = arn
            rules = parts.rules or NEVER
            secret = LiveSecret(parts.name, arn, rotates=True, function=FUNCTION, days=rules.days)
            secret = secret._replace(schedule=rules.expression, duration=f"{rules.hours}h")
            by_name[parts.name] = secret._replace(rotated=now, changed=now)
        tags, parameters = tenant_tags(cluster, tenant.name), {"Revision": "1"}
        stacks[tenant.name] = Stack(name, "CREATE_COMPLETE", tags=tags, parameters=parameters, outputs=outputs)
    shared = Shared(
        cluster.stack, "arn", "secret", PROVIDER_VERSION, status="UPDATE_COMPLETE", rotation_function=FUNCTION
    )
    live = Live(SERVER, State(databases, users, frozenset(grants)))
    return Deployed(shared, stacks), live, Secrets(by_name, FUNCTION, now)


def _how(times: int) -> str:
    """When, on what, and how this was measured."""
    machine = f"{platform.system()} on {platform.machine()}, Python {platform.python_version()}"
    best = f"the best of {times}" if times > 1 else "measured once"
    return f"CPU of one process, {best}, by `python -m bench.scale` on {date.today():%Y-%m-%d}: {machine}."


if __name__ == "__main__":
    arguments = sys.argv[1:]
    numbers = [int(it) for it in arguments if not it.startswith("--")]
    if "--times" in arguments:  # a process of its own, for one size
        print(json.dumps(asdict(measured(numbers[1], numbers[0]))))
    else:
        main(numbers or SIZES, times=1 if "--once" in arguments else 3, writes="--write-docs" in arguments)
