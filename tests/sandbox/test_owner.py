"""Who may use a sandbox: its owner, and nobody else on this machine, whatever they try.

Everything is tried twice without the key: by another user, where these tests run as root and can become one, and by the
same user. The same requests with the key are the control: they get through.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pymysql
import pytest
from botocore.exceptions import ClientError

from aurora_sandbox import lifecycle, mysqld
from aurora_sandbox.errors import SandboxError
from aurora_sandbox.server import Sandbox
from aurora_sandbox.sql import sql
from aurora_sandbox.state import Running, State
from tests.endpoint import client, endpoint_of, own

NOBODY = 65534
ANSWERS = """\
import cfnresponse


def handler(event, context):
    cfnresponse.send(event, context, cfnresponse.SUCCESS, {}, "asked")
"""
# What a function's key followed from before it was random.
GUESSED = "AKIAFN" + base64.b32encode(hashlib.sha256(b"shared-global-database-provider").digest()).decode()[:14]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TARGET = {"X-Amz-Target": "secretsmanager.ListSecrets", "Content-Type": "application/x-amz-json-1.1"}
CONFIGURATION = "/2015-03-31/functions/answers/configuration"
STACKS = "Action=DescribeStacks&Version=2010-05-15"
ROLE = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/a" + (
    "&RoleSessionName=me&WebIdentityToken=token"
)
PRESIGNED = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20261123T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature=00"


class Try(NamedTuple):
    """A request, and what refuses it."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: str
    refused: str  # a regular expression for the status and the body


def signed(service: str, key: str) -> dict[str, str]:
    scope = f"{key}/20261123/eu-west-1/{service}/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"}


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def presigned(service: str, key: str) -> str:
    return f"/?{PRESIGNED}&X-Amz-Credential={key}%2F20261123%2Feu-west-1%2F{service}%2Faws4_request"


def requests(key: str) -> dict[str, Try]:
    """Requests to AWS's services that are signed with this key, by what is special about them."""
    unknown = '^403 .*"The security token included in the request is invalid.".*UnrecognizedClientException'
    form, rest = "^403 .*<Code>InvalidClientTokenId</Code>", {"Content-Type": "application/json"}
    return {
        "a form": Try("POST", "/", {**signed("cloudformation", key), **FORM}, STACKS, form),
        "a form for moto": Try("POST", "/", {**signed("iam", key), **FORM}, "Action=ListRoles", form),
        "a target": Try("POST", "/", {**signed("secretsmanager", key), **TARGET}, "{}", unknown),
        "a path": Try("POST", "/Execute", {**signed("rds-data", key), **rest}, "{}", unknown),
        "a path of Lambda": Try("GET", CONFIGURATION, signed("lambda", key), "", unknown),
        "a bucket list": Try("GET", "/", signed("s3", key), "", "^403 .*<Code>InvalidAccessKeyId</Code>"),
        "EC2": Try(
            "POST", "/", {**signed("ec2", key), **FORM}, "Action=DescribeVpcs", "^401 .*<Code>AuthFailure</Code>"
        ),
        "a presigned URL": Try("GET", presigned("s3", key), {}, "", "^403 .*<Code>InvalidAccessKeyId</Code>"),
        "a service that there is not": Try("POST", "/", {**signed("nothing", key), **TARGET}, "{}", "^403 "),
        "moto's reset": Try("POST", "/moto-api/reset", signed("s3", key), "", "^403 "),
    }


OWN = {
    "status": ("GET", "status", ""),
    "clock": ("GET", "clock", ""),
    "a move of the clock": ("POST", "clock", '{"to": "+1h"}'),
    "logs": ("GET", "logs/f", ""),
    "pause": ("POST", "pause", '{"seconds": 1}'),
    "faults": ("POST", "faults", '{"set": {"name": "throttle", "service": "rds-data"}}'),
    "shutdown": ("POST", "shutdown", ""),
    "an answer that is asked for": ("GET", "cfn-response/token", ""),
    "nothing": ("GET", "nothing", ""),
}
OWNER_ONLY = "^403 .*only the sandbox's owner may ask this"
WEB = "^403 .*only programs on this machine may ask this"


def owns(headers: Mapping[str, str]) -> dict[str, Try]:
    """Every one of the sandbox's own endpoints, with these headers."""
    return {
        name: Try(method, f"/_sandbox/{path}", headers, body, OWNER_ONLY) for name, (method, path, body) in OWN.items()
    }


