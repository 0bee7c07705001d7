"""The sandbox as one thing: a MySQL server, the AWS services over it, and one endpoint that leads to all of them.

    with Sandbox.start(binary=mysqld.find()) as sandbox:
        boto3.client("cloudformation", endpoint_url=sandbox.endpoint_url, …)

`python -m aurora_sandbox.server --ready-fd N` runs one until SIGTERM, SIGINT or `POST /_sandbox/shutdown`, and
writes its status to the file descriptor, as JSON, when it is ready. Nothing of a sandbox outlives it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal

from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

from aurora_sandbox import ACCOUNT, REGION, motoserver, mysqld
from aurora_sandbox.clients import Clients
from aurora_sandbox.clock import Clock, shown
from aurora_sandbox.cloudformation.custom import CustomResources
from aurora_sandbox.cloudformation.schemas import schema
from aurora_sandbox.cloudformation.service import CloudFormation
from aurora_sandbox.cloudformation.types import ResourceFailed
from aurora_sandbox.cloudwatch import CloudWatch, Counts
from aurora_sandbox.cluster import Clusters
from aurora_sandbox.control import Control
from aurora_sandbox.environment import KEY, environment
from aurora_sandbox.errors import SandboxError
from aurora_sandbox.faults import Faults
from aurora_sandbox.front import Front, Listener
from aurora_sandbox.functions import Functions
from aurora_sandbox.iam import Guard, Policies, SecretFacts
from aurora_sandbox.rds import Rds
from aurora_sandbox.rdsdata import RdsData
from aurora_sandbox.resources import resource_types
from aurora_sandbox.scheduler import Scheduler
from aurora_sandbox.schedules import Schedules
from aurora_sandbox.secretsmanager import SecretsManager
from aurora_sandbox.targets import Targets
from aurora_sandbox.timetable import Timetable
from aurora_sandbox.wire import Caller, ServiceError

RollbackStyle = Literal["update", "restore"]
_USER = Caller(KEY)


class Sandbox:
    """A running sandbox, empty at first, until it is closed; see `start`."""

    def __init__(
        self,
        mysql: mysqld.Server,
        moto: tuple[str, int],
        clients: Clients,
        listener: Listener,
        *,
        region: str,
        rollback_style: RollbackStyle,
        time_scale: float,
        ends: ExitStack,
    ) -> None:
        self.id, self.region, self.started = str(uuid.uuid4()), region, datetime.now(UTC)
        self.endpoint_url, self.mysql = listener.url, mysql
        self._ends = ends
        self._stopping = threading.Event()
        self.clock = Clock()
        self._faults, self._clusters = Faults(), Clusters(clock=self.clock.seconds, time_scale=time_scale)
        self._functions = Functions(endpoint_url=listener.url, region=region, time_scale=time_scale)
        ends.callback(self._functions.close)
        self._secrets = SecretsManager(
            account=ACCOUNT,
            region=region,
            invoke=self._functions.invoke,
            may_invoke=lambda arn: self._functions.allows(arn, "secretsmanager.amazonaws.com"),
            time_scale=time_scale,
        )
        policies = Policies(lambda: clients("iam"))
        clients.iam_changed, clients.elsewhere = policies.forget, {"scheduler": listener.url}
        custom = CustomResources(
            invoke_async=self._functions.invoke_async,
            response_base_url=listener.url,
            time_scale=time_scale,
        )
        self._cloudformation = CloudFormation(
            resources=resource_types(
                secrets=self._secrets, functions=self._functions, clusters=self._clusters, server=mysql, boto=clients
            ),
            custom=custom,
            account=ACCOUNT,
            region=region,
            rollback_style=rollback_style,
            time_scale=time_scale,
            resolve_secret=self._secret_value,
        )
        ends.callback(self._cloudformation.close)
        ends.callback(custom.close)  # first: what waits for an answer would keep CloudFormation from ending
        self._data = RdsData(clusters=self._clusters, secret=self._secrets.current)
        ends.callback(self._data.close)
        guard, rds = self._guard(policies), Rds(clusters=self._clusters, moto=lambda: clients("rds"))
        counts, schedules = Counts(self.clock), Schedules()
        scheduler = Scheduler(schedules, self.clock, account=ACCOUNT, region=region, check_assumed=guard.check_assumed)
        targets = Targets(
            rds=rds,
            guard=guard,
            faults=self._faults,
            sqs=lambda: clients("sqs"),
            arn=scheduler.arn,
            count=counts.add,
        )
        self._timetable = Timetable(self.clock, schedules, targets.fire)
        ends.callback(self._timetable.close)
        self._front = Front(
            {
                "cloudformation": self._cloudformation,
                "monitoring": CloudWatch(self.clock, self._clusters, counts, moto=lambda: clients("cloudwatch")),
                "rds": rds,
                "rds-data": self._data,
                "scheduler": scheduler,
                "secretsmanager": self._secrets,
            },
            region=region,
            moto=moto,
            own=self._control(custom).answer,
            guard=guard,
            faults=self._faults,
            iam_changed=policies.forget,
        )
        listener.serve(self._front.respond, now=self.clock.seconds)
        self._timetable.start()

    @classmethod
    def start(
        cls,
        *,
        binary: mysqld.Binary,
        partial_revokes: bool = True,
        region: str = REGION,
        rollback_style: RollbackStyle = "update",
        time_scale: float = 1.0,
    ) -> Sandbox:
        """A new sandbox that answers requests.

        time_scale divides every time that AWS takes or waits: Lambda's retries, ServiceTimeout, recovery windows.
        rollback_style: how a replaced custom resource is rolled back, which AWS does not say; see CloudFormation.
        Raises SandboxError if MySQL does not start.
        """
        with ExitStack() as ends:
            mysql = ends.enter_context(_starting(binary, partial_revokes))
            moto = ends.enter_context(motoserver.running())
            clients = Clients(f"http://{moto[0]}:{moto[1]}", region=region)
            threading.Thread(target=_warm_up, args=(clients, region), name="warm-up", daemon=True).start()
            listener = Listener()
            ends.callback(listener.close)
            sandbox = cls(
                mysql.result(),
                moto,
                clients,
                listener,
                region=region,
                rollback_style=rollback_style,
                time_scale=time_scale,
                ends=ends,
            )
            sandbox._ends = ends.pop_all()
            return sandbox

    def environment(self) -> dict[str, str]:
        """The variables that lead AWS SDKs and the AWS CLI here."""
        return environment(self.endpoint_url, self.region)

    def status(self) -> dict[str, Any]:
        """What there is, in JSON's types; statements counts what reached MySQL through the Data API."""
        calls = self._front.calls
        stacks = self._cloudformation.handle("DescribeStacks", {}, _USER)["Stacks"]
        return {
            "id": self.id,
            "pid": os.getpid(),
            "started": self.started.isoformat(timespec="seconds"),
            "clock": shown(self.clock.now()),
            "endpoint": self.endpoint_url,
            "account": ACCOUNT,
            "region": self.region,
            "mysqld": {"host": self.mysql.host, "port": self.mysql.port, "version": self.mysql.version},
            "cluster": next(({"arn": c.arn, "state": str(c.state())} for c in self._clusters.all()), None),
            "stacks": [{"name": stack["StackName"], "status": stack["StackStatus"]} for stack in stacks],
            "functions": list(self._functions.names()),
            "statements": self._data.statements,
            "calls": {f"{service}:{operation}": count for (service, operation), count in sorted(calls.items())},
        }

    def wait(self) -> None:
        """Returns when somebody has asked the sandbox to end."""
        self._stopping.wait()

    def close(self) -> None:
        """Ends the workers, moto and MySQL; may be called twice."""
        self._ends.close()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _control(self, custom: CustomResources) -> Control:
        return Control(
            responses=custom,
            clusters=self._clusters,
            data=self._data,
            functions=self._functions,
            faults=self._faults,
            clock=self.clock,
            timetable=self._timetable,
            status=self.status,
            stop=self._stopping.set,
        )

    def _guard(self, policies: Policies) -> Guard:
        return Guard(
            policies,
            function_of=self._functions.function_of,
            arn_prefix=lambda service: f"arn:aws:{service}:{self.region}:{ACCOUNT}:",
            secret=self._secret_facts,
        )

    def _secret_facts(self, secret_id: str) -> SecretFacts | None:
        try:
            secret = self._secrets.handle("DescribeSecret", {"SecretId": secret_id}, _USER)
        except ServiceError as error:
            if error.code == "ResourceNotFoundException":
                return None
            raise
        tags = {tag["Key"]: tag["Value"] for tag in secret.get("Tags", ())}
        return SecretFacts(secret["ARN"], secret.get("RotationLambdaARN"), tags)

    def _secret_value(self, secret_id: str, json_key: str, stage: str, version: str) -> str:
        """What a dynamic reference stands for. Raises ResourceFailed."""
        asked = {"SecretId": secret_id, "VersionStage": stage, "VersionId": version}
        try:
            answer = self._secrets.handle("GetSecretValue", {name: v for name, v in asked.items() if v}, _USER)
            return str(json.loads(answer["SecretString"])[json_key] if json_key else answer["SecretString"])
        except ServiceError as error:
            raise ResourceFailed(error.message) from error
        except (KeyError, ValueError) as error:
            raise ResourceFailed(f"Could not find a value for key {json_key} in the secret {secret_id}.") from error


