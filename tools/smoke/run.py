"""All of it in order: says what is about to happen, asks, deploys, asks every probe, deletes.

smoke(Options(...), PROBES, Report(sys.stdout))      the exit code: 0 as expected, 2 something differs, 1 not run
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import botocore
from botocore.exceptions import BotoCoreError, ClientError

from aurora_sandbox import remote
from aurora_sandbox.keys import key_in
from aurora_tenants import __version__
from aurora_tenants.aws.clients import asking, connect
from tools.smoke import cleaning, deployment
from tools.smoke.answers import Answers, Json
from tools.smoke.clock import Clock, RealClock, SandboxClock
from tools.smoke.cost import estimate
from tools.smoke.interrupts import Interrupted, Interrupts
from tools.smoke.probe import NotRun, Probe, Result, judge
from tools.smoke.report import Report
from tools.smoke.world import World, bucket_of

DONE, FAILED, DIFFERS = 0, 1, 2
_LONG_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Options:
    """As on the command line. answers: where they go; None for a file named after the run, in this directory."""

    region: str | None = None
    profile: str | None = None
    yes: bool = False
    answers: Path | None = None
    hide_account: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. problem: why it could not go to its end. left: what could not be deleted."""

    results: tuple[Result, ...]
    problem: str
    left: tuple[str, ...]

    @property
    def code(self) -> int:
        if self.problem or self.left:
            return FAILED
        return DIFFERS if any(result.kind == "differs" for result in self.results) else DONE


def smoke(options: Options, probes: Sequence[Probe], report: Report) -> int:
    """One run in the account of the AWS configuration. Raises AuroraTenantsError if that cannot be used."""
    with opened(options) as world:
        report.tell(announcement(world, options, probes))
        if not options.yes and not _confirmed(report):
            return FAILED
        path = options.answers or Path(f"{world.name}.json").absolute()
        answers = Answers(path, _facts(world), secrets=world.secret_values, hides_account=options.hide_account)
        outcome = ask_all(world, probes, answers, report)
    report.table(outcome.results)
    report.tell(f"The raw answers are in {path}")
    tell_end(outcome, report, world.name)
    return outcome.code


@contextmanager
def opened(options: Options) -> Iterator[World]:
    """The account of the AWS configuration, with a new name. Raises AuroraTenantsError."""
    aws = connect(region=options.region, profile=options.profile)
    with asking("learn which account this is"):
        account = aws.client("sts").get_caller_identity()["Account"]
    name = f"smoke-{secrets.token_hex(4)}"
    clock = clock_of(os.environ)
    with tempfile.TemporaryDirectory(prefix=name) as directory:
        yield World(
            name,
            account,
            aws.region,
            options.profile,
            clock,
            Path(directory),
            is_sandbox=isinstance(clock, SandboxClock),
        )


def clock_of(environ: Mapping[str, str]) -> Clock:
    """The clock of the sandbox that these variables lead to, if there is one; else real time."""
    key = key_in(environ)
    running = remote.at(environ.get("AWS_ENDPOINT_URL", ""), key) if key else None
    if running is None:
        return RealClock()
    ahead = float(remote.clock(running)["ahead_seconds"])
    return SandboxClock(lambda by: remote.clock(running, by), ahead_seconds=ahead)


def ask_all(world: World, probes: Sequence[Probe], answers: Answers, report: Report) -> Outcome:
    """Deploys, asks and judges each probe, and deletes everything, whatever happens in between."""
    results: list[Result] = []
    problem = ""
    watch = deployment.Watch(world.name, world.region, world.profile, world.clock)
    with Interrupts(report.tell) as interrupts:
        try:
            try:
                answers.begin()
                report.tell(f"Deploying {world.name}. If this is killed: script/smoke --clean {world.name}")
                watch.start()
                problem = _deploy(world, watch)
                for probe in probes:
                    _tell_long(probe, world, report)
                    recorded = answers.record(probe.id, asked(probe, world))
                    results.append(judge(probe, recorded))
                    report.result(results[-1])
            finally:
                interrupts.hold()  # a signal in here is caught below, and the next one is held
        except Interrupted as signal:
            problem = f"interrupted by {signal}"
            report.tell(f"Interrupted by {signal}: deleting what was made.")
        finally:
            left = _clean(world, watch, report)
    return Outcome(tuple(results), answers.clean(problem), left)


def _tell_long(probe: Probe, world: World, report: Report) -> None:
    if probe.takes_seconds >= _LONG_SECONDS and not world.is_sandbox:
        report.tell(f"asking {probe.id}, about {probe.takes_seconds} s")


