"""Lambda functions of the sandbox: deployed code, run in processes of its own with the environment Lambda gives it.

    functions.put(Function("provider", arn, inline(code), "index.handler", role_arn, 300, {"CLUSTER": …}))
    functions.invoke("provider", event)            the handler's result, or an InvocationFailed
    functions.invoke_async("provider", event)      returns at once; failures are retried twice, as Lambda does

A function's calls to AWS carry an access key of its own, random as the owner's, so that the sandbox knows whose role to
ask.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import tempfile
import threading
import uuid
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from aurora_sandbox import private
from aurora_sandbox.faults import Faults
from aurora_sandbox.keys import AccessKey, new_key
from aurora_sandbox.pool import InvocationFailed, Pool, Worker

CFNRESPONSE = Path(__file__).with_name("cfnresponse.py")
WORKERS = 4  # of each function at most; further events wait
# Of an account, and of that for functions without a reservation. ("Lambda quotas", Lambda Developer Guide)
CONCURRENT, UNRESERVED = 1_000, 100
RETRY_DELAYS_SECONDS = (60.0, 120.0)  # between the attempts of an asynchronous invocation; Lambda's own

_INSIDE = (
    "crash-before",
    "hang",
    "crash-after",
)  # what happens in the worker; the first of them, if an event meets several


@dataclass(frozen=True, slots=True)
class Function:
    """A deployed function; `code` is a zip. reserved: how many of its events are served at once, None: any number."""

    name: str
    arn: str
    code: bytes
    handler: str
    role_arn: str
    timeout_seconds: int
    environment: Mapping[str, str]
    runtime: str = "python3.13"
    memory_mb: int = 128
    reserved: int | None = None

    @property
    def revision(self) -> str:
        """What Lambda calls RevisionId: another one whenever anything of the function is."""
        return str(
            uuid.uuid5(uuid.NAMESPACE_URL, f"{self.arn} {self.code_sha256} {self.handler} {self.timeout_seconds}")
        )

    @property
    def code_sha256(self) -> str:
        """What Lambda calls CodeSha256."""
        return base64.b64encode(hashlib.sha256(self.code).digest()).decode()


def inline(text: str) -> bytes:
    """The zip that CloudFormation makes of code in a template: index.py, and the module cfnresponse beside it."""
    written = BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr(zipfile.ZipInfo("index.py"), text)
        archive.writestr(zipfile.ZipInfo(CFNRESPONSE.name), CFNRESPONSE.read_bytes())
    return written.getvalue()


@dataclass(slots=True)
class Deployed:
    """A function with its processes and what was set on it afterwards."""

    function: Function
    pool: Pool
    permissions: dict[str, dict[str, Any]]  # what a statement of its policy says, by the statement's id
    retries: int


class Functions:
    """All functions of a sandbox. `time_scale` shortens the retry delays, and how long a hanging fault hangs.

    authorities: the certificates that Lambda's file of them stands for; the machine's own by default.
    faults: those that events meet. failed: is told the name of a function that failed at an event.
    """

    def __init__(
        self,
        *,
        endpoint_url: str,
        region: str,
        time_scale: float = 1.0,
        authorities: Path = Path("/etc/ssl/certs/ca-certificates.crt"),
        faults: Faults | None = None,
        failed: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._faults, self._failed = faults or Faults(), failed
        self._unconfirmed: set[str] = set()
        self._authorities = authorities
        self._endpoint_url, self._region, self._time_scale = endpoint_url, region, time_scale
        self._root = private.scratch("aurora-tenants-functions-")
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._deployed: dict[str, Deployed] = {}
        self._keys: dict[str, AccessKey] = {}
        self._running = 0

    def put(self, function: Function) -> None:
        """Deploys a function, or its new code: events from now on run in new processes."""
        directory = Path(tempfile.mkdtemp(prefix=f"{function.name}-", dir=self._root))
        with zipfile.ZipFile(BytesIO(function.code)) as archive:
            archive.extractall(directory)

        def start() -> Worker:
            environment, log = self._environment(function, directory), self._log(function.name)
            return Worker(directory, function.handler, environment, log, authorities=self._authorities)

        workers = WORKERS if function.reserved is None else min(WORKERS, function.reserved)
        with self._lock:
            old = self._deployed.get(function.name)
            permissions, retries = (old.permissions, old.retries) if old else ({}, len(RETRY_DELAYS_SECONDS))
            self._deployed[function.name] = Deployed(function, Pool(start, workers), permissions, retries)
        if old:
            old.pool.close()

    def remove(self, name: str) -> None:
        """Forgets a function; what it printed stays readable."""
        with self._lock:
            deployed = self._deployed.pop(_name(name), None)
        if deployed:
            deployed.pool.close()

    def get(self, name_or_arn: str) -> Function | None:
        deployed = self._deployed.get(_name(name_or_arn))
        return deployed.function if deployed else None

    def names(self) -> list[str]:
        return sorted(self._deployed)

    def unreserved(self, *, without: str = "") -> int:
        """How many events of functions without a reservation may be served at once. without: a function left out."""
        functions = [deployed.function for deployed in list(self._deployed.values())]
        return CONCURRENT - sum(each.reserved or 0 for each in functions if each.name != without)

    # Running

    def invoke(self, name_or_arn: str, event: Any) -> Any:
        """The handler's result. Raises InvocationFailed, or LookupError for an unknown function."""
        deployed = self._find(name_or_arn)
        function, met = deployed.function, self._faults.event(deployed.function.name)
        timeout_seconds: float = function.timeout_seconds
        request = {
            "id": str(uuid.uuid4()),
            "arn": function.arn,
            "timeout_seconds": timeout_seconds,
            "event": event,
            "fault": next((name for name in _INSIDE if name in met), None),
        }
        if "called-late" in met:
            self._closing.wait(met["called-late"])
        if "answer-twice" in met and isinstance(event, dict):
            with self._lock:
                self._unconfirmed.add(str(event.get("ResponseURL")))
        if request["fault"] == "hang":
            timeout_seconds /= self._time_scale
        with self._lock:
            self._running += 1
        try:
            if "called-twice" in met:
                deployed.pool.run(request, timeout_seconds=timeout_seconds)
            return deployed.pool.run(request, timeout_seconds=timeout_seconds)
        except InvocationFailed as error:
            self._note(function.name, f"{request['id']} {error}\n")
            self._failed(function.name)
            raise
        finally:
            with self._lock:
                self._running -= 1

    def running(self) -> int:
        """How many events are being served; one that comes twice is until its second end."""
        return self._running

    def invoke_async(self, name_or_arn: str, event: Any) -> None:
        """Runs the function in a thread, and again with the same event when it fails. Raises LookupError at once."""
        name = self._find(name_or_arn).function.name
        threading.Thread(target=self._attempt, args=(name, event), name=f"event for {name}", daemon=True).start()

    def _attempt(self, name: str, event: Any) -> None:
        for attempt in range(len(RETRY_DELAYS_SECONDS) + 1):
            try:
                self.invoke(name, event)
                return
            except InvocationFailed:
                deployed = self._deployed.get(name)
                if deployed is None or attempt >= deployed.retries:
                    return  # Lambda drops the event; the failure is in the log
            except LookupError:
                return  # the function was deleted between two attempts
            if self._closing.wait(RETRY_DELAYS_SECONDS[attempt] / self._time_scale):
                return

    def logs(self, name: str) -> str:
        """Everything the function printed, and why events failed."""
        log = self._log(_name(name))
        return log.read_text(errors="replace") if log.exists() else ""

    def _note(self, name: str, line: str) -> None:
        if not self._closing.is_set():  # its directory is gone
            with self._log(name).open("a") as log:
                log.write(line)

    def close(self) -> None:
        """Ends every worker, busy or not, and removes the code."""
        self._closing.set()
        with self._lock:
            deployed, self._deployed = list(self._deployed.values()), {}
        for each in deployed:
            each.pool.close()
            each.pool.kill()
        shutil.rmtree(self._root, ignore_errors=True)

    def is_unconfirmed(self, response_url: str) -> bool:
        """Whether the answer that came to this URL, the first of its event, has come without its sender being told."""
        with self._lock:
            is_unconfirmed = response_url in self._unconfirmed
            self._unconfirmed.discard(response_url)
            return is_unconfirmed

    # What is set on a function after it was deployed

    def set_retries(self, name: str, retries: int | None) -> None:
        """How often Lambda repeats a failed asynchronous event: 0 to 2, None for its default of 2."""
        self._find(name).retries = len(RETRY_DELAYS_SECONDS) if retries is None else retries

    def retries(self, name: str) -> int:
        return self._find(name).retries

    def permit(self, name: str, statement_id: str, principal: str | None, **details: Any) -> None:
        """Adds a statement to the function's policy that lets a principal invoke it; None takes the statement away.

        details: what else the statement says, Action and Condition.
        """
        permissions = self._find(name).permissions
        if principal is None:
            permissions.pop(statement_id, None)
        else:
            permissions[statement_id] = {
                "Principal": {"Service": principal},
                "Action": "lambda:InvokeFunction",
                **details,
            }

    def statements(self, name: str) -> list[tuple[str, dict[str, Any]]]:
        """The statements of the function's policy by their ids."""
        return sorted(self._find(name).permissions.items())

    def allows(self, name_or_arn: str, principal: str) -> bool:
        """Whether the function exists and its policy lets this principal invoke it."""
        deployed = self._deployed.get(_name(name_or_arn))
        permissions = deployed.permissions.values() if deployed else ()
        return any(statement["Principal"]["Service"] == principal for statement in permissions)

    # Who calls

    def key(self, name: str) -> AccessKey:
        """The function's AWS access key; the same for the same name."""
        return self._keys.get(name) or self._keys.setdefault(name, new_key())

    def function_of(self, access_key: str) -> Function | None:
        """The function whose workers sign with this key."""
        functions = [deployed.function for deployed in list(self._deployed.values())]
        return next((function for function in functions if self.key(function.name).has_id(access_key)), None)

    def _find(self, name_or_arn: str) -> Deployed:
        deployed = self._deployed.get(_name(name_or_arn))
        if deployed is None:
            raise LookupError(f"Function not found: {name_or_arn}")
        return deployed

    def _log(self, name: str) -> Path:
        return self._root / f"{name}.log"

    def _environment(self, function: Function, directory: Path) -> dict[str, str]:
        """All a worker's environment holds; nothing is inherited, so no profile or key of the user leaks in.

        An endpoint of AWS in this region, as templates give it to published functions, leads here too.
        """
        key = self.key(function.name)
        public = re.compile(rf"https://[a-z0-9-]+\.{re.escape(self._region)}\.amazonaws\.com/?")
        return {
            **{
                name: self._endpoint_url if public.fullmatch(value) else value
                for name, value in function.environment.items()
            },
            "PATH": os.defpath,
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            "TZ": ":UTC",
            "AWS_ENDPOINT_URL": self._endpoint_url,
            "AWS_REGION": self._region,
            "AWS_DEFAULT_REGION": self._region,
            "AWS_ACCESS_KEY_ID": key.id,
            "AWS_SECRET_ACCESS_KEY": key.secret,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": f"[$LATEST]{uuid.uuid4().hex}",
        }


def _name(name_or_arn: str) -> str:
    """The function's name, of an ARN, of a part of one (123456789012:function:name), and before a qualifier."""
    if ":" not in name_or_arn:
        return name_or_arn
    before, is_part, after = name_or_arn.partition("function:")
    name, _, qualifier = (after if is_part else before).partition(":")
    return name if qualifier in ("", "$LATEST") or name_or_arn.startswith("arn:") else name_or_arn
