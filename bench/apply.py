"""What an apply costs, how well it uses its lanes, and what it does where AWS does not do as hoped; in the sandbox.

    .venv/bin/python -m bench.apply [lanes | capped | throttled | lost | twice …]

lanes       stacks that take 45 s, in 1, 20 and 50 lanes: calls, and how late an end is noticed
capped      20 lanes of stacks that take 20 s, where CloudFormation takes 5 calls a second
throttled   200 small stacks, where 20 % and 50 % of CloudFormation's calls are throttled
lost        each call of a whole apply, to any service, dropped before and after it took effect: create, update, delete
twice       two applies of one file at the same time, 20 times

Calls and shares are what matters; seconds are those that the stacks are made to take, and of this machine besides.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.world import PROGRAM
from tests.cloud import Cloud, deployed, empty
from tests.endpoint import environment

# Runs plans in a process of its own, and says when each stack ended, and what was told of throttling.
CHILD = """
import json, sys, time
from aurora_tenants.apply import apply
from aurora_tenants.aws.clients import connect
from aurora_tenants.stack import StackPlan
asked = json.load(sys.stdin)
aws = connect(region=None, profile=None)
ended, paces, began = {}, [], time.time()
def tell(step):
    if hasattr(step, "throttled"):
        paces.append([time.time() - began, step.throttled, step.calls, step.parallel])
    elif step.result:
        ended[step.stack.name] = time.time()
