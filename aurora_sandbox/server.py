"""The sandbox as one thing: a MySQL server, the AWS services over it, and one endpoint that leads to all of them.

    with Sandbox.start(binary=mysqld.find()) as sandbox:
        os.environ.update(sandbox.environment())
        boto3.client("cloudformation")

`python -m aurora_sandbox.server --ready-fd N` runs one until SIGTERM, SIGINT or `POST /_sandbox/shutdown`. When it is
ready it writes its status and its environment to the file descriptor, as JSON. Nothing of a sandbox outlives it.
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
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, get_args

from aurora_sandbox import ACCOUNT, REGION, motoserver, mysqld, status
from aurora_sandbox.account import USER, Account
from aurora_sandbox.clients import Clients
from aurora_sandbox.clock import shown
from aurora_sandbox.cloudformation.rollout import RollbackStyle
from aurora_sandbox.cloudformation.schemas import schema
from aurora_sandbox.cluster import Cluster
from aurora_sandbox.control import Control
from aurora_sandbox.environment import environment
from aurora_sandbox.errors import SandboxError
from aurora_sandbox.front import Front, Listener
from aurora_sandbox.gate import Gate
from aurora_sandbox.keys import AccessKey, new_key


class Sandbox:
    """A running sandbox, empty at first, until it is closed; see `start`."""

    def __init__(
        self, account: Account, mysql: mysqld.Server, moto: motoserver.Ask, listener: Listener, key: AccessKey
    ) -> None:
        self.id, self.started = str(uuid.uuid4()), datetime.now(UTC)
        self.endpoint_url, self.mysql, self.region = listener.url, mysql, account.region
        self._key = key
        self._account, self._ends, self._stopping = account, ExitStack(), threading.Event()
        control = Control(account, status=self.status, stop=self._stopping.set)
        self._front = Front(
            account.services,
            region=account.region,
            moto=moto,
            own=control.answer,
            guard=account.guard,
            faults=account.faults,
            iam_changed=account.policies.forget,
            assumed=account.sessions.note,
            rules_changed=account.bus.forget,
        )
        gate = Gate(key, port=listener.port, is_function=account.guard.is_function, sessions=account.sessions)
        listener.serve(self._front.respond, refusal=gate.refusal, now=account.clock.seconds)
        account.timetable.start()

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

        time_scale divides every time that AWS takes or waits: Lambda's retries, ServiceTimeout.
        rollback_style: how a replaced custom resource is rolled back, which AWS does not say; see CloudFormation.
        Raises SandboxError if MySQL does not start.
        """
        with ExitStack() as ends:
            mysql = ends.enter_context(_starting(binary, partial_revokes))
            moto = ends.enter_context(motoserver.running())
            key, listener = new_key(), Listener()
            ends.callback(listener.close)
            clients = Clients(listener.url, region=region, key=key, inside=moto, outside={"scheduler"})
            threading.Thread(target=_warm_up, args=(clients, region), name="warm-up", daemon=True).start()
            account = Account(
                mysql.result(),
                clients,
                endpoint_url=listener.url,
                region=region,
                rollback_style=rollback_style,
                time_scale=time_scale,
            )
            ends.callback(account.close)
            clients.iam_changed = account.policies.forget
            sandbox = cls(account, mysql.result(), moto, listener, key)
            sandbox._ends = ends.pop_all()
            return sandbox

    def environment(self) -> dict[str, str]:
        """The variables that lead AWS SDKs and the AWS CLI here; the sandbox's key is among them."""
        return environment(self.endpoint_url, self.region, self._key)

    def status(self) -> dict[str, Any]:
        """What there is, in JSON's types; statements counts what reached MySQL through the Data API."""
        account, calls = self._account, self._front.calls
        stacks = account.cloudformation.handle("DescribeStacks", {}, USER)["Stacks"]
        return {
            "id": self.id,
            "pid": os.getpid(),
            "started": self.started.isoformat(timespec="seconds"),
            "clock": shown(account.clock.now()),
            "endpoint": self.endpoint_url,
            "account": ACCOUNT,
            "region": self.region,
            "rollback_style": account.cloudformation.rollback_style,
            "mysqld": {
                "host": self.mysql.host,
                "port": self.mysql.port,
                "socket": str(self.mysql.socket),
                "version": self.mysql.version,
            },
            "cluster": next(({"arn": c.arn, "state": _state(c)} for c in account.clusters.all()), None),
            "stacks": [{"name": stack["StackName"], "status": stack["StackStatus"]} for stack in stacks],
            "functions": list(account.functions.names()),
            "running": account.functions.running(),
            "statements": account.data.statements,
            "calls": {f"{service}:{operation}": count for (service, operation), count in sorted(calls.items())},
        }

    def wait(self) -> None:
        """Returns when somebody has asked the sandbox to end."""
        while not self._stopping.wait(1.0):  # see signals.py: a wait without a limit may miss a signal
            pass

    def close(self) -> None:
        """Ends the workers, moto and MySQL; may be called twice."""
        self._ends.close()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _state(cluster: Cluster) -> str:
    """Its status, or of an available one whether it is paused."""
    now = cluster.status()
    return str(cluster.state()) if now == status.AVAILABLE else now


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
    clients("ec2").describe_vpcs()
    clients("rds").describe_db_clusters()
    clients("iam").list_roles()
    clients("logs").describe_log_groups()


def main() -> int:
    """Runs a sandbox until it is told to end; what goes wrong goes to standard error."""
    parser = argparse.ArgumentParser(prog="aurora_sandbox.server")
    parser.add_argument("--ready-fd", type=int, required=True, help="where to write the status when it is ready")
    parser.add_argument("--mysqld")
    parser.add_argument("--region", default=REGION)
    parser.add_argument("--partial-revokes", choices=("on", "off"), default="on")
    parser.add_argument("--rollback-style", choices=get_args(RollbackStyle), default="update")
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
            sandbox = Sandbox.start(
                binary=binary,
                partial_revokes=partial_revokes,
                region=options.region,
                rollback_style=options.rollback_style,
            )
        except SandboxError as error:
            json.dump({"problems": [asdict(problem) for problem in error.problems]}, ready)
            return 1
        ends.enter_context(sandbox)
        json.dump({"status": sandbox.status(), "environment": sandbox.environment()}, ready)
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
