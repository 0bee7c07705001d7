"""Sandboxes in the background and beside a command: real processes, and none of them left over."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from aurora_sandbox import lifecycle, mysqld
from aurora_sandbox.errors import SandboxError
from aurora_sandbox.keys import key_in
from aurora_sandbox.server import Sandbox
from aurora_sandbox.sql import Table, sql
from aurora_sandbox.state import Running, State
from tests.endpoint import client


def codes(error: pytest.ExceptionInfo[SandboxError]) -> list[str]:
    return [problem.code for problem in error.value.problems]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def port_of(endpoint: str) -> int:
    return int(endpoint.rpartition(":")[2])


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state") / "sandbox"


@pytest.fixture(scope="module")
def deployed_with() -> list[Mapping[str, str]]:
    return []


@pytest.fixture(scope="module")
def running(directory: Path, deployed_with: list[Mapping[str, str]], mysqld_binary: mysqld.Binary) -> Iterator[Running]:
    yield lifecycle.up(
        mysqld=None,
        partial_revokes=True,
        tell=lambda _: None,
        deploy=deployed_with.append,
        rollback_style="restore",
        directory=directory,
    )
    lifecycle.down(directory=directory)


def test_into_a_new_sandbox_is_deployed(running: Running, deployed_with: list[Mapping[str, str]]):
    assert deployed_with == [lifecycle.environment(running)]


def test_the_environment_leads_to_the_sandbox(running: Running, monkeypatch: pytest.MonkeyPatch):
    for name, value in lifecycle.environment(running).items():
        monkeypatch.setenv(name, value)
    assert boto3.session.Session().client("cloudformation").describe_stacks()["Stacks"] == []


def test_a_second_up_finds_the_first(running: Running, directory: Path):
    told: list[str] = []
    again = lifecycle.up(mysqld=None, partial_revokes=True, tell=told.append, directory=directory)
    assert again == running
    assert told == [f"a sandbox is running already, at {running.endpoint}"]


def test_into_a_running_sandbox_is_deployed_again(
    running: Running, directory: Path, deployed_with: list[Mapping[str, str]]
):
    before = len(deployed_with)
    lifecycle.up(mysqld=None, tell=lambda _: None, deploy=deployed_with.append, directory=directory)
    assert deployed_with[before:] == [lifecycle.environment(running)]
    del deployed_with[before:]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"region": "us-east-1"}, "its region is eu-west-1, not us-east-1"),
        ({"partial_revokes": False}, "partial_revokes is on in it"),
        ({"rollback_style": "update"}, "its rollback style is restore"),
    ],
)
def test_another_sandbox_than_the_one_that_runs_is_refused(
    running: Running, directory: Path, asked: dict[str, Any], why: str
):
    with pytest.raises(SandboxError) as error:
        lifecycle.up(mysqld=None, tell=lambda _: None, directory=directory, **asked)
    (problem,) = error.value.problems
    assert (problem.why, problem.fix) == (why, "end it first: aurora-tenants sandbox down")


def test_a_sandbox_is_found_by_its_variables_alone(running: Running, tmp_path: Path):
    variables = lifecycle.environment(running)
    assert lifecycle.current(environ=variables, directory=tmp_path) == running
    for elsewhere in ("http://127.0.0.1:1", "https://aws.example", "http://127.0.0.1:1@aws.example", "http://["):
        assert lifecycle.current(environ=variables | {"AWS_ENDPOINT_URL": elsewhere}, directory=tmp_path) is None


def test_the_status_is_what_the_sandbox_says_of_itself(running: Running, directory: Path):
    said = lifecycle.status(directory=directory)
    assert said is not None
    assert (said["id"], said["pid"], said["endpoint"]) == (running.id, running.pid, running.endpoint)


def test_only_its_owner_can_look_into_the_state_directory(running: Running, directory: Path):
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_sql_runs_as_root(running: Running):
    assert sql(running, "SELECT 1 AS one, CURRENT_USER() AS me") == Table(("one", "me"), ((1, "root@localhost"),))


def test_sql_runs_as_a_user_with_the_password_from_its_secret(running: Running, secrets):
    sql(running, "CREATE USER shop IDENTIFIED BY 'first'")
    content = json.dumps({"username": "shop", "password": "first"})
    secrets.create_secret(Name="/shared/database/shop", SecretString=content)
    assert sql(running, "SELECT CURRENT_USER()", user="shop").rows == (("shop@%",),)
    sql(running, "ALTER USER shop REQUIRE SSL")
    assert sql(running, "SELECT CURRENT_USER()", user="shop").rows == (("shop@%",),)


def test_sql_says_what_mysql_refused_and_to_whom(running: Running):
    with pytest.raises(SandboxError, match=r"MySQL refused it, as root: .*nowhere.* \(1049\)") as error:
        sql(running, "USE nowhere")
    assert codes(error) == ["statement-failed"]


def test_sql_needs_exactly_one_secret(running: Running, secrets):
    with pytest.raises(SandboxError) as error:
        sql(running, "SELECT 1", user="nobody")
    assert codes(error) == ["no-such-user"]
    for cluster in ("one", "two"):
        secrets.create_secret(Name=f"/{cluster}/database/twin", SecretString="{}")
    with pytest.raises(SandboxError, match="/one/database/twin, /two/database/twin") as error:
        sql(running, "SELECT 1", user="twin")
    assert codes(error) == ["several-users"]


@pytest.fixture
def secrets(running: Running):
    return client(lifecycle.environment(running), "secretsmanager")


def test_down_ends_the_sandbox_and_its_mysql(running: Running, directory: Path):
    """The last test of this sandbox: pytest keeps the order of the file."""
    assert lifecycle.down(directory=directory)
    assert not listens(port_of(running.endpoint))
    assert not listens(running.mysqld_port)
    assert lifecycle.status(directory=directory) is None
    assert not lifecycle.down(directory=directory)


def test_a_sandbox_into_which_nothing_can_be_deployed_is_ended(tmp_path: Path, mysqld_binary: mysqld.Binary):
    ports: list[int] = []

    def deploy(environment: Mapping[str, str]) -> None:
        ports.append(port_of(environment["AWS_ENDPOINT_URL"]))
        raise RuntimeError("no such template")

    with pytest.raises(RuntimeError, match="no such template"):
        lifecycle.up(mysqld=None, partial_revokes=False, tell=lambda _: None, deploy=deploy, directory=tmp_path)
    assert not listens(ports[0])
    assert lifecycle.current(directory=tmp_path) is None


def test_a_mysqld_that_cannot_be_used_is_refused_before_anything_starts(tmp_path: Path):
    with pytest.raises(SandboxError) as error:
        lifecycle.up(mysqld=str(tmp_path / "mysqld"), partial_revokes=True, tell=lambda _: None, directory=tmp_path)
    assert codes(error) == ["mysqld-unusable"]
    assert lifecycle.current(directory=tmp_path) is None


def test_a_mysqld_that_cannot_have_users_of_iam_is_said_to_be_one(tmp_path: Path):
    """It comes without any plugin; that it does not start either is another matter."""
    program = tmp_path / "mysqld"
    program.write_text("#!/bin/sh\necho 'mysqld  Ver 8.4.6 for Linux on x86_64 (Source distribution)'\n[ $# = 2 ]\n")
    program.chmod(0o755)
    told: list[str] = []
    with pytest.raises(SandboxError):
        lifecycle.up(mysqld=str(program), partial_revokes=True, tell=told.append, directory=tmp_path / "state")
    said = "the sandbox refuses users with AWSAuthenticationPlugin (1524): this MySQL server comes without"
    assert told == [f"{said} mysql_no_login.so", "starting the sandbox"]


def test_without_the_extra_the_fix_is_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "moto", None)  # what Python's import system takes for "not installed"
    with pytest.raises(SandboxError) as error:
        lifecycle.up(mysqld=None, partial_revokes=True, tell=lambda _: None, directory=tmp_path)
    (problem,) = error.value.problems
    assert problem.fix == "install the package with its extra `sandbox`; in a clone: pip install '.[sandbox]'"
    assert problem.why == "it needs Python packages that are not here: moto"


def test_down_does_not_end_a_process_that_is_not_the_sandbox_it_started(sandbox: Sandbox, tmp_path: Path):
    state, key = State(tmp_path), key_in(sandbox.environment())
    assert key is not None
    with state.lock():
        state.write(
            Running(
                "another",
                os.getpid(),
                sandbox.endpoint_url,
                "eu-west-1",
                "2026-01-01T00:00:00",
                0,
                "",
                key.id,
                key.secret,
            )
        )
        with pytest.raises(SandboxError) as error:
            lifecycle.down(directory=tmp_path)
    assert codes(error) == ["another-sandbox"]


def test_a_sandbox_that_does_not_answer_is_named_with_its_process(tmp_path: Path):
    state = State(tmp_path)
    with state.lock():
        state.write(Running("dead", 4711, "http://127.0.0.1:1", "eu-west-1", "2026-01-01T00:00:00", 0, "", "", ""))
        with pytest.raises(SandboxError) as error:
            lifecycle.status(directory=tmp_path)
    (problem,) = error.value.problems
    assert (problem.code, problem.fix) == ("does-not-answer", "kill 4711")


def test_while_another_process_starts_one_there_is_none_to_use(tmp_path: Path):
    with State(tmp_path).lock(), pytest.raises(SandboxError) as error:
        lifecycle.current(directory=tmp_path)
    assert codes(error) == ["still-starting"]


RUN = """
import sys
from aurora_sandbox import lifecycle
sys.exit(lifecycle.run(sys.argv[1:], mysqld=None, partial_revokes=True, tell=lambda _: None))
"""


def start_run(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *command], stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def test_run_gives_the_command_a_sandbox_and_passes_on_its_exit_code(mysqld_binary: mysqld.Binary):
    code = """