MISSING = "^403 .*Missing ?AuthenticationToken"
UNSIGNED = {
    "a form": Try("POST", "/", FORM, STACKS, MISSING),
    "a role for a token": Try("POST", "/", FORM, ROLE, MISSING),
    "a role for a token, in a URL": Try("GET", f"/?{ROLE}", {}, "", MISSING),
    "a target": Try("POST", "/", TARGET, "{}", MISSING),
    "a path": Try("GET", "/", {}, "", MISSING),
    "the old signature": Try("GET", "/", {"Authorization": "AWS sandbox:c2lnbmF0dXJl"}, "", MISSING),
    "moto's reset": Try("POST", "/moto-api/reset", {}, "", MISSING),
    "moto's reset, spelled otherwise": Try("POST", "/moto%2Dapi/reset", {}, "", MISSING),
    "what moto holds": Try("GET", "/moto-api/data.json", {}, "", MISSING),
    "a machine's credentials": Try("GET", "/latest/meta-data/iam/security-credentials/", {}, "", MISSING),
    "a way of moto to itself": Try("GET", "/s3_eu-west-1/", {}, "", MISSING),
    "a prefix that is spelled otherwise": Try("GET", "/%5Fsandbox/status", {}, "", MISSING),
    "two slashes": Try("GET", "//_sandbox/status", {}, "", "^403 "),
    "a whole URL": Try("GET", "http://127.0.0.1/_sandbox/status", {}, "", MISSING),
}


def from_web(key: str, port: int) -> dict[str, Try]:
    """What a web page can make a browser send: refused even with the key, which a page does not have."""
    aws = {**signed("cloudformation", key), **FORM}
    told = "/_sandbox/cfn-response/token"
    return {
        "a name that leads here": Try("POST", "/", {**aws, "Host": f"evil.example:{port}"}, STACKS, WEB),
        "a name without a port": Try("POST", "/", {**aws, "Host": "127.0.0.1"}, STACKS, WEB),
        "another port": Try("POST", "/", {**aws, "Host": "127.0.0.1:1"}, STACKS, WEB),
        "a name that begins as ours": Try("POST", "/", {**aws, "Host": f"127.0.0.1:{port}.evil.example"}, STACKS, WEB),
        "no name": Try("POST", "/", {**aws, "Host": ""}, STACKS, WEB),
        "a page's origin": Try("POST", "/", {**aws, "Origin": "https://evil.example"}, STACKS, WEB),
        "a file's origin": Try("POST", "/", {**aws, "Origin": "null"}, STACKS, WEB),
        "our own origin": Try("POST", "/", {**aws, "Origin": f"http://127.0.0.1:{port}"}, STACKS, WEB),
        "a question beforehand": Try("OPTIONS", "/", {"Origin": "https://evil.example"}, "", WEB),
        "a form to an own endpoint": Try("POST", "/_sandbox/shutdown", {**FORM, "Origin": "null"}, "a=b", WEB),
        "an own endpoint by a name": Try("GET", "/_sandbox/status", {"Host": "evil.example"}, "", WEB),
        "an answer by a name": Try("PUT", told, {"Host": "evil.example"}, "{}", WEB),
        "an answer from a page": Try("PUT", told, {"Origin": "https://evil.example"}, "{}", WEB),
    }


ATTACKS: dict[str, Try] = {
    **{f"old key: {name}": it for name, it in requests("sandbox").items()},
    **{f"a function's old key: {name}": it for name, it in requests(GUESSED).items()},
    **{f"what every key begins with: {name}": it for name, it in requests("AKIASANDBOX").items()},
    **{f"unsigned: {name}": it for name, it in UNSIGNED.items()},
    **{f"own, without a key: {name}": it for name, it in owns({}).items()},
    **{f"own, old key: {name}": it for name, it in owns(basic("sandbox", "sandbox")).items()},
    **{f"own, empty key: {name}": it for name, it in owns(basic("", "")).items()},
    **{f"own, signed: {name}": it for name, it in owns(signed("sandbox", "sandbox")).items()},
}
LOGINS = {name: (name, "") for name in ("root", "rdsadmin", "admin", "mysql.sys", "")} | {"guess": ("root", "root")}
PAGES = from_web("sandbox", 0).keys()


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that is everybody's, as /tmp is; what pytest gives is closed to others, and would prove nothing."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o1777)
        yield Path(directory)