def _deploy(world: World, watch: deployment.Watch) -> str:
    """Deploys the shared stack; why it could not be, empty if it was."""
    ended = world.once("deployed", lambda: deployment.deploy(world))
    if not ended.code:  # it may be up before the first look
        watch.wait()
    world.once("watch", lambda: watch)
    return f"the shared stack could not be deployed: {(ended.out + ended.err)[-1000:]}" if ended.code else ""


def asked(probe: Probe, world: World) -> dict[str, Json]:
    """What a probe says, or why it says nothing; it stops no other."""
    try:
        return {"answer": probe.ask(world)}
    except NotRun as reason:
        return {"not_run": str(reason)}
    except Exception as error:  # whatever an account answers: it is told, and it counts as a difference
        return {"failed": f"{type(error).__name__}: {error}"}


def _clean(world: World, watch: deployment.Watch, report: Report) -> tuple[str, ...]:
    try:
        watch.stop()
        report.tell(f"Deleting everything of {world.name}.")
        return tuple(map(str, cleaning.clean(world.client, world.name, world.clock, report.tell)))
    except (ClientError, BotoCoreError) as error:
        return (f"what there is cannot be found out: {error}",)
    except Interrupted as signal:
        return f"deleting was given up ({signal})", *map(str, cleaning.found(world.client, world.name))


def tell_end(outcome: Outcome, report: Report, name: str) -> None:
    """The last words: what could not be run, and what is left."""
    if outcome.problem:
        report.tell(f"error: {outcome.problem}")
    if outcome.left:
        report.tell("Not everything is deleted, and what is left may cost money:")
        for thing in outcome.left:
            report.tell(f"    {thing}")
        report.tell(f"    all of it: script/smoke --clean {name}")
    else:
        report.tell("Everything that was made is deleted.")


def clean(name: str, options: Options, report: Report) -> int:
    """Deletes what a killed run left behind. Raises AuroraTenantsError, ClientError."""
    aws = connect(region=options.region, profile=options.profile)
    there = cleaning.found(aws.client, name)
    if not there:
        report.tell(f"There is nothing of {name} in {aws.region}.")
        return DONE
    report.tell("\n".join([f"Of {name} there is in {aws.region}:", *(f"    {it.kind} {it.name}" for it in there)]))
    if not options.yes and not _confirmed(report):
        return FAILED
    clock = clock_of(os.environ)
    with Interrupts(report.tell) as interrupts:
        interrupts.hold()
        left = cleaning.clean(aws.client, name, clock, report.tell)
    tell_end(Outcome((), "", tuple(map(str, left))), report, name)
    return FAILED if left else DONE


def announcement(world: World, options: Options, probes: Sequence[Probe]) -> str:
    account = "000000000000" if options.hide_account else world.account
    lines = [
        f"This deploys into account {account}, region {world.region}, and deletes it again at the end:",
        f"    stack {world.name}: a VPC without gateways, an Aurora Serverless v2 cluster of 0 to {deployment.MAX_ACU}",
        "        ACU with one instance, two functions, roles and policies, a queue, a schedule group",
        f"    stacks {world.name}-smoke-a, {world.name}-smoke-b: two tenants; {world.name}-pause-schedule",
        f"    bucket {bucket_of(world.name)}, secrets /{world.name}/…, two schedules, a last snapshot of the cluster",
        f"It asks {len(probes)} probe{'' if len(probes) == 1 else 's'}.",
    ]
    if world.is_sandbox:
        return "\n".join([*lines, "This is a sandbox: it takes a minute and costs nothing."])
    lines += [f"It takes {estimate(probes, world.region)}.", "The credentials have to hold for that long."]
    return "\n".join(lines)


def _confirmed(report: Report) -> bool:
    if not sys.stdin.isatty():
        report.tell("error: this needs to be confirmed, and standard input is no terminal: pass --yes")
        return False
    report.tell("Type yes to go on.")
    if sys.stdin.readline().strip() == "yes":
        return True
    report.tell("Nothing was made.")
    return False


def _facts(world: World) -> dict[str, Json]:
    """What the file of answers says of the run itself."""
    return {
        "name": world.name,
        "account": world.account,
        "region": world.region,
        "is_sandbox": world.is_sandbox,
        "started": world.clock.now().isoformat(timespec="seconds"),
        "versions": {"aurora-tenants": __version__, "botocore": botocore.__version__},
    }
