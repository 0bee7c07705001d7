"""Lambda functions of the sandbox run in processes of their own and fail the way Lambda's do."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import aurora_sandbox
from aurora_sandbox.faults import Fault, Faults
from aurora_sandbox.functions import Function, Functions, inline
from aurora_sandbox.pool import FunctionCrashed, FunctionError, FunctionTimeout

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:f"


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def functions(faults: Faults) -> Iterator[Functions]:
    functions = Functions(endpoint_url="http://127.0.0.1:1", region="eu-west-1", time_scale=10_000, faults=faults)
    yield functions
    functions.close()


def deploy(functions: Functions, code: str, *, timeout_seconds: int = 10, **environment: str) -> None:
    role = "arn:aws:iam::123456789012:role/f"
    functions.put(Function("f", ARN, inline(code), "index.handler", role, timeout_seconds, environment))


def eventually(condition: Callable[[], bool], *, timeout_seconds: float = 10) -> bool:
    deadline = time.monotonic() + timeout_seconds
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            return False
        pause.wait(0.01)
    return True


def test_the_handler_gets_the_event_and_its_result_comes_back(functions: Functions) -> None:
    deploy(functions, "def handler(event, context):\n    return {'twice': event['n'] * 2}")
    assert functions.invoke("f", {"n": 21}) == {"twice": 42}


def test_a_function_is_invoked_by_its_arn_with_and_without_a_qualifier(functions: Functions) -> None:
    deploy(functions, "def handler(event, context):\n    return context.invoked_function_arn")
    assert [functions.invoke(ARN, {}), functions.invoke(f"{ARN}:live", {})] == [ARN, ARN]


def test_an_unknown_function_is_a_lookup_error_also_for_an_asynchronous_event(functions: Functions) -> None:
    with pytest.raises(LookupError, match="Function not found: g"):
        functions.invoke("g", {})
    with pytest.raises(LookupError, match="Function not found: g"):
        functions.invoke_async("g", {})


def test_a_worker_is_kept_warm_for_the_next_event(functions: Functions) -> None:
    deploy(functions, "import os\ndef handler(event, context):\n    return os.getpid()")
    assert functions.invoke("f", {}) == functions.invoke("f", {}) != os.getpid()


def test_new_code_runs_from_the_next_event_on(functions: Functions) -> None:
    deploy(functions, "def handler(event, context):\n    return 'old'")
    before = functions.invoke("f", {})
    deploy(functions, "def handler(event, context):\n    return 'new'")
    assert (before, functions.invoke("f", {})) == ("old", "new")


def test_the_context_tells_the_time_left_and_the_names_of_function_and_logs(functions: Functions) -> None:
    code = """
def handler(event, context):
    left = context.get_remaining_time_in_millis()
    return [context.function_name, context.log_group_name, bool(context.log_stream_name), left]
