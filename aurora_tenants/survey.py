"""Reads everything that `status` shows, as often as it is asked to, and never wakes a paused cluster unasked.

    survey = Survey(Request(Path("tenants.yaml")))
    survey.look()           an Overview; the clients are made once, and the file is read again each time

The calls are those of a plan, and as many whatever the number of tenants: the pages of stacks and secrets, the cluster,
its capacity, the pause schedule's entries, and MySQL's statements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from aurora_tenants import config
from aurora_tenants.aws import scaling
from aurora_tenants.aws.clients import Aws, asking, connect
from aurora_tenants.aws.secrets import read_secrets
from aurora_tenants.aws.usable import PROVIDER_VERSION, usable
from aurora_tenants.aws.whose import require_account
from aurora_tenants.begun import begin_reading
from aurora_tenants.beside import begin
from aurora_tenants.config import yaml_file
from aurora_tenants.errors import AwsError, DatabaseError, Problem
from aurora_tenants.inputs import Inputs, Reading, login, read_live, with_edited
from aurora_tenants.model import Cluster, Configuration
from aurora_tenants.mysql.objects import Asked
from aurora_tenants.mysql.sessions import Sessions, read_sessions
from aurora_tenants.mysql.state import Live, Server
from aurora_tenants.overview import overview, price_of
from aurora_tenants.overview.found import Found
from aurora_tenants.overview.values import Overview
from aurora_tenants.plan import Plan, check_names
from aurora_tenants.propose import compare
from aurora_tenants.schedule.cost import Price, of_schedule
from aurora_tenants.schedule.plan import LiveCluster, LivePause, plan_schedule
from aurora_tenants.schedule.view import View, look
from aurora_tenants.stack import Deployed, Shared
from aurora_tenants.tenant.missing import asked

# Of secrets that seem to differ: a list may be five minutes old, and a call for each of many would never end.
_MOST_LOOKS = 20
PAUSED = "the cluster is paused"
_UNKNOWN = "CloudWatch has no capacity of the last minutes, so the cluster may be paused"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. only: the tenants that are shown, all of them when empty. wakes: a paused cluster is woken.

    reading: how MySQL is read. acu_price: the user's own, in US dollars. located: called once, with account and region.
    """

    file: Path
    region: str | None = None
    profile: str | None = None
    only: tuple[str, ...] = ()
    wakes: bool = False
    reading: Reading = field(default_factory=Reading)
    acu_price: Decimal | None = None
    located: Callable[[str, str], None] = lambda account, region: None


@dataclass(frozen=True, slots=True)
class _Mysql:
    """What MySQL has said, when, and the plan that followed. woke: a paused cluster was woken for it."""

    live: Live
    sessions: Sessions
    plan: Plan
    at: datetime
    woke: bool