import boto3, os, sys
print(boto3.client("sts").get_caller_identity()["Account"], os.environ["AWS_ENDPOINT_URL"])
sys.exit(7)
"""
    with start_run(sys.executable, "-c", code) as process:
        account, endpoint = process.communicate(timeout=60)[0].split()
    assert (process.returncode, account) == (7, "123456789012")
    assert not listens(port_of(endpoint))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_passes_signals_on_and_leaves_nothing_behind(number: signal.Signals, mysqld_binary: mysqld.Binary):
    script = 'trap "exit 9" TERM INT; echo $AWS_ENDPOINT_URL; while :; do sleep 0.05; done'
    with start_run("/bin/sh", "-c", script) as process:
        assert process.stdout is not None
        endpoint = process.stdout.readline().strip()
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == 9
    assert not listens(port_of(endpoint))


def test_a_run_that_is_ended_while_it_starts_leaves_nothing_behind(tmp_path: Path):
    """MySQL is on its way when the signal comes; its data lies in the directory for temporary files."""
    with subprocess.Popen(
        [sys.executable, "-c", RUN, "true"], env={**os.environ, "TMPDIR": str(tmp_path)}, start_new_session=True
    ) as process:
        while process.poll() is None and not any(tmp_path.glob("aurora-tenants-*")):
            pass
        process.terminate()
        process.wait(60)
    assert process.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_a_region_that_does_not_exist_is_refused_before_anything_starts(tmp_path: Path):
    with pytest.raises(SandboxError) as error:
        lifecycle.up(mysqld=None, tell=lambda _: None, region="eu-west-11", directory=tmp_path / "state")
    (problem,) = error.value.problems
    assert (problem.what, problem.fix) == ("there is no AWS region eu-west-11", "did you mean eu-west-1?")
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("name", "why"), [("file", "it is not executable"), (".", "it is a directory"), ("gone", "there is no such file")]
)
def test_run_says_why_a_file_is_no_command(tmp_path: Path, name: str, why: str):
    (tmp_path / "file").touch()
    with pytest.raises(SandboxError) as error:
        lifecycle.run([f"{tmp_path}/{name}"], mysqld=None, tell=lambda _: None)
    assert [problem.why for problem in error.value.problems] == [why]


def test_run_says_which_command_it_cannot_find_before_it_starts_anything():
    with pytest.raises(SandboxError) as error:
        lifecycle.run(["no-such-command"], mysqld=None, partial_revokes=True, tell=lambda _: None)
    assert codes(error) == ["no-such-command"]