@pytest.fixture(scope="module")
def running(place: Path, mysqld_binary: mysqld.Binary) -> Iterator[Running]:
    """A sandbox that keeps all its files there, with a cluster, and so a master user, and a function that has run."""
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TMPDIR", str(place))
            found = lifecycle.up(mysqld=None, tell=lambda _: None, directory=place / "state")
        endpoint = endpoint_of(found, lifecycle.environment(found))
        assert endpoint.deploy("shop", template(), Capabilities=["CAPABILITY_IAM"]) == "CREATE_COMPLETE"
        yield found
    finally:
        lifecycle.down(directory=place / "state")


def template() -> dict[str, Any]:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    cluster = {"Engine": "aurora-mysql", "MasterUsername": "admin", "ManageMasterUserPassword": True}
    function = {"Handler": "index.handler", "Runtime": "python3.13", "Code": {"ZipFile": ANSWERS}}
    return {
        "Resources": {
            "Cluster": {"Type": "AWS::RDS::DBCluster", "Properties": cluster},
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": [trust]}}},
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {**function, "FunctionName": "answers", "Role": {"Fn::GetAtt": ["Role", "Arn"]}},
            },
            "Asked": {"Type": "Custom::Asked", "Properties": {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}}},
        }
    }


@pytest.fixture(scope="module", params=["another user", "the same user"])
def attacker(request: pytest.FixtureRequest) -> int:
    """Whose user id the attempts are made with."""
    if request.param == "the same user":
        return os.getuid()
    if os.getuid() != 0:
        pytest.skip("to become another user, these tests have to run as root")
    return NOBODY


def attempted(uid: int, attempts: Mapping[str, tuple[Any, ...]]) -> dict[str, str]:
    """How each of these ended; see attacker.py."""
    command = [sys.executable, "-I", str(Path(__file__).with_name("attacker.py")), str(uid)]
    done = subprocess.run(command, input=json.dumps(attempts), capture_output=True, text=True, check=True, timeout=120)
    outcomes: dict[str, str] = json.loads(done.stdout)
    assert outcomes.pop("uid") == str(uid)
    assert outcomes.keys() == attempts.keys()
    return outcomes


def over_http(running: Running, tries: Mapping[str, Try]) -> dict[str, tuple[Any, ...]]:
    return {
        name: ("http", port_of(running), it.method, it.target, dict(it.headers), it.body) for name, it in tries.items()
    }


def port_of(running: Running) -> int:
    return int(running.endpoint.rpartition(":")[2])


@pytest.fixture(scope="module")
def outcomes(running: Running, attacker: int) -> dict[str, str]:
    """What came of every request without a key, and of every login at MySQL."""
    attempts = over_http(running, ATTACKS)
    attempts |= {f"MySQL: {name}": ("mysql", running.mysqld_port, *login) for name, login in LOGINS.items()}
    return attempted(attacker, attempts)


@pytest.fixture(scope="module")
def from_pages(running: Running, attacker: int) -> dict[str, str]:
    return attempted(attacker, over_http(running, from_web(running.access_key_id, port_of(running))))


@pytest.mark.parametrize("name", ATTACKS)
def test_without_the_key_nothing_answers(outcomes: dict[str, str], name: str):
    assert re.search(ATTACKS[name].refused, outcomes[name], re.DOTALL), outcomes[name]


@pytest.mark.parametrize("name", PAGES)
def test_a_web_page_is_refused_even_with_the_key(from_pages: dict[str, str], name: str):
    assert re.search(WEB, from_pages[name], re.DOTALL), from_pages[name]


@pytest.mark.parametrize("name", LOGINS)
def test_nobody_logs_in_at_mysql_without_a_password(outcomes: dict[str, str], name: str):
    assert re.match(r"OperationalError: \((1045|3118),", outcomes[f"MySQL: {name}"]), outcomes[f"MySQL: {name}"]


def test_no_refusal_says_anything_of_the_sandbox(running: Running, outcomes: dict[str, str]):
    """Neither its key nor what is in it, its account and its server included."""
    told = "\n".join(outcomes.values())
    for secret in (
        running.access_key_id,
        running.secret_access_key,
        running.id,
        running.mysqld_socket,
        "shop",
        "answers",
    ):
        assert secret not in told