status = "CREATE_COMPLETE" if asked["action"] == "update" else ""  # as a plan has it
plans = [
    StackPlan(name, name, name, asked["action"], template=asked["template"] % name, status=status)
    for name in asked["names"]
]
results = apply(plans, aws.cloudformation, parallel=asked["lanes"], allow_drop=(), tell=tell, rate=aws.rate)
failed = [problem.what for result in results for problem in result.problems]
json.dump({"seconds": time.time() - began, "ended": ended, "paces": paces, "failed": failed}, sys.stdout)
"""
GROUP = '{"Resources": {"Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "%s"}}}}'
CHANGED = GROUP[:-1] + ', "Outputs": {"A": {"Value": "b"}}}'
FOLLOWING = ("ListStacks", "DescribeStackEvents")


def measured(cloud: Cloud, lanes: int, names: Sequence[str], action: str, template: str) -> dict[str, Any]:
    """One apply of these stacks, with what CloudFormation was asked, and from when to when each was in flight there."""
    before = of_stacks(cloud)
    asked = {"lanes": lanes, "names": names, "action": action, "template": template}
    command = [sys.executable, "-c", CHILD]
    child = subprocess.run(command, input=json.dumps(asked), stdout=subprocess.PIPE, text=True, check=True)
    told: dict[str, Any] = json.loads(child.stdout)
    told["calls"] = of_stacks(cloud) - before
    cloud.clear()
    told["spans"] = {name: span(cloud, name) for name in names}
    return told


def of_stacks(cloud: Cloud) -> Counter[str]:
    """The calls to CloudFormation, by operation."""
    counted = cloud.calls().items()
    return Counter({key.partition(":")[2]: count for key, count in counted if key.startswith("cloudformation:")})


def span(cloud: Cloud, name: str) -> tuple[float, float]:
    """When the last operation on a stack began and ended, by its own events."""
    events = cloud.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    own = [
        (each["Timestamp"].timestamp(), each["ResourceStatus"]) for each in events if each["LogicalResourceId"] == name
    ]
    end = next(at for at, status in own if not status.endswith("_IN_PROGRESS"))
    return next(at for at, status in own if status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")), end


def in_flight(spans: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """How many stacks were in progress on average, and at most, from the first's beginning to the last one's."""
    edges = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    until = max(begin for begin, _ in spans)
    now, most, total = 0, 0, 0.0
    for (at, step), (following, _) in pairwise(edges):
        now += step
        most = max(most, now)
        total += now * (min(following, until) - min(at, until))
    return total / max(until - edges[0][0], 0.001), most


def line(told: dict[str, Any], lanes: int, what: str) -> None:
    """Prints what one apply came to."""
    made, spans = told["calls"], told["spans"]
    late = sorted(told["ended"][name] - end for name, (_, end) in spans.items() if name in told["ended"])
    following = sum(made[name] for name in FOLLOWING)
    # Without the time in which lanes fill for the first time: as long as that takes, there is nothing to follow.
    filled = sorted(begin for begin, _ in spans.values())[min(lanes, len(spans)) - 1]
    mean, most = in_flight([(max(begin, filled), max(end, filled)) for begin, end in spans.values()])
    print(
        f"{what:>22} {lanes:>3} lanes {len(spans):>4} stacks {told['seconds']:>6.1f} s  "
        f"calls a stack {made.total() / len(spans):>5.1f}  calls/s {made.total() / told['seconds']:>5.2f}  "
        f"following/s {following / told['seconds']:>5.2f}  in flight {mean:>5.1f} ({most:.0f})  "
        f"late {late[len(late) // 2]:>5.2f} s, at most {late[-1]:>5.2f} s",
        flush=True,
    )
    print(" " * 23, ", ".join(f"{name} {count}" for name, count in made.most_common()), flush=True)
    for at, throttled, calls, parallel in told["paces"][:3]:
        print(f"{'':>23} after {at:.1f} s: throttled {throttled} of {calls}, {parallel} stacks at once", flush=True)
    if told["failed"]:
        print(f"{'':>23} failed: {told['failed'][:3]}", flush=True)


def names_of(count: int, prefix: str) -> list[str]:
    return [f"{prefix}-{at:03}" for at in range(count)]


LANES = ((1, 2), (20, 60), (50, 100))


def lanes(cloud: Cloud) -> None:
    """Each number of lanes with so many stacks."""
    for count, stacks in LANES:
        names = names_of(stacks, f"lanes-{count}")
        for action, template in (("create", GROUP), ("update", CHANGED)):
            cloud.meet("slow-stacks", seconds=45)
            line(measured(cloud, count, names, action, template), count, f"{action}, 45 s")


def capped(cloud: Cloud) -> None:
    names = names_of(100, "capped")
    for action, template in (("create", GROUP), ("update", CHANGED)):
        cloud.meet("slow-stacks", seconds=20)
        cloud.meet("limit", service="cloudformation", per_second=5)
        line(measured(cloud, 20, names, action, template), 20, f"{action}, 20 s, 5 calls/s")


def throttled(cloud: Cloud) -> None:
    for percent in (20, 50):
        names = names_of(200, f"throttled-{percent}")
        for action, template in (("create", GROUP), ("update", CHANGED)):
            cloud.meet("throttle", service="cloudformation", rate=percent / 100, seed=13)
            line(measured(cloud, 15, names, action, template), 15, f"{action}, {percent} % throttled")


FILE = """version: 1
cluster: {stack: shared-global}
tenants:
"""
TENANT = "  %s: {databases: {%s: {adopt: true}}, users: {%s: {privileges: [{permission: %s, database: %s}]}}}\n"


def tenants(names: Sequence[str], permission: str = "ALL") -> str:
    return FILE + "".join(TENANT % (name, name, name, permission, name) for name in names)


def run(directory: Path, text: str) -> subprocess.Popen[str]:
    (directory / "tenants.yaml").write_text(text)
    command = [*PROGRAM, "apply", "--yes"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, cwd=directory, text=True, **pipes)  # type: ignore[call-overload,no-any-return]


STEPS: Sequence[tuple[str, str]] = (
    ("create", tenants(["keep", "shop"])),
    ("update", tenants(["keep", "shop"], "SELECT")),
    ("delete", tenants(["keep"], "SELECT")),
)


def lost(cloud: Cloud) -> None:
    failed = total = 0
    with tempfile.TemporaryDirectory() as name:
        for fault in ("drop-before", "drop-after"):
            nth, happened = 0, 1
            while happened:
                nth, happened = nth + 1, 0
                for action, text in STEPS:
                    cloud.meet(fault, by="user", nth=nth)
                    child = run(Path(name), text)
                    said = child.communicate()[0]
                    happened += sum(told["happened"] for told in cloud.faults())
                    cloud.clear()
                    total += 1
                    if child.returncode:
                        failed += 1
                        print(f"{action}, call {nth}, {fault}: exit {child.returncode}: {said[-400:]}", flush=True)
            print(f"{fault}: {nth - 1} calls, one by one", flush=True)
    print(f"lost answers: {failed} of {total} applies failed", flush=True)


def twice(cloud: Cloud) -> None:
    endings = Counter[str]()
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        for at in range(20):
            shops = [f"shop{at:02}{letter}" for letter in "abc"]
            cloud.meet("slow-stacks", seconds=1)
            text = tenants(["keep", *shops]) if at % 2 == 0 else tenants(["keep"], "SELECT" if at % 4 == 1 else "ALL")
            both = [run(Path(first), text), run(Path(second), text)]
            for child in both:
                said = child.communicate()[0]
                endings[f"exit {child.returncode}"] += 1
                if child.returncode:
                    print(f"round {at}: {said[-600:]}", flush=True)
    print(f"two applies at once: {dict(endings)}", flush=True)


SCENARIOS: dict[str, Callable[[Cloud], None]] = {
    each.__name__: each for each in (lanes, capped, throttled, lost, twice)
}


@contextmanager
def sandbox(name: str) -> Iterator[Cloud]:
    """lost, twice: with the shared stack, and what it takes along."""
    with tempfile.TemporaryDirectory() as directory:
        start = deployed if name in ("lost", "twice") else empty
        with start(Path(directory)) as cloud, environment({**os.environ, **cloud.environment}):
            yield cloud


if __name__ == "__main__":
    for chosen in sys.argv[1:] or SCENARIOS:
        with sandbox(chosen) as running:
            SCENARIOS[chosen](running)
