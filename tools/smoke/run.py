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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import botocore

from aurora_sandbox import remote
from aurora_sandbox.keys import key_in
from aurora_tenants import __version__
from aurora_tenants.aws.clients import Aws, asking, connect
from aurora_tenants.errors import AwsError
from tools.smoke import cleaning, deployment, login
from tools.smoke.answers import Answers, Json, require_new
from tools.smoke.clock import Clock, RealClock, SandboxClock
from tools.smoke.cost import estimate
from tools.smoke.finding import Clients, Found, look
from tools.smoke.interrupts import Interrupted, Interrupts
from tools.smoke.probe import NotRun, Probe, Result, judge
from tools.smoke.report import Report
from tools.smoke.world import Place, World, bucket_of

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
    if options.answers:
        require_new(options.answers)
    with opened(options) as world:
        report.tell(announcement(world, options, probes))
        if not _can_clean(world, report):
            return FAILED
        if not options.yes and not _confirmed(report):
            return FAILED
        path = options.answers or Path(f"{world.name}.json").absolute()
        answers = Answers(path, _facts(world), secrets=world.secret_values, hides_account=options.hide_account)
        outcome = ask_all(world, probes, answers, report)
    report.table(outcome.results)
    report.tell(f"The raw answers are in {path}")
    tell_end(outcome, report, world.place)
    return outcome.code


def _can_clean(world: World, report: Report) -> bool:
    """Whether what costs money could be found again. What could not is told before anything is made."""
    there = look(world.client, world.place)
    if not there.unknown:
        return True
    report.tell("What cannot be looked for now could not be deleted in the end:")
    for line in Found((), there.unknown).lines():
        report.tell(f"    {line}")
    if {it.kinds for it in there.unknown} & {"stacks", "clusters"}:
        report.tell("error: without these lists nothing can be deleted. Nothing was made.")
        return False
    return True


@contextmanager
def opened(options: Options) -> Iterator[World]:
    """The account of the AWS configuration, with a new name. Raises AuroraTenantsError."""
    aws = _connected(options)
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


def _connected(options: Options) -> Aws:
    """Raises AwsError, which says what to do with this program's own options."""
    try:
        return connect(region=options.region, profile=options.profile)
    except AwsError as error:
        fix = "pass --region, or set AWS_REGION or AWS_DEFAULT_REGION"
        told = [replace(it, fix=fix) if it.code == "no-region" else it for it in error.problems]
        raise AwsError(*told) from error


def clock_of(environ: Mapping[str, str]) -> Clock:
    """The clock of the sandbox that these variables lead to, if there is one; else real time."""
    key = key_in(environ)
    running = remote.at(environ.get("AWS_ENDPOINT_URL", ""), key) if key else None
    if running is None:
        return RealClock()
    ahead = float(remote.clock(running)["ahead_seconds"])
    return SandboxClock(lambda by: remote.clock(running, by), ahead_seconds=ahead)


def ask_all(world: World, probes: Sequence[Probe], answers: Answers, report: Report) -> Outcome:
    """Deploys, asks and judges each probe, and deletes everything, whatever happens in between.

    Raises OSError if the answers cannot be written at all: nothing is made then.
    """
    results: list[Result] = []
    problem = ""
    answers.begin()
    watch = deployment.Watch(world.name, world.region, world.profile, world.clock)
    with Interrupts(report.tell) as interrupts:
        try:
            try:
                problem = _ask_each(world, probes, answers, report, watch, results)
            finally:
                interrupts.hold()  # a signal in here is caught below, and the next one is held
        except Interrupted as signal:
            problem = f"interrupted by {signal}"
            report.tell(f"Interrupted by {signal}: deleting what was made.")
        except Exception as error:  # whatever it is: what was made is deleted, and the end is told
            problem = f"{type(error).__name__}: {error}"
            report.tell(answers.clean(f"{problem}: deleting what was made."))
        left = _clean(world, watch, report)
    return Outcome(tuple(results), answers.clean(problem), left)


def _ask_each(
    world: World,
    probes: Sequence[Probe],
    answers: Answers,
    report: Report,
    watch: deployment.Watch,
    results: list[Result],
) -> str:
    """Deploys and asks; results: those of the probes, added one by one. Why it could not go to its end, else empty."""
    report.tell(f"Deploying {world.name}. If this is killed: {world.place.hint}")
    watch.start()
    problem = _deploy(world, watch)
    for probe in probes:
        if problem != login.WHY:
            _tell_long(probe, world, report)
        recorded = {"not_run": login.WHY} if problem == login.WHY else asked(probe, world)
        if login.has_expired(recorded):  # an answer about the caller, and about nothing else
            problem, recorded = login.WHY, {"not_run": login.WHY}
            report.tell("The credentials have expired: no other probe is asked.")
        recorded = answers.record(probe.id, recorded)
        results.append(judge(probe, recorded))
        report.result(results[-1])
    return problem


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
    """Deletes everything; what is left, for people. Raises nothing: whatever goes wrong is part of that."""
    try:
        watch.stop()
        report.tell(f"Deleting everything of {world.name}.")
        return cleaning.clean(_afresh(world), world.place, world.clock, report.tell).lines()
    except Interrupted as signal:
        return (f"deleting was given up ({signal})", *_glance(world.client, world.place))
    except Exception as error:  # told at the end, with the command that tries again
        return (f"deleting ended with {type(error).__name__}: {error}", *_glance(world.client, world.place))