def test_the_sandbox_stays_as_it_was(running: Running, attacker: int):
    """Nothing is moved, paused, made to fail, counted as a call or ended."""

    def asked(what: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(own(lifecycle.environment(running), what))
        return answer

    before = asked("status")
    attempted(attacker, over_http(running, ATTACKS | from_web(running.access_key_id, port_of(running))))
    assert asked("status") | {"clock": ""} == before | {"clock": ""}
    assert asked("clock")["ahead_seconds"] == 0


def test_guessed_tokens_of_custom_resources_all_get_the_same_answer(running: Running, attacker: int):
    guesses = ["token", "", "a" * 32, "../shutdown", "%2e%2e/status", "x/y", "?token"]
    tries = {it: Try("PUT", f"/_sandbox/cfn-response/{it}", {}, '{"Status": "SUCCESS"}', "") for it in guesses}
    answers = attempted(attacker, over_http(running, tries))
    assert {answer.partition(" {")[0] for answer in answers.values()} == {"200 "}
    assert json.loads(own(lifecycle.environment(running), "status"))["id"] == running.id


def test_an_answer_to_a_custom_resource_is_not_kept_whatever_its_length(running: Running, attacker: int):
    tries = {"long": Try("PUT", "/_sandbox/cfn-response/token", {}, "x" * (2 << 20), "")}
    assert attempted(attacker, over_http(running, tries))["long"].startswith("413 ")


@pytest.mark.parametrize("length", ["9" * 19, "9" * 5000, "-1", "ten"])
def test_a_length_that_can_be_none_is_refused(running: Running, attacker: int, length: str):
    target = f"/_sandbox/cfn-response/x HTTP/1.1\r\nHost: 127.0.0.1:{port_of(running)}"
    with socket.create_connection(("127.0.0.1", port_of(running))) as connection:
        connection.sendall(f"PUT {target}\r\nContent-Length: {length}\r\n\r\n".encode())
        assert connection.recv(12) == b"HTTP/1.1 400"


def test_a_long_body_does_not_keep_a_refusal_from_its_sender(running: Running, attacker: int):
    tries = {"long": requests("sandbox")["a form"]._replace(body="Action=CreateStack&TemplateBody=" + "x" * (1 << 20))}
    assert attempted(attacker, over_http(running, tries))["long"].startswith("403 ")


# What lies on this machine


@pytest.fixture(scope="module")
def stranger() -> int:
    if os.getuid() != 0:
        pytest.skip("to become another user, these tests have to run as root")
    return NOBODY


def test_another_user_reads_and_writes_no_file_of_the_sandbox(running: Running, place: Path, stranger: int):
    """The state with the key, root's password, MySQL's data, its TLS key, logs, the code of functions."""
    found = [path for path in place.rglob("*") if not path.is_symlink() and (path.is_dir() or path.is_file())]
    names = {path.name for path in found}
    assert {"state.json", "lock", "log", mysqld.ROOT, "init.sql", "error.log", "server-key.pem", "index.py"} <= names
    attempts = {f"read {path}": ("read", str(path)) for path in found}
    attempts |= {f"write {path}": ("write", str(path / "planted" if path.is_dir() else path)) for path in found}
    outcomes = attempted(stranger, attempts)
    assert {name: it for name, it in outcomes.items() if not it.startswith("PermissionError")} == {}


def test_another_user_gets_to_no_socket_of_mysql(running: Running, stranger: int):
    outcome = attempted(stranger, {"socket": ("connect", running.mysqld_socket)})["socket"]
    assert outcome.startswith("PermissionError"), outcome


def test_the_files_that_hold_the_key_are_for_their_owner_alone(running: Running, place: Path):
    """Also where nobody can be found who tries."""
    state, server = place / "state", Path(running.mysqld_socket).parent
    kept = (state / "state.json", state / "log", state / "lock", server / mysqld.ROOT, server / "init.sql")
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in place.iterdir()} == {0o700}


