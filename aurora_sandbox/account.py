"""The AWS account that a sandbox stands for: every service of ours, and what each of them is told of the others.

    account = Account(mysql, clients, endpoint_url="http://127.0.0.1:40123", region="eu-west-1", …)
    account.services["rds-data"].handle("ExecuteStatement", {…}, caller)
    account.timetable.start()        from now on schedules fire and secrets are rotated by themselves

How requests come in is the business of front.py, and of server.py when the whole begins and ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial

from aurora_sandbox import ACCOUNT, motoserver
from aurora_sandbox.awslambda import Lambda
from aurora_sandbox.backing import Backing
from aurora_sandbox.certificates import AUTHORITY
from aurora_sandbox.clients import Clients
from aurora_sandbox.clock import Clock
from aurora_sandbox.cloudformation.custom import CustomResources
from aurora_sandbox.cloudformation.rollout import RollbackStyle
from aurora_sandbox.cloudformation.service import CloudFormation
from aurora_sandbox.cloudformation.stack import REVIEW
from aurora_sandbox.cloudwatch import CloudWatch, Counts
from aurora_sandbox.cluster import Clusters
from aurora_sandbox.encryption import Keys
from aurora_sandbox.events.alarms import Alarms
from aurora_sandbox.events.bus import Bus
from aurora_sandbox.events.emitted import Steps, announce
from aurora_sandbox.events.topics import Topics
from aurora_sandbox.faults import Faults
from aurora_sandbox.functions import Functions
from aurora_sandbox.iam import Guard, Policies
from aurora_sandbox.identity import Identity, Simulator
from aurora_sandbox.keys import Sessions
from aurora_sandbox.logs import Logs
from aurora_sandbox.mysqld import Server
from aurora_sandbox.policies import SecretFacts, StackFacts
from aurora_sandbox.rds import Rds
from aurora_sandbox.rdsdata.service import RdsData
from aurora_sandbox.resources import resource_types
from aurora_sandbox.resources.hosted import STANDS_FOR
from aurora_sandbox.scheduler.schedules import Schedules
from aurora_sandbox.scheduler.service import Scheduler
from aurora_sandbox.scheduler.targets import Targets
from aurora_sandbox.scheduler.timetable import Timetable
from aurora_sandbox.secretsmanager.service import SecretsManager
from aurora_sandbox.wire import Caller, Service, ServiceError

USER = Caller("sandbox")  # everybody who is not a function


class Account:
    """The services over one MySQL server, empty at first. `services`: by the name that requests are signed for.

    clients: to moto. endpoint_url: where functions call AWS, and custom resources answer.
    """

    def __init__(
        self,
        mysql: Server,
        clients: Clients,
        *,
        endpoint_url: str,
        region: str,
        rollback_style: RollbackStyle,
        time_scale: float,
    ) -> None:
        self.region, self.endpoint_url, self._clients = region, endpoint_url, clients
        self.clock, self.faults, self.sessions = Clock(), Faults(), Sessions()
        topics = Topics(lambda: clients("sns"))
        self.bus = Bus(
            self.clock,
            topics,
            events=lambda: clients("events"),
            cloudtrail=lambda: clients("cloudtrail"),
            account=ACCOUNT,
            region=region,
        )
        alarms = Alarms(self.clock, topics, cloudwatch=lambda: clients("cloudwatch"), account=ACCOUNT, region=region)
        self.clusters = Clusters(clock=self.clock.seconds, time_scale=time_scale)
        self.functions = Functions(
            endpoint_url=endpoint_url,
            region=region,
            time_scale=time_scale,
            authorities=mysql.directory / AUTHORITY,
            faults=self.faults,
            failed=alarms.failed,
        )
        self.policies = Policies(lambda: clients("iam"))
        self.keys = Keys(
            account=ACCOUNT,
            region=region,
            find=lambda key_id: motoserver.key(key_id, region),
            policies=self.policies,
            function_of=self.functions.function_of,
            session_of=self.sessions.arn,
        )
        self._secrets = SecretsManager(
            account=ACCOUNT,
            region=region,
            invoke=Steps(self.bus, self._rotate),
            may_invoke=lambda arn: self.functions.allows(arn, "secretsmanager.amazonaws.com"),
            use_key=self.keys.use,
            now=self.clock.now,
        )
        self.guard = self._guard()
        self.data = RdsData(clusters=self.clusters, secret=self._secrets.current, faults=self.faults)
        self.custom = CustomResources(
            invoke_async=self.functions.invoke_async, response_base_url=endpoint_url, time_scale=time_scale
        )
        self._backing = Backing(self._secrets, self.clusters, mysql, self.keys)
        self.cloudformation = self._cloudformation(rollback_style, time_scale)
        rds = Rds(backing=self._backing, moto=clients)
        counts, schedules = Counts(self.clock), Schedules()
        scheduler = self._scheduler(schedules)
        self.timetable = Timetable(
            self.clock,
            schedules,
            self._targets(scheduler, rds, counts).fire,
            self._secrets.rotations,
            ready_at=self.clusters.ready_at,
        )
        self.services: Mapping[str, Service] = {
            "cloudformation": self.cloudformation,
            "iam": Simulator(self.policies, account=ACCOUNT, iam=lambda: clients("iam")),
            "lambda": Lambda(self.functions, s3=lambda: clients("s3"), region=region),
            "logs": Logs(self.functions, self.clock.real),
            "monitoring": CloudWatch(self.clock, self.clusters, counts, moto=lambda: clients("cloudwatch")),
            "rds": rds,
            "rds-data": self.data,
            "scheduler": scheduler,
            "secretsmanager": self._secrets,
            "sts": Identity(account=ACCOUNT, function_of=self.functions.function_of, session_of=self.sessions.arn),
        }

    def close(self) -> None:
        """Ends everything that runs: all of it, whatever goes wrong with a part."""
        with ExitStack() as ends:  # the last one first: what waits for an answer would keep CloudFormation from ending
            for part in (self.functions, self.cloudformation, self.custom, self.data, self.timetable, self.bus):
                ends.callback(part.close)

    def _rotate(self, function_arn: str, event: Mapping[str, str]) -> None:
        """A step of a rotation; a function that logs in over TCP wakes the cluster, as one of the Data API does."""
        function = self.functions.get(function_arn)
        if function and STANDS_FOR in function.environment:
            for cluster in self.clusters.all():
                cluster.touch()
        self.functions.invoke(function_arn, event)

    def _guard(self) -> Guard:
        return Guard(
            self.policies,
            function_of=self.functions.function_of,
            arn_prefix=lambda service: f"arn:aws:{service}:{self.region}:{ACCOUNT}:",
            secret=self._secret_facts,
            stack=self._stack_facts,
        )

    def _cloudformation(self, rollback_style: RollbackStyle, time_scale: float) -> CloudFormation:
        return CloudFormation(
            resources=resource_types(
                secrets=self._secrets,
                functions=self.functions,
                backing=self._backing,
                boto=self._clients,
                rules_changed=self.bus.forget,
            ),
            custom=self.custom,
            account=ACCOUNT,
            region=self.region,
            rollback_style=rollback_style,
            time_scale=time_scale,
            resolve_secret=self._secrets.referenced,
            may_assume=self.guard.cloudformation_may_assume,
            stack_seconds=self.faults.stack_seconds,
            announce=partial(announce, self.bus),
        )

    def _scheduler(self, schedules: Schedules) -> Scheduler:
        return Scheduler(
            schedules, self.clock, account=ACCOUNT, region=self.region, check_assumed=self.guard.check_assumed
        )

    def _targets(self, scheduler: Scheduler, rds: Rds, counts: Counts) -> Targets:
        return Targets(
            rds=rds,
            guard=self.guard,
            faults=self.faults,
            sqs=lambda: self._clients("sqs"),
            arn=scheduler.arn,
            count=counts.add,
        )

    def _secret_facts(self, secret_id: str) -> SecretFacts | None:
        try:
            secret = self._secrets.handle("DescribeSecret", {"SecretId": secret_id}, USER)
        except ServiceError as error:
            if error.code == "ResourceNotFoundException":
                return None
            raise
        tags = {tag["Key"]: tag["Value"] for tag in secret.get("Tags", ())}
        return SecretFacts(secret["ARN"], secret.get("RotationLambdaARN"), tags)

    def _stack_facts(self, name_or_id: str) -> StackFacts | None:
        stack = self.cloudformation.region.find(name_or_id)
        if stack is None:
            return None
        # AWS does not say whether the tags of a first change set count before it is executed: here they do not.
        return StackFacts({} if stack.status == REVIEW else stack.deployment.tags)
