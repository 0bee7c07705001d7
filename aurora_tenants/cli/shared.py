"""The commands about the shared stack."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from aurora_tenants.cli.deployment import Operator, choose, chosen
from aurora_tenants.cli.group import Group
from aurora_tenants.cli.interrupts import as_interrupts
from aurora_tenants.cli.options import (
    DEFAULT_FILE,
    DISPLAY,
    IN_FLIGHT,
    SHARED_STACK,
    Command,
    Display,
    Format,
    InterruptedInFlight,
    Profile,
    Region,
    ask,
    in_flight,
    teller,
    with_groups,
)
from aurora_tenants.errors import AwsError, Exit, InvalidUsage, Problem

if TYPE_CHECKING:
    from aurora_tenants.aws.clients import Aws
    from aurora_tenants.model import Cluster

CodeBucket = Annotated[
    str | None,
    typer.Option("--code-bucket", help="S3 bucket for the functions' code, as a readable zip.", metavar="BUCKET"),
]
Stack = Annotated[
    str | None,
    typer.Option("--stack", help="Name of the shared stack; otherwise the file's, or shared-global.", metavar="NAME"),
]
FileIfThere = Annotated[
    Path | None,
    typer.Option(
        "--file", "-f", help="The file that names the stack and its region; tenants.yaml if it exists.", metavar="PATH"
    ),
]


@dataclass(frozen=True, slots=True)
class Place:
    """Which shared stack a command is about, and in which account and region."""

    stack: Stack = None
    file: FileIfThere = None
    region: Region = None
    profile: Profile = None

    def cluster(self) -> Cluster:
        """The stack's name and region: as given, else as the file says. Raises InvalidFile, InvalidUsage.

        The file of the usual name is read only if it is there and something is left for it to say. Its account is
        that of its own shared stack, and of no other that was given.
        """
        from aurora_tenants.model import Cluster

        stack, region = self.stack, self.region
        if stack is not None:
            from aurora_tenants.config.names import check_stack

            check_stack(stack)
        if self.file or (DEFAULT_FILE.exists() and not (stack and region)):
            from aurora_tenants import config

            said = config.load(self.file or DEFAULT_FILE).cluster
            stack, region = stack or said.stack, region or said.region
            if stack == said.stack:
                return Cluster(stack, region, account=said.account, account_where=said.account_where)
        return Cluster(stack or SHARED_STACK, region)

    def open(self, located: Callable[[str, str], None], *, to_deploy: bool = False) -> Opened:
        """The account that the stack is in, which `located` is told. Raises AwsError, also for another than the file's.

        One call of STS, before anything else is asked. to_deploy: raises InvalidUsage for a name that is too long.
        """
        from aurora_tenants.aws.clients import connect
        from aurora_tenants.aws.whose import require_account
        from aurora_tenants.config.names import check_stack

        cluster = self.cluster()
        if to_deploy:
            check_stack(cluster.stack, to_deploy=True)
        aws = connect(region=cluster.region, profile=self.profile)
        account = require_account(aws, cluster)
        located(account, aws.region)
        return Opened(aws, cluster.stack, account)


class Opened(NamedTuple):
    """Clients for the account and region that the stack is in, its name, and the account's number."""

    aws: Aws
    stack: str
    account: str


PLACE = Place()
app = typer.Typer(cls=Group)