class Survey:
    """Looks at a file's cluster again and again."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._aws: Aws | None = None
        self._account = ""
        self._place: tuple[str | None, str | None] = (None, None)
        self._mysql: _Mysql | None = None
        self._parsed: tuple[str, Configuration] | None = None

    def look(self) -> Overview:
        """How everything is now. Raises InvalidFile, InvalidUsage, and AwsError where AWS cannot be asked.

        Where MySQL alone cannot be read, or a shared stack is too old for it, that is a problem of the overview.
        """
        request = self._request
        configuration = self._configuration()
        aws = self._connected(configuration.cluster)
        cluster = configuration.cluster
        begun = begin_reading(aws, cluster, self._account, with_secrets=True)
        deployed = begun.deployed.result()
        shared, problems = _usable(cluster, deployed)
        check_names(request.only, configuration, deployed)
        measured = begin(lambda: scaling.read_acu(aws, shared.cluster_arn))
        pause = self._pause(aws, configuration, shared, deployed)
        acu = measured.result()
        secrets = (begun.secrets.result() or read_secrets(aws, cluster))._replace(function=shared.rotation_function)
        view, price = self._schedule(configuration, shared, deployed, pause, acu), self._price(aws, pause.cluster)
        found = Found(
            self._account,
            aws.region,
            configuration,
            shared,
            PROVIDER_VERSION,
            deployed,
            secrets,
            pause.cluster,
            acu,
            view,
            view.cost if view else None,
            price,
            problems=problems,
        )
        if problems:
            return overview(replace(found, not_read="its shared stack is too old"), request.only)
        return overview(self._with_mysql(aws, found, pause), request.only)

    def _configuration(self) -> Configuration:
        """Of the file as it is now."""
        text, file = yaml_file.read(self._request.file), str(self._request.file)
        if self._parsed is None or self._parsed[0] != text:
            self._parsed = text, config.parse(text, file)
        return self._parsed[1]

    def _connected(self, cluster: Cluster) -> Aws:
        place = (cluster.region, cluster.account)
        if self._aws is None or place != self._place:
            aws = connect(region=self._request.region or cluster.region, profile=self._request.profile)
            self._account = require_account(aws, cluster)
            self._request.located(self._account, aws.region)
            self._aws, self._place, self._mysql = aws, place, None
        return self._aws

    def _pause(self, aws: Aws, configuration: Configuration, shared: Shared, deployed: Deployed) -> LivePause:
        if configuration.cluster.pause_schedule or deployed.pause_schedule:
            return scaling.read_pause(aws, configuration.cluster, shared)
        return LivePause(scaling.read_cluster(aws, shared.cluster_arn))

    def _schedule(
        self, configuration: Configuration, shared: Shared, deployed: Deployed, pause: LivePause, acu: float | None
    ) -> View | None:
        cluster = configuration.cluster
        if not cluster.pause_schedule and not deployed.pause_schedule:
            return None
        region = self._aws.region if self._aws else ""
        cost = of_schedule(configuration, region, pause.cluster, acu_price=self._request.acu_price)
        return look(str(self._request.file), plan_schedule(cluster, shared, deployed, pause), cost, acu)

    def _price(self, aws: Aws, cluster: LiveCluster) -> Price | None:
        given = self._request.acu_price
        return Price(given, "given", "") if given is not None else price_of(aws.region, cluster)

    def _with_mysql(self, aws: Aws, found: Found, pause: LivePause) -> Found:
        """The same with what MySQL says, and the plan that follows from it."""
        try:
            read, not_read = self._read(aws, found, pause)
        except (AwsError, DatabaseError) as error:
            self._mysql = None
            return replace(found, not_read="it could not be read", problems=error.problems)
        if read is None:
            return replace(found, not_read=not_read)
        return replace(
            found,
            live=read.live,
            sessions=read.sessions,
            plan=read.plan,
            mysql_at=read.at,
            woke_cluster=read.woke,
        )

    def _read(self, aws: Aws, found: Found, pause: LivePause) -> tuple[_Mysql | None, str]:
        """What MySQL says, or why it is not asked. What was read before is kept while another look would keep a cluster
        awake that nobody else uses."""
        cluster = found.cluster
        can_pause = cluster.capacity is not None and not cluster.capacity.min_acu
        if can_pause and not self._request.wakes and not found.acu:
            self._mysql = None
            return None, PAUSED if found.acu == 0 else _UNKNOWN
        if self._mysql and can_pause and cluster.now < self._mysql.at + _rest(cluster):
            return replace(self._mysql, woke=False), ""
        if not self._request.wakes:
            from aurora_tenants.aws.clusters import require_available  # it brings all that `doctor` knows

            require_available(aws, found.shared.cluster_arn)
        woken = list[bool]()

        def woke() -> None:
            woken.append(True)
            self._request.reading.woken()

        reading = replace(self._request.reading, woken=woke)
        live = read_live(aws, found.shared, reading, lambda server: self._asked(found, server))
        with asking("read MySQL"):
            sessions = read_sessions(login(aws, found.shared, reading).execute)
        plan = self._plan(aws, replace(found, deployed=with_edited(aws, found.deployed), live=live), pause)
        self._mysql = _Mysql(live, sessions, plan, cluster.now, bool(woken))
        return self._mysql, ""

    def _asked(self, found: Found, server: Server) -> Asked:
        """As for a plan, and how much is in every database that is shown."""
        wanted = asked(found.configuration, found.deployed, server)
        shown = {
            server.stored(database.name)
            for tenant in found.configuration.tenants
            if not self._request.only or tenant.name in self._request.only
            for database in tenant.databases
        }
        return wanted._replace(databases=wanted.databases | shown)

    def _plan(self, aws: Aws, found: Found, pause: LivePause) -> Plan:
        assert found.live  # it was read
        inputs = Inputs(
            aws=aws,
            configuration=found.configuration,
            shared=found.shared,
            deployed=found.deployed,
            live=found.live,
            account=found.account,
            pause=pause if found.schedule else None,
            secrets=found.secrets,
        )
        plan, _ = compare(inputs, self._request.only, most_looks=_MOST_LOOKS)
        return plan


def _usable(cluster: Cluster, deployed: Deployed) -> tuple[Shared, tuple[Problem, ...]]:
    """The shared stack, and that it is too old where it is. Raises AwsError where nothing can be shown of it."""
    try:
        return usable(cluster, deployed), ()
    except AwsError as error:
        is_old = deployed.shared is not None and error.problems[0].code == "old-shared-stack"
        if deployed.shared is None or not is_old:
            raise
        return deployed.shared, error.problems


def _rest(cluster: LiveCluster) -> timedelta:
    """How long MySQL is left alone after a look, so that a cluster which nobody else uses has paused by then."""
    return timedelta(seconds=2 * cluster.capacity.pause_after_seconds) if cluster.capacity else timedelta()
