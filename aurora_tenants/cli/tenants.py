"""The commands about tenants.yaml: validate, schema, plan, apply, env. What each is for stands in cli/commands.py."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from aurora_tenants.cli.interrupts import as_interrupts
from aurora_tenants.cli.options import (
    DISPLAY,
    PLAN_DISPLAY,
    TARGET,
    AcuPrice,
    Display,
    PlanDisplay,
    SnapshotWait,
    Target,
    given_price,
    is_given,
    teller,
)
from aurora_tenants.cli.saved import DANGERS, Dangers, Out, Saved
from aurora_tenants.errors import AuroraTenantsError, Exit, InvalidUsage, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aurora_tenants.inputs import Reading
    from aurora_tenants.model import Configuration, Rollout, Tenant
    from aurora_tenants.plan import Proposal
    from aurora_tenants.render.items import View
    from aurora_tenants.render.output import Output


Tenants = Annotated[
    list[str] | None,
    typer.Option("--tenant", help="Only this tenant, or pause-schedule; may be repeated.", metavar="NAME"),
]
Group = Annotated[
    str | None, typer.Option("--group", help="Only the tenants of this group of the rollout.", metavar="NAME")
]
Secret = Annotated[
    str | None, typer.Option(help="ARN of a secret to read MySQL with, instead of the inspector's.", metavar="ARN")
]
Wait = Annotated[
    float,
    typer.Option(
        "--wait",
        min=0,
        max=3600,
        help="Seconds that the cluster may take to wake, and stacks to come to rest.",
        metavar="SECONDS",
    ),
]

Logins = Annotated[
    bool,
    typer.Option(
        "--logins",
        help="Also try every user's login: reads each secret (secretsmanager:GetSecretValue), two calls for each user.",
    ),
]


@dataclass(frozen=True, slots=True)
class Mysql:
    """How MySQL is read."""

    secret: Secret = None
    wait: Wait = 180.0

    def reading(self, out: Output, *, may_wake: bool = True, logins: bool = False) -> Reading:
        from aurora_tenants.inputs import Reading

        def woken() -> None:
            out.tell("The cluster is waking, usually 15 s.")

        def waiting(reason: str) -> None:
            out.tell(f"MySQL cannot be read yet, waiting up to {self.wait:.0f} s: {reason}")

        def busy(those: Mapping[str, str]) -> None:
            from aurora_tenants.render.progress import busy_sentence

            if those.keys() != told:
                told.update(those)
                out.tell(busy_sentence(those, self.wait))

        told = set[str]()

        return Reading(
            secret=self.secret,
            wait_seconds=self.wait,
            may_wake=may_wake,
            woken=woken,
            waiting=waiting,
            logins=logins,
            busy=busy,
        )


MYSQL = Mysql()


def validate(
    target: Target = TARGET,
    live: Annotated[
        bool, typer.Option("--live", help="Also ask MySQL who can get into a database that is not theirs.")
    ] = False,
    mysql: Mysql = MYSQL,
    display: Display = DISPLAY,
) -> None:
    from aurora_tenants import config
    from aurora_tenants.tenant.rotation_notices import moved_windows

    out = display.open()
    configuration = config.load(target.file)
    rotated = (user for tenant in configuration.tenants for user in tenant.users if user.rotate_after_days)
    notices = list(moved_windows(rotated))
    if live:
        from aurora_tenants.propose import Request, check_isolation

        reading = mysql.reading(out)
        request = Request(**asdict(target), reading=reading, located=teller(out, is_json=display.is_json))
        silenced = check_isolation(request)
    if display.is_json:
        tenants = [tenant.name for tenant in configuration.tenants]
        ignored = {"ignored": sorted({breach.account.entry for breach in silenced})} if live else {}
        told = {"notices": [asdict(notice) for notice in notices]} if notices else {}
        out.json({"version": 1, "tenants": tenants, "problems": [], **told, **ignored})
        return
    out.result(f"{target.file} is valid: {_held(configuration)}.")
    for notice in notices:
        out.result(f"But {notice.text}  [{notice.code}]")
    if live:
        from aurora_tenants.render.text import printable
        from aurora_tenants.tenant.ignored import reached

        but = f", apart from accounts that ignore.users names: {printable(reached(silenced))}" if silenced else ""
        out.result(f"Nobody can get into a tenant's database without belonging there{but}.")


def schema(
    of_plan: Annotated[bool, typer.Option("--plan", help="Of what plan prints with --output json.")] = False,
    of_apply: Annotated[bool, typer.Option("--apply", help="Of what apply prints with --output json.")] = False,
    of_status: Annotated[bool, typer.Option("--status", help="Of what status prints with --output json.")] = False,
) -> None:
    from aurora_tenants import data

    of = {"plan": of_plan, "apply": of_apply, "status": of_status}
    asked = [name for name, is_asked in of.items() if is_asked]
    if len(asked) > 1:
        what = f"{' and '.join(asked)} are {'two' if len(asked) == 2 else 'three'} schemas"
        raise InvalidUsage(Problem("two-schemas", what, fix="leave one of them out"))
    name = asked[0] if asked else "tenants"
    typer.echo(data.text(f"{name}.schema.json"), nl=False)


def plan(
    target: Target = TARGET,
    tenant: Tenants = None,
    group: Group = None,
    detailed_exitcode: Annotated[
        bool,
        typer.Option("--detailed-exitcode", help="Exit 2 when there are changes, or may be; 0 when there are none."),
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say the SQL of each line, and the rule behind it.")
    ] = False,
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements alone, to be read or pasted.")] = False,
    summary: Annotated[bool, typer.Option("--summary", help="One line for each tenant.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Also what is written down for itself, and lines of the file.")
    ] = False,
    logins: Logins = False,
    out_file: Out = None,
    dangers: Dangers = DANGERS,
    mysql: Mysql = MYSQL,
    acu_price: AcuPrice = None,
    no_wake: Annotated[bool, typer.Option("--no-wake", help="Fail instead of waking a paused cluster.")] = False,
    display: PlanDisplay = PLAN_DISPLAY,
) -> None:
    from aurora_tenants.cli import saved
    from aurora_tenants.propose import Request, preview, preview_to_save
    from aurora_tenants.render.items import View
    from aurora_tenants.render.plan_json import plan_data

    out, price = display.open(), given_price(acu_price)
    if sql and display.output != "text":
        what = f"--sql and --output {display.output} are two forms of one plan"
        raise InvalidUsage(Problem("two-forms", what, fix="leave one of them out"))
    dangers.require_saved(out_file)
    if out_file:
        saved.check_writable(out_file)
    reading = mysql.reading(out, may_wake=not no_wake, logins=logins)
    only, allowed = tuple(tenant or ()), dangers.allowed()
    located = teller(out, is_json=sql or display.output != "text")
    request = Request(
        **asdict(target),
        only=only,
        group=group,
        reading=reading,
        allowed=allowed,
        acu_price=price,
        located=located,
    )
    proposal, fingerprint = preview_to_save(request) if out_file else (preview(request), None)
    form = "sql" if sql else display.output
    _show(out, proposal, form, file=str(target.file), view=View(explain=explain, verbose=verbose, summary=summary))
    if out_file and fingerprint:
        saved.save(out_file, plan_data(proposal), fingerprint, request)
        saved.tell(out, out_file, proposal, allowed)
    if proposal.plan.problems:
        raise typer.Exit(Exit.FAILED)
    if detailed_exitcode and (proposal.plan.stacks or proposal.plan.waiting):
        raise typer.Exit(Exit.CHANGES)


@as_interrupts()
def apply(
    context: typer.Context,
    saved_plan: Saved = None,
    target: Target = TARGET,
    tenant: Tenants = None,
    group: Group = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    parallel: Annotated[int, typer.Option(min=1, max=50, help="Stacks in flight at once.", metavar="NUMBER")] = 15,
    logins: Logins = False,
    dangers: Dangers = DANGERS,
    mysql: Mysql = MYSQL,
    snapshot_wait: SnapshotWait = 3600.0,
    acu_price: AcuPrice = None,
    display: Display = DISPLAY,
) -> None:
    from aurora_tenants.cli.applying_json import operator as operator_of
    from aurora_tenants.cli.saved import Reopened
    from aurora_tenants.propose import Request
    from aurora_tenants.reconcile import reconcile

    out, price = display.open_events() if display.is_json else display.open(), given_price(acu_price)
    if yes or saved_plan:  # nobody has to read anything first
        out.endure()
    request = Request(
        **asdict(target),
        only=tuple(tenant or ()),
        group=group,
        reading=mysql.reading(out, logins=logins),
        allowed=dangers.allowed(),
        acu_price=price,
        parallel=parallel,
        located=teller(out, is_json=display.is_json),
        snapshot_seconds=snapshot_wait,
        told=out.tell,
    )
    saved = Reopened.read(saved_plan, request) if saved_plan else None
    if saved:
        request = saved.request(request, is_file_given=is_given(context, "file"))
        out.tell(saved.title)
    operator = operator_of(out, request, yes=yes or saved is not None, saved=saved_plan)
    request = replace(request, stop=operator.interrupts.stop)
    try:
        with operator.interrupts:
            outcome = reconcile(request, operator, saved.require_unmoved) if saved else reconcile(request, operator)
            code = operator.end(outcome)
    except AuroraTenantsError as error:
        code = operator.fail(error)
    except KeyboardInterrupt:
        code = operator.break_off()
    raise typer.Exit(code)


def env(
    tenant: Annotated[str, typer.Argument(help="The tenant, with its stage.")],
    user: Annotated[str | None, typer.Option(help="The user to log in as; the first of the file by default.")] = None,
    database: Annotated[str | None, typer.Option(help="The database; the first of the file by default.")] = None,
    reader: Annotated[
        bool, typer.Option("--reader", help="DATABASE_HOST is the cluster's reader endpoint: for what only reads.")
    ] = False,
    format: Annotated[str, typer.Option("--format", help="shell, dotenv, json or url.")] = "shell",
    target: Target = TARGET,
) -> None:
    from aurora_tenants import config
    from aurora_tenants.aws.clients import connect
    from aurora_tenants.aws.whose import require_account
    from aurora_tenants.render.environment import writer
    from aurora_tenants.render.problems import problem_text
    from aurora_tenants.service import environment

    write = writer(format)
    configuration = config.load_for(target.file, tenant)
    aws = connect(region=target.region or configuration.cluster.region, profile=target.profile)
    if configuration.cluster.account:
        require_account(aws, configuration.cluster)
    told = environment(aws, configuration, tenant, user=user, database=database, to_reader=reader)
    for notice in told.notices:
        typer.echo(problem_text(notice, severity="notice"), err=True)
    typer.echo(write(told.values))


def _show(out: Output, proposal: Proposal, form: str, *, file: str, view: View) -> None:
    """Prints a plan in one of its forms: text, json, markdown, sql."""
    if form == "json":
        from aurora_tenants.render.plan_json import plan_data

        out.json(plan_data(proposal))
    elif form == "markdown":
        from aurora_tenants.render.plan_markdown import plan_markdown

        out.raw(plan_markdown(proposal, file=file))
    elif form == "sql":
        from aurora_tenants.render.plan import waiting_text
        from aurora_tenants.render.problems import problem_text
        from aurora_tenants.render.sql import plan_sql

        out.raw(plan_sql(proposal))
        for danger in proposal.dangers:
            out.tell(problem_text(danger, severity="danger"))
        for problem in proposal.plan.problems:
            out.tell(problem_text(problem))
        for each in proposal.plan.waiting:
            out.tell(waiting_text(each))
    else:
        from aurora_tenants.render.plan import plan_text

        out.result(plan_text(proposal, file=file, width=out.width, view=view))


def _held(configuration: Configuration) -> str:
    """`2 tenants, 2 databases, 3 users`; roles only where there are some."""
    from aurora_tenants.render.text import count

    tenants = configuration.tenants
    roles = sum(len(tenant.roles) for tenant in tenants)
    held = [
        count(len(tenants), "tenant"),
        count(sum(len(tenant.databases) for tenant in tenants), "database"),
        count(sum(len(tenant.users) for tenant in tenants), "user"),
        *([count(roles, "role")] if roles else []),
    ]
    if configuration.rollout:
        held[-1] += f"; group by group: {_in_groups(configuration.rollout, tenants)}"
    return ", ".join(held)


def _in_groups(rollout: Rollout, tenants: Iterable[Tenant]) -> str:
    """`canary (1), rest (2)`."""
    names = [rollout.group_of(tenant.name).name for tenant in tenants]
    return ", ".join(f"{group.name} ({names.count(group.name):,})" for group in rollout.groups)