@app.command("deploy", cls=Command)
@with_groups
def shared_deploy(
    place: Place = PLACE,
    parameter: Annotated[
        list[str] | None,
        typer.Option(help="A parameter of the template as Name=Value; may be repeated.", metavar="NAME=VALUE"),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", help="An Aurora MySQL cluster that there is: its identifier or ARN.", metavar="NAME"),
    ] = None,
    new_cluster: Annotated[bool, typer.Option("--new-cluster", help="Make a cluster, in a stack of its own.")] = False,
    master_secret: Annotated[
        str,
        typer.Option(help="ARN of a secret with the master's username and password, made by hand.", metavar="ARN"),
    ] = "",
    code_bucket: CodeBucket = None,
    inline_code: Annotated[bool, typer.Option("--inline-code", help="Put the code back into the template.")] = False,
    new_stack: Annotated[
        bool, typer.Option("--new-stack", help="A name near that of another shared stack is meant.")
    ] = False,
    notify: Annotated[
        list[str] | None,
        typer.Option(
            "--notify", help="Who gets a mail when a rotation or the provider fails; may be repeated.", metavar="MAIL"
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be done, and stop.")] = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="With --plan: exit 2 when there are changes.")
    ] = False,
    allow_replace: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-replace",
            help="Replace or delete this resource, which holds data; may be repeated.",
            metavar="LOGICAL_ID",
        ),
    ] = None,
    display: Display = DISPLAY,
) -> None:
    """Create or update the shared stack, and a cluster for it. Shows first what it does to every resource, and asks."""
    from aurora_tenants.aws import alarms
    from aurora_tenants.aws.code import CODE_BUCKET
    from aurora_tenants.aws.preparation import prepare
    from aurora_tenants.aws.rollout import execute
    from aurora_tenants.aws.usable import existing, inspector_problem
    from aurora_tenants.render.preview import preview_data
    from aurora_tenants.render.problems import problem_data, problem_text

    out, parameters, addresses = display.open(), _pairs(parameter or ()), alarms.check_addresses(notify or ())
    bucket = _code_bucket(code_bucket, inline_code, parameters)
    wanted = chosen(cluster, new_cluster)
    aws, stack, account = place.open(teller(out, is_json=display.is_json), to_deploy=True)
    deployment = prepare(
        region=aws.region,
        profile=place.profile,
        stack=stack,
        parameters=parameters,
        code_bucket=bucket,
        new_stack=new_stack,
        chosen=wanted,
        master_secret=master_secret,
        choose=choose(out),
    )
    for sentence in deployment.found:
        out.tell(sentence)
    if archive := deployment.archive:
        out.tell(f"The functions' code: bucket {deployment.stack.parameters[CODE_BUCKET]}, key {archive.key}")
        out.tell(f"SHA-256 {archive.sha256}, as Lambda writes it {archive.checksum}")
    allowed = tuple(allow_replace or ())
    operator = Operator(out, deployment, allowed, yes=yes, only_shows=plan, as_json=display.is_json)
    try:
        with as_interrupts():
            changed = execute(deployment, operator)
    except KeyboardInterrupt as error:
        if not operator.has_begun:
            raise
        raise InterruptedInFlight(IN_FLIGHT) from error
    deployed = None if plan else existing(aws.cloudformation, stack)
    problem = inspector_problem(deployed) if deployed else None
    if problem:
        out.tell(problem_text(problem, severity="notice"))
    if deployed and addresses:
        for address in alarms.subscribe(aws, deployed.outputs[alarms.OUTPUT], addresses):
            out.tell(f"{address} gets a mail from AWS Notifications, and is told of failures once its link was opened.")
    elif addresses:
        out.tell(f"{' and '.join(addresses)} would be subscribed to the alarms.")
    if display.is_json:
        where = {"account": account, "region": aws.region}
        notices = [problem_data(problem)] if problem else []
        found, shown = list(deployment.found), preview_data(operator.shown)
        told = {"version": 1, **where, "found": found, "stacks": shown, "is_deployed": changed, "notices": notices}
        out.json(told)
    elif plan:
        out.tell("Nothing was changed." if operator.shown else f"Stack {stack} is up to date.")
    else:
        if archive:
            out.tell("Lambda says the same SHA-256 of both functions.")
        out.result(f"Stack {stack} is deployed." if changed else f"Stack {stack} is up to date: nothing was changed.")
    if plan and detailed_exitcode and operator.shown:
        raise typer.Exit(Exit.CHANGES)


@app.command("status", cls=Command)
@with_groups
def shared_status(place: Place = PLACE, output: Format = "text") -> None:
    """Show the shared stack's state and outputs."""
    from aurora_tenants.aws import alarms, usable
    from aurora_tenants.render.text import printable

    out = Display(output).open()
    aws, stack, account = place.open(teller(out, is_json=output == "json"))
    status = usable.status(aws, stack)
    if topic := status.get(alarms.OUTPUT):
        status |= {"Notified": _notified(aws, topic, usable.deploy_command(stack))}
    if output == "json":
        out.json({"account": account, "region": aws.region, **status})
    else:
        out.result("\n".join(printable(f"{name}: {value}") for name, value in status.items()))