@contextmanager
def _starting(binary: mysqld.Binary, partial_revokes: bool) -> Iterator[Future[mysqld.Server]]:
    """A MySQL server that is on its way, stopped at the end even if nobody waited for it to come."""
    future: Future[mysqld.Server] = Future()

    def start() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(mysqld.start(binary, partial_revokes=partial_revokes))
        except BaseException as error:  # for whoever asks for the result
            future.set_exception(error)

    try:  # from before the thread begins: a signal may unwind us while it does
        threading.Thread(target=start, name="mysqld", daemon=True).start()
        yield future
    finally:
        if not future.cancel() and future.exception() is None:
            future.result().stop()


def _warm_up(clients: Clients, region: str) -> None:
    """Loads what the first stack would wait for: cfn-lint's schemas, boto3's clients, moto's backends (2 s in all).

    While MySQL starts, which takes another processor's time, it costs nothing.
    """
    schema(region, "AWS::RDS::DBCluster")
    with suppress(EndpointConnectionError, ConnectionClosedError):  # the sandbox was closed meanwhile
        clients("ec2").describe_vpcs()
        clients("rds").describe_db_clusters()
        clients("iam").list_roles()
        clients("lambda").list_functions()
        clients("logs").describe_log_groups()


def main() -> int:
    """Runs a sandbox until it is told to end; what goes wrong goes to standard error."""
    parser = argparse.ArgumentParser(prog="aurora_sandbox.server")
    parser.add_argument("--ready-fd", type=int, required=True, help="where to write the status when it is ready")
    parser.add_argument("--mysqld")
    parser.add_argument("--region", default=REGION)
    parser.add_argument("--partial-revokes", choices=("on", "off"), default="on")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    binary = mysqld.find(options.mysqld)
    if binary is None:
        parser.error("there is no MySQL server on this machine")
    partial_revokes = options.partial_revokes == "on"
    with os.fdopen(options.ready_fd, "w") as ready, ExitStack() as ends:
        try:
            sandbox = Sandbox.start(binary=binary, partial_revokes=partial_revokes, region=options.region)
        except SandboxError as error:
            json.dump({"problems": [asdict(problem) for problem in error.problems]}, ready)
            return 1
        ends.enter_context(sandbox)
        json.dump(sandbox.status(), ready)
        ready.close()
        sandbox.wait()
    return 0


def _end(number: int, frame: object) -> None:
    """Unwinds the main thread, which closes the sandbox; a second signal must not interrupt that."""
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
