"""Credentials, a region, an answer, a clock: what every other check needs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.doctor.conftest import SHOP, Examine, bad, empty, only_problem, result_of
from tests.cli.test_policies import role_of
from tests.cloud import Cloud
from tests.endpoint import set_environment


def test_world_1_there_are_no_credentials(examine: Examine, run: CommandLine, monkeypatch: pytest.MonkeyPatch):
    run.file(SHOP)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    code, checks = examine()
    assert only_problem(code, checks)["check"] == "credentials"
    rest = {check["check"]: check["result"] for check in checks} | {"credentials": "problem"}
    ok = {name for name, result in rest.items() if result == "ok"}
    assert ok == {"file", "names"}
    assert set(rest.values()) == {"ok", "problem", "not-checked"}


def test_world_2_there_is_no_region(examine: Examine, monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    problem = only_problem(*examine())
    assert (problem["check"], "--region" in problem["fix"]) == ("credentials", True)


def test_world_3_nothing_listens_where_aws_should_be(examine: Examine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    problem = only_problem(*examine())
    assert problem["check"] == "credentials"
    assert "Could not connect to the endpoint URL" in problem["found"]


def test_world_4_the_key_is_wrong(examine: Examine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    problem = only_problem(*examine())
    assert problem["check"] == "credentials"
    assert problem["found"] == "could not use the AWS credentials: the AWS credentials are wrong"


def test_the_profiles_role_may_not_be_assumed(
    examine: Examine, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Asked for with the key of a function, for which the sandbox looks at the role's policies."""
    outputs = {"Key": {"Value": {"Fn::GetAtt": ["Nobody", "Key"]}}}
    body = {"Resources": role_of("Nobody", []), "Outputs": outputs}
    assert cloud.deploy("ci", body, Capabilities=["CAPABILITY_IAM"]) == "CREATE_COMPLETE"
    (key,) = cloud.client("cloudformation").describe_stacks(StackName="ci")["Stacks"][0]["Outputs"]
    profiles = f"""
[profile base]
aws_access_key_id = {key["OutputValue"]}
aws_secret_access_key = x
[profile deploy]
role_arn = arn:aws:iam::123456789012:role/deploy
source_profile = base
"""
    (tmp_path / "config").write_text(profiles)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    problem = only_problem(*examine("--profile deploy"))
    assert problem["check"] == "credentials"
    assert "not authorized to perform: sts:AssumeRole" in problem["found"]
    assert problem["fix"].startswith(
        "you may not assume the role of this profile: its trust policy must name who calls"
    )


def test_whoever_is_throttled_may_have_access_all_the_same(examine: Examine, cloud: Cloud):
    cloud.throttle("sts", "GetCallerIdentity", 3)
    code, checks = examine()
    assert (code, bad(checks)) == (0, {})
    assert bad(checks, "warning").keys() == {"credentials"}
    assert result_of(checks, "shared-stack") == "ok"


class Refusing(BaseHTTPRequestHandler):
    """Refuses every call as STS does. The sandbox verifies no signature's time."""

    code, message, ahead = "", "", timedelta()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = (
            f"<ErrorResponse><Error><Code>{self.code}</Code><Message>{self.message}</Message></Error></ErrorResponse>"
        )
        self.send_response_only(403)
        self.send_header("Date", format_datetime(datetime.now(UTC) + self.ahead, usegmt=True))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def refusing(code: str, message: str, *, ahead: timedelta = timedelta()) -> Iterator[str]:
    handler = type("Handler", (Refusing,), {"code": code, "message": message, "ahead": ahead})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_world_5_the_clock_is_wrong(examine: Examine, monkeypatch: pytest.MonkeyPatch):
    """AWS refuses the signature then, and calls it wrong: the clock is told, and not the key."""
    said = "Signature expired: 20261127T055715Z is now earlier than 20261127T060215Z (20261127T060715Z - 5 min.)"
    with refusing("SignatureDoesNotMatch", said, ahead=timedelta(minutes=10)) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        problem = only_problem(*examine())
    assert (problem["check"], problem["found"]) == ("clock", "this machine's clock is 10 min behind AWS's")


def test_a_sandbox_whose_clock_was_moved_is_a_warning(
    examine: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with empty(tmp_path) as moved:  # for good: a clock cannot be moved back
        set_environment(monkeypatch, moved.environment)
        moved.post("clock", {"to": "+10h"})
        code, checks = examine()
    assert (code, bad(checks)) == (0, {})
    assert bad(checks, "warning") == {"clock": ["this machine's clock is 10 h 0 min behind AWS's"]}