@app.command("delete", cls=Command)
@with_groups
def shared_delete(
    place: Place = PLACE,
    with_cluster: Annotated[
        bool, typer.Option("--with-cluster", help="Also the cluster, if it was made with the shared stack.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete the shared stack, and the cluster only if that is said; refused while tenants are deployed on it."""
    from aurora_tenants.aws import shared
    from aurora_tenants.render.progress import StackProgress

    out = DISPLAY.open()
    aws, stack, _ = place.open(teller(out, is_json=False))
    delete = shared.prepare_deletion(aws, stack, with_cluster=with_cluster)
    about = (
        ", and the cluster with every database in it (a last snapshot is kept)?"
        if with_cluster
        else "? The cluster, with every database in it, stays."
    )
    ask(out, f"Delete stack {stack}{about}", yes=yes)
    with in_flight():
        delete(StackProgress(out.err).tell)
    out.result(f"Stack {stack} is deleted.")


@app.command("template", cls=Command)
def shared_template(
    code_bucket: CodeBucket = None,
    code_zip: Annotated[
        Path | None, typer.Option("--code-zip", help="Write that zip here, to be uploaded.", metavar="PATH")
    ] = None,
    hosted_rotation: Annotated[
        bool, typer.Option("--hosted-rotation", help="Print that of AWS's hosted rotation function instead.")
    ] = False,
) -> None:
    """Print the shared stack's template, for any other tool that deploys CloudFormation."""
    from aurora_tenants import data
    from aurora_tenants.aws import code

    if hosted_rotation:
        if code_bucket is not None or code_zip:
            what, fix = "--hosted-rotation takes no other option", "leave --code-bucket and --code-zip out"
            raise InvalidUsage(Problem("no-code-bucket", what, "its function's code is AWS's", fix))
        typer.echo(data.text("hosted-rotation.yml"), nl=False)
        return
    if code_bucket is None:
        if code_zip:
            what, fix = "--code-zip needs --code-bucket", "name the bucket that the zip is for"
            raise InvalidUsage(Problem("no-code-bucket", what, "the template without it holds the code itself", fix))
        typer.echo(data.text("shared.yml"), nl=False)
        return
    code.check_bucket(code_bucket)
    archive = code.build()
    if code_zip:
        _write(code_zip, archive.content)
        DISPLAY.open().tell(f"The template takes {code_zip} from bucket {code_bucket}, key {archive.key}")
    typer.echo(code.template(code_bucket, archive), nl=False)


def _notified(aws: Aws, topic: str, deploy: str) -> str:
    """Who is told of failures, or why that is not known: the rest of a status is of use without it."""
    from aurora_tenants.aws import alarms

    try:
        return alarms.said(alarms.read(aws, topic), deploy)
    except AwsError as error:
        return f"not known, {error.problems[0].what}; {error.problems[0].fix}"


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InvalidUsage(Problem("cannot-write", f"{path} cannot be written: {error.strerror}")) from error


def _code_bucket(code_bucket: str | None, inline_code: bool, parameters: Mapping[str, str]) -> str | None:
    """Where the functions' code goes: a bucket, "" for the template, None for where it is. Raises InvalidUsage."""
    from aurora_tenants.aws.code import CODE_BUCKET, check_bucket

    if CODE_BUCKET in parameters:
        what, fix = f"{CODE_BUCKET} is not set as a parameter", "pass --code-bucket, which puts the code there, too"
        raise InvalidUsage(Problem("invalid-parameter", what, fix=fix))
    if inline_code and code_bucket is not None:
        what, fix = "--code-bucket and --inline-code contradict each other", "pass one of them"
        raise InvalidUsage(Problem("invalid-bucket", what, fix=fix))
    if code_bucket is not None:  # an empty one, too: a variable that is not set must not bring back packed code
        check_bucket(code_bucket)
    return "" if inline_code else code_bucket


def _pairs(pairs: Iterable[str]) -> Mapping[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise InvalidUsage(Problem("invalid-parameter", f"--parameter {pair} has no value", fix="write Name=Value"))
    return dict(pair.split("=", 1) for pair in pairs)