"""
    deploy(functions, code, timeout_seconds=5)
    name, group, has_stream, left = functions.invoke("f", {})
    assert (name, group, has_stream) == ("f", "/aws/lambda/f", True)
    assert 4000 < left <= 5000


def test_the_environment_holds_the_functions_own_variables_and_nothing_of_ours(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "PYTHONPATH", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "leak")
    deploy(functions, "import os\ndef handler(event, context):\n    return dict(os.environ)", CLUSTER="main")
    environment = functions.invoke("f", {})
    expected = {
        "CLUSTER": "main",
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "TZ": ":UTC",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": functions.key("f").id,
        "AWS_SECRET_ACCESS_KEY": functions.key("f").secret,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
    }
    assert {name: environment.get(name) for name in expected} == expected
    # LC_CTYPE and __CF_USER_TEXT_ENCODING are set by Python and macOS when a process starts.
    started_with = {"HOME", "AWS_LAMBDA_LOG_STREAM_NAME", "LC_CTYPE", "__CF_USER_TEXT_ENCODING"}
    assert set(environment) - set(expected) <= started_with


def test_the_package_under_test_is_not_next_to_the_handler(functions: Functions) -> None:
    deploy(functions, "import sys\ndef handler(event, context):\n    return sys.path")
    assert str(Path(aurora_sandbox.__file__).parent) not in functions.invoke("f", {})


def test_a_functions_access_key_leads_back_to_it(functions: Functions) -> None:
    deploy(functions, "")
    assert functions.function_of(functions.key("f").id) == functions.get("f")
    assert functions.function_of(functions.key("g").id) is None


def test_a_functions_access_key_does_not_follow_from_its_name(functions: Functions) -> None:
    other = Functions(endpoint_url="http://127.0.0.1:1", region="eu-west-1")
    try:
        assert functions.key("f") == functions.key("f") != other.key("f")
    finally:
        other.close()


def test_what_the_handler_prints_is_its_log(functions: Functions) -> None:
    deploy(functions, "import sys\ndef handler(event, context):\n    print('out')\n    print('err', file=sys.stderr)")
    functions.invoke("f", {})
    assert functions.logs("f").split() == ["out", "err"]


def test_an_exception_comes_back_with_type_message_and_trace_and_the_worker_stays(functions: Functions) -> None:
    code = "import os\ndef handler(event, context):\n    if event:\n        return os.getpid()\n    raise KeyError('x')"
    deploy(functions, code)
    before = functions.invoke("f", {"pid": True})
    with pytest.raises(FunctionError) as raised:
        functions.invoke("f", {})
    assert (raised.value.type, raised.value.message) == ("KeyError", "'x'")
    assert "index.py" in "".join(raised.value.trace)
    assert functions.invoke("f", {"pid": True}) == before


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        ("import nowhere", "Runtime.ImportModuleError", "Unable to import module 'index': No module named 'nowhere'"),
        ("", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'index'"),
        ("1 / 0", "ZeroDivisionError", "division by zero"),
        ("def handler(", "SyntaxError", "'(' was never closed (index.py, line 1)"),
        (
            "def handler(event, context): return {1}",
            "Runtime.MarshalError",
            "Unable to marshal response: Object of type set is not JSON serializable",
        ),
    ],
)
def test_code_that_cannot_answer_says_why(functions: Functions, code: str, kind: str, message: str) -> None:
    deploy(functions, code)
    with pytest.raises(FunctionError) as raised:
        functions.invoke("f", {})
    assert (raised.value.type, raised.value.message) == (kind, message)


def test_a_handler_over_its_time_is_killed_and_the_next_event_gets_a_new_process(functions: Functions) -> None:
    code = "import time\ndef handler(event, context):\n    time.sleep(event['seconds'])\n    return 'done'"
    deploy(functions, code, timeout_seconds=1)
    with pytest.raises(FunctionTimeout):
        functions.invoke("f", {"seconds": 60})
    assert "Task timed out after 1.00 seconds" in functions.logs("f")
    assert functions.invoke("f", {"seconds": 0}) == "done"


def test_a_handler_that_ends_its_process_is_a_crash(functions: Functions) -> None:
    deploy(functions, "import os\ndef handler(event, context):\n    os._exit(3)")
    with pytest.raises(FunctionCrashed, match="exit status 3"):
        functions.invoke("f", {})


def test_events_run_side_by_side_up_to_the_number_of_workers(functions: Functions, tmp_path: Path) -> None:
    code = """
import os, pathlib, time
def handler(event, context):
    here = pathlib.Path(event["directory"])
    (here / str(os.getpid())).touch()
    while len(list(here.iterdir())) < 2:
        time.sleep(0.01)
"""
    deploy(functions, code)
    threads = [threading.Thread(target=functions.invoke, args=("f", {"directory": str(tmp_path)})) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_function_that_reserves_one_serves_one_event_after_the_other(functions: Functions, tmp_path: Path) -> None:
    code = """
import pathlib, time
def handler(event, context):
    here = pathlib.Path(event["directory"])
    (here / "busy").mkdir()
    time.sleep(0.1)
    (here / "busy").rmdir()
    (here / event["name"]).touch()
"""
    function = Function("f", ARN, inline(code), "index.handler", "arn:aws:iam::1:role/f", 10, {}, reserved=1)
    functions.put(function)
    for name in ("a", "b", "c"):
        functions.invoke_async("f", {"directory": str(tmp_path), "name": name})
    assert eventually(lambda: functions.running() == 0 and len(list(tmp_path.iterdir())) == 3)
    assert "FileExistsError" not in functions.logs("f")


@pytest.mark.parametrize(("retries", "attempts"), [(None, 3), (1, 2), (0, 1)])
def test_a_failing_asynchronous_event_is_repeated_with_the_same_event(
    functions: Functions, retries: int | None, attempts: int
) -> None:
    deploy(functions, "def handler(event, context):\n    print('got', event['n'])\n    raise ValueError('no')")
    functions.set_retries("f", retries)
    functions.invoke_async("f", {"n": 1})
    assert eventually(lambda: functions.logs("f").count(" ValueError: no\n") == attempts)
    assert functions.logs("f").count("got 1") == attempts


def test_an_asynchronous_event_that_succeeds_at_the_second_attempt_ends_there(
    functions: Functions, tmp_path: Path
) -> None:
    code = """