def _afresh(world: World) -> Clients:
    """Clients with what the configuration has now: somebody may have logged in again meanwhile."""
    made: dict[str, Any] = {}
    aws = connect(region=world.region, profile=world.profile)

    def client(service: str) -> Any:
        if service not in made:
            made[service] = aws.client(service)
        return made[service]

    return client


def _glance(clients: Clients, place: Place) -> tuple[str, ...]:
    try:
        return look(clients, place).lines()
    except Interrupted:  # one more signal: it is not to be waited for
        return ("what there is was not looked for",)


def tell_end(outcome: Outcome, report: Report, place: Place) -> None:
    """The last words of a run: why it could not go to its end, and what is left."""
    if outcome.problem:
        report.tell(f"error: {outcome.problem}")
    if outcome.left:
        report.tell("Not everything is deleted, and what is left may cost money:")
        for thing in outcome.left:
            report.tell(f"    {thing}")
        first = "log in again, then " if any(login.WHY in it for it in outcome.left) else ""
        report.tell(f"    {first}all of it: {place.hint}")
    else:
        report.tell("Everything that was made is deleted.")


def clean(name: str, options: Options, report: Report) -> int:
    """Deletes what a killed run left behind. Raises AuroraTenantsError."""
    aws = _connected(options)
    place = Place(name, aws.region, options.profile)
    there = look(aws.client, place)
    if not there.lines():
        report.tell(f"There is nothing of {name} in {aws.region}. No other region was looked in: --region names one.")
        return DONE
    report.tell(
        "\n".join([f"Of {name} there is in {aws.region}:", *(f"    {it.kind} {it.name}" for it in there.things)])
    )
    for line in Found((), there.unknown).lines():
        report.tell(f"    {line}")
    if not options.yes and not _confirmed(report, "Nothing was deleted."):
        return FAILED
    clock = clock_of(os.environ)
    left: tuple[str, ...]
    with Interrupts(report.tell) as interrupts:
        interrupts.hold()
        try:
            left = cleaning.clean(aws.client, place, clock, report.tell).lines()
        except Interrupted as signal:
            left = (f"deleting was given up ({signal})", *_glance(aws.client, place))
    tell_end(Outcome((), "", left), report, place)
    return FAILED if left else DONE


def announcement(world: World, options: Options, probes: Sequence[Probe]) -> str:
    account = "000000000000" if options.hide_account else world.account
    lines = [
        f"This deploys into account {account}, region {world.region}, and deletes it again at the end:",
        f"    stack {world.name}-cluster: a VPC without gateways, an Aurora Serverless v2 cluster of 0 to",
        f"        {deployment.MAX_ACU} ACU with one instance",
        f"    stack {world.name}: two functions, roles and policies, a queue, a schedule group",
        f"    stacks {world.name}-smoke-a, {world.name}-smoke-b: two tenants; {world.name}-pause-schedule",
        f"    bucket {bucket_of(world.name)}, secrets /{world.name}/…, two schedules, a last snapshot of the cluster",
        f"It asks {len(probes)} probe{'' if len(probes) == 1 else 's'}.",
    ]
    lines += [f"{probe.id} {probe.disturbs}." for probe in probes if probe.disturbs]
    if world.is_sandbox:
        return "\n".join([*lines, "This is a sandbox: it takes a minute and costs nothing."])
    told = estimate(probes, world.region)
    lines += [f"It takes {told}.", "The credentials have to hold for that long."]
    if login.ends(profile=options.profile):
        lines += [
            f"These are a session's, and nothing renews them: if they end within {told.minutes} minutes, the cluster",
            f"stays, and costs money until somebody has logged in again and run: {world.place.hint}",
        ]
    return "\n".join(lines)


def _confirmed(report: Report, if_not: str = "Nothing was made.") -> bool:
    if not sys.stdin.isatty():
        report.tell("error: this needs to be confirmed, and standard input is no terminal: pass --yes")
        return False
    report.tell("Type yes to go on.")
    if sys.stdin.readline().strip() == "yes":
        return True
    report.tell(if_not)
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