@pytest.fixture(scope="module")
def processes(running: Running) -> list[int]:
    """The sandbox's process, mysqld and a function's worker among them."""
    if not Path("/proc/self/environ").exists():
        pytest.skip("this system has no /proc")
    parents = {}
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            parents[int(directory.name)] = int((directory / "stat").read_text().rpartition(")")[2].split()[1])
    found = [running.pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    assert len(found) >= 4
    return found


def test_another_user_reads_no_environment_of_its_processes(processes: list[int], stranger: int):
    attempts = {
        f"{pid} {name}": ("read", f"/proc/{pid}/{name}") for pid in processes for name in ("environ", "fd", "mem")
    }
    outcomes = attempted(stranger, attempts)
    assert {name: it for name, it in outcomes.items() if not it.startswith("PermissionError")} == {}


def test_no_secret_is_in_an_argument_of_a_process_or_in_a_log(running: Running, place: Path, processes: list[int]):
    environments = [Path(f"/proc/{pid}/environ").read_text() for pid in processes]
    functions = re.findall(r"AWS_(?:ACCESS_KEY_ID=|SECRET_ACCESS_KEY=)([^\0]+)", "\0".join(environments))
    assert len(functions) >= 2, "no worker of a function is there"
    root = (Path(running.mysqld_socket).parent / mysqld.ROOT).read_text()
    said = [Path(f"/proc/{pid}/cmdline").read_text() for pid in processes]
    said += [path.read_text(errors="replace") for path in place.rglob("*log") if path.is_file()]
    for secret in (running.access_key_id, running.secret_access_key, root, *functions):
        assert secret not in "\n".join(said)


def test_the_front_and_mysql_are_all_that_listens(running: Running, processes: list[int]):
    """moto has no port of its own, over which its services could be asked by everybody."""
    sockets = {str(fd.readlink()) for pid in processes for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink()}
    table = [Path(f"/proc/{running.pid}/net/{name}") for name in ("tcp", "tcp6")]
    lines = [line.split() for path in table if path.exists() for line in path.read_text().splitlines()[1:]]
    listening = {it[1] for it in lines if it[3] == "0A" and f"socket:[{it[9]}]" in sockets}
    assert {(address, int(port, 16)) for address, port in (it.split(":") for it in listening)} == {
        ("0100007F", port_of(running)),
        ("0100007F", running.mysqld_port),
    }


def test_a_state_directory_that_somebody_else_has_made_is_not_used(tmp_path: Path, stranger: int):
    (tmp_path / "planted").mkdir()
    os.chown(tmp_path / "planted", stranger, stranger)
    (tmp_path / "linked").symlink_to(tmp_path / "planted")
    for name in ("planted", "linked"):
        with pytest.raises(SandboxError, match="cannot be kept in") as error, State(tmp_path / name).lock():
            pass
        assert error.value.problems[0].code == "not-yours"


def why_not_used(state: State) -> str:
    with pytest.raises(SandboxError, match="cannot be kept in") as error, state.lock():
        state.read()
    return error.value.problems[0].why


@pytest.mark.parametrize("mode", [0o755, 0o1777])
def test_a_state_directory_in_somebody_elses_is_not_used(tmp_path: Path, stranger: int, mode: int):
    """Who owns one of those above can put another in its place between a look at it and the reading of the key."""
    (tmp_path / "theirs" / "ours").mkdir(parents=True)
    os.chown(tmp_path / "theirs", stranger, stranger)
    (tmp_path / "theirs").chmod(mode)
    state = State(tmp_path / "theirs" / "ours" / "sandbox")
    assert why_not_used(state) == f"{tmp_path / 'theirs'} belongs to somebody else"
    assert not state.directory.exists()


def test_a_state_directory_in_one_that_all_may_write_to_needs_the_sticky_bit(tmp_path: Path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    state = State(tmp_path / "open" / "sandbox")
    assert why_not_used(state) == f"others may write to {tmp_path / 'open'}"
    (tmp_path / "open").chmod(0o1777)
    with state.lock() as descriptor:
        assert descriptor is not None


def test_a_state_file_that_others_may_use_is_not_read(tmp_path: Path, running: Running):
    state = State(tmp_path / "sandbox")
    state.write(running)
    assert state.read() == running
    (tmp_path / "sandbox" / "state.json").chmod(0o644)
    assert why_not_used(state) == "state.json belongs to somebody else, or others may use it"
    (tmp_path / "sandbox" / "state.json").unlink()
    (tmp_path / "sandbox" / "state.json").symlink_to(tmp_path / "elsewhere")
    assert "state.json" in why_not_used(state)


# With the key


def test_the_owner_gets_through(running: Running, attacker: int):
    """Whatever user holds the key: the same requests as above, and the service's own answer to each."""
    others = {"moto's reset": "404 ", "a service that there is not": "500 moto failed: "}
    tries = requests(running.access_key_id)
    for name, outcome in attempted(attacker, over_http(running, tries)).items():
        assert not re.search(tries[name].refused, outcome, re.DOTALL), outcome
        assert outcome.startswith(others.get(name, ("200 ", "400 "))), outcome


def test_the_owner_asks_the_sandboxs_own_endpoints(running: Running, attacker: int):
    tries = owns(basic(running.access_key_id, running.secret_access_key))
    harmless = {name: tries[name] for name in ("status", "clock", "logs", "nothing")}
    outcomes = attempted(attacker, over_http(running, harmless))
    assert {name: it[:4] for name, it in outcomes.items()} == {**dict.fromkeys(harmless, "200 "), "nothing": "404 "}


def test_the_name_localhost_is_as_good(running: Running, attacker: int):
    aws = {**signed("cloudformation", running.access_key_id), **FORM, "Host": f"LocalHost:{port_of(running)}"}
    tries = {"localhost": Try("POST", "/", aws, STACKS, "")}
    assert attempted(attacker, over_http(running, tries))["localhost"].startswith("200 ")


def test_a_signature_is_not_enough_for_the_sandboxs_own_endpoints(running: Running, attacker: int):
    """The id of the key is in every presigned URL that its owner gives away; the secret is in none."""
    tries = owns(signed("sandbox", running.access_key_id)) | {
        "the id alone": Try("GET", "/_sandbox/status", basic(running.access_key_id, "sandbox"), "", OWNER_ONLY)
    }
    for outcome in attempted(attacker, over_http(running, tries)).values():
        assert re.search(OWNER_ONLY, outcome), outcome


def test_a_function_has_a_key_that_is_for_aws_alone(running: Running, processes: list[int]):
    """The sandbox's own endpoints are closed to it; so is all that its role does not allow."""
    started = "\0".join(Path(f"/proc/{pid}/environ").read_text() for pid in processes)
    [(key_id, secret)] = re.findall(r"AWS_ACCESS_KEY_ID=(\w+)\0AWS_SECRET_ACCESS_KEY=([^\0]+)", started)
    assert key_id != running.access_key_id
    tries = owns(basic(key_id, secret))
    for outcome in attempted(os.getuid(), over_http(running, tries)).values():
        assert re.search(OWNER_ONLY, outcome), outcome
    variables = lifecycle.environment(running) | {"AWS_ACCESS_KEY_ID": key_id}
    assert client(variables, "sts").get_caller_identity()["Account"] == "123456789012"
    with pytest.raises(ClientError, match="AccessDenied"):
        client(variables, "secretsmanager").list_secrets()


def test_root_is_for_whoever_may_read_the_servers_directory(running: Running):
    assert sql(running, "SELECT CURRENT_USER(), @@hostname IS NULL").rows == (("root@localhost", 0),)
    with pytest.raises(pymysql.OperationalError, match="1045"):
        pymysql.connect(host="127.0.0.1", port=running.mysqld_port, user="root", password="", ssl_disabled=True)


@pytest.mark.parametrize(
    ("service", "call", "code"),
    [
        ("cloudformation", "describe_stacks", "InvalidClientTokenId"),
        ("iam", "list_roles", "InvalidClientTokenId"),
        ("rds", "describe_db_clusters", "InvalidClientTokenId"),
        ("sts", "get_caller_identity", "InvalidClientTokenId"),
        ("cloudwatch", "list_metrics", "(InvalidClientTokenId|UnrecognizedClientException)"),
        ("secretsmanager", "list_secrets", "UnrecognizedClientException"),
        ("lambda", "list_functions", "UnrecognizedClientException"),
        ("scheduler", "list_schedules", "UnrecognizedClientException"),
        ("logs", "describe_log_groups", "UnrecognizedClientException"),
        ("s3", "list_buckets", "InvalidAccessKeyId"),
        ("ec2", "describe_vpcs", "AuthFailure"),
    ],
)
def test_the_key_of_one_sandbox_is_unknown_to_another(
    running: Running, sandbox: Sandbox, service: str, call: str, code: str
):
    """In AWS's own words, which every SDK reads."""
    ours, theirs = lifecycle.environment(running), sandbox.environment()
    assert ours["AWS_ACCESS_KEY_ID"] != theirs["AWS_ACCESS_KEY_ID"]
    with pytest.raises(ClientError) as refused:
        getattr(client({**theirs, **keys(ours)}, service), call)()
    assert re.fullmatch(code, refused.value.response["Error"]["Code"])
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == (401 if service == "ec2" else 403)


def keys(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name.endswith(("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))}