import os
def handler(event, context):
    attempts = open(event["file"], "a+")
    attempts.write("x"); attempts.seek(0)
    if attempts.read() == "x":
        os._exit(1)
    print("served")
"""
    deploy(functions, code)
    functions.invoke_async("f", {"file": str(tmp_path / "attempts")})
    assert eventually(lambda: "served" in functions.logs("f"))
    assert (tmp_path / "attempts").read_text() == "xx"


def test_a_crash_fault_crashes_every_event_until_it_is_taken_away(functions: Functions, faults: Faults) -> None:
    deploy(functions, "def handler(event, context):\n    return 'done'")
    faults.set(Fault("crash-before", function="f"))
    with pytest.raises(FunctionCrashed):
        functions.invoke("f", {})
    faults.clear()
    assert functions.invoke("f", {}) == "done"


def test_a_hang_fault_ends_in_a_timeout_in_scaled_time(functions: Functions, faults: Faults) -> None:
    deploy(functions, "def handler(event, context):\n    return 'done'", timeout_seconds=300)
    faults.set(Fault("hang", function="f"))
    with pytest.raises(FunctionTimeout):
        functions.invoke("f", {})


def test_an_event_that_comes_twice_or_late_or_whose_function_crashes_at_the_end_has_done_its_work(
    functions: Functions, faults: Faults
) -> None:
    deploy(functions, "def handler(event, context):\n    print('got', event['n'])\n    return 'done'")
    faults.set(Fault("called-twice", function="f", times=1))
    faults.set(Fault("called-late", function="f", seconds=0.05, nth=2))
    faults.set(Fault("crash-after", function="f", nth=3))
    assert functions.invoke("f", {"n": 1}) == "done"
    begun = time.monotonic()
    assert functions.invoke("f", {"n": 2}) == "done"
    assert time.monotonic() - begun >= 0.05
    with pytest.raises(FunctionCrashed):
        functions.invoke("f", {"n": 3})
    assert functions.logs("f").splitlines()[:-1] == ["got 1", "got 1", "got 2", "got 3"]


def test_an_event_meets_the_faults_of_its_function_and_of_all(functions: Functions, faults: Faults) -> None:
    faults.set(Fault("crash-before", function="rotation"))
    faults.set(Fault("called-late", seconds=3))
    assert faults.event("shared-global-rotation") == {"crash-before": 0, "called-late": 3}
    assert faults.event("shared-global-provider") == {"called-late": 3}


def test_only_a_permitted_principal_may_invoke(functions: Functions) -> None:
    deploy(functions, "")
    before = functions.allows(ARN, "secretsmanager.amazonaws.com")
    functions.permit("f", "rotation", "secretsmanager.amazonaws.com")
    permitted = functions.allows(ARN, "secretsmanager.amazonaws.com")
    functions.permit("f", "rotation", None)
    assert (before, permitted, functions.allows(ARN, "secretsmanager.amazonaws.com")) == (False, True, False)


def test_cfnresponse_puts_the_answer_of_a_custom_resource(functions: Functions) -> None:
    bodies: list[bytes] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the test's output clean."""

    code = """
import cfnresponse
def handler(event, context):
    cfnresponse.send(event, context, cfnresponse.SUCCESS, {"Server": "main"}, "id-1")
"""
    deploy(functions, code)
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/token"
        functions.invoke("f", {"ResponseURL": url, "StackId": "s", "RequestId": "r", "LogicalResourceId": "l"})
    assert b'"Status": "SUCCESS"' in bodies[0]
    assert b'"PhysicalResourceId": "id-1"' in bodies[0]
    assert b'"Data": {"Server": "main"}' in bodies[0]


def test_closing_ends_busy_workers_too(tmp_path: Path) -> None:
    functions = Functions(endpoint_url="http://127.0.0.1:1", region="eu-west-1")
    code = "import os, time\ndef handler(event, context):\n    open(event['file'], 'w').close()\n    time.sleep(60)"
    deploy(functions, code, timeout_seconds=60)
    failures: list[BaseException] = []

    def call() -> None:
        try:
            functions.invoke("f", {"file": str(tmp_path / "started")})
        except FunctionCrashed as error:
            failures.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    assert eventually((tmp_path / "started").exists)
    functions.close()
    thread.join(10)
    assert len(failures) == 1
