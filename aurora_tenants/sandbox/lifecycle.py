"""A sandbox's life on this machine: one in the background (`up`, `down`, `status`), or one for a command (`run`).

    running = up(bare=True, mysqld=None, partial_revokes=True, tell=print)
    environment(running)      {"AWS_ENDPOINT_URL": "http://127.0.0.1:40123", …}
    down()

Knows nothing of the product: what is deployed into a new sandbox comes as a function. Imports nothing of the `sandbox`
extra before a sandbox is started.
"""

from __future__ import annotations

import importlib.util
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aurora_tenants.errors import Problem, SandboxError
from aurora_tenants.sandbox import REGION
from aurora_tenants.sandbox import environment as variables
from aurora_tenants.sandbox.state import Running, State

if TYPE_CHECKING:
    from aurora_tenants.sandbox.binary import Binary

Tell = Callable[[str], None]
Deploy = Callable[[Mapping[str, str]], None]  # deploys the shared stack, given the variables that lead to the sandbox

START_SECONDS = 90.0
STOP_SECONDS = 30.0
_EXTRA = ("cfnlint", "cryptography", "moto", "pymysql")


def up(
    *,
    bare: bool,
    mysqld: str | None,
    partial_revokes: bool,
    tell: Tell,
    deploy: Deploy | None = None,
    region: str = REGION,
    directory: Path | None = None,
) -> Running:
    """The sandbox in the background, started if there is none, with the shared stack in it unless it is bare.

    Raises SandboxError if it does not come up, and whatever `deploy` raises; the sandbox is ended then.
    """
    _require_extra()
    state = State(directory)
    with state.lock() as lock:
        if lock is None:
            running = _known(state)
            tell(f"a sandbox is running already, at {running.endpoint}")
            return running
        state.clear()
        _binary(mysqld, tell)
        tell("starting the sandbox")
        options = ["--region", region, "--partial-revokes", "on" if partial_revokes else "off"]
        if mysqld:
            options += ["--mysqld", str(Path(mysqld).absolute())]
        process, ready = _spawn(options, state, lock)
    try:
        running = _came_up(process, ready, state)
        state.write(running)
        if deploy and not bare:
            deploy(environment(running))
    except BaseException:
        _end(process)
        state.clear()
        raise
    return running


def down(*, directory: Path | None = None) -> bool:
    """Ends the background sandbox with everything it started; False if there was none.

    Raises SandboxError, and ends nothing, if what answers is not the sandbox that was started; and if it does not end.
    """
    state = State(directory)
    if not state.is_locked():
        return False
    running = _known(state)
    told = _status(running)
    if (told["id"], told["pid"]) != (running.id, running.pid):
        raise _problem("another-sandbox", f"{running.endpoint} answers, but it is not the sandbox that was started")
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while state.is_locked():
        if time.monotonic() > deadline:
            raise _problem("does-not-end", "the sandbox does not end", fix=f"kill -KILL {running.pid}")
        time.sleep(0.02)
    state.clear()
    return True


def status(*, directory: Path | None = None) -> dict[str, Any] | None:
    """What the background sandbox says of itself, None if there is none; for its keys see `Sandbox.status`."""
    found = current(directory=directory)
    return None if found is None else _status(found)


def current(*, directory: Path | None = None) -> Running | None:
    """The background sandbox, None if there is none. Raises SandboxError while it is starting."""
    state = State(directory)
    return _known(state) if state.is_locked() else None


def environment(running: Running) -> dict[str, str]:
    """The variables that lead AWS SDKs and the AWS CLI to a background sandbox."""
    return variables.environment(running.endpoint, running.region)


def run(
    command: Sequence[str],
    *,
    bare: bool,
    mysqld: str | None,
    partial_revokes: bool,
    tell: Tell,
    deploy: Deploy | None = None,
    region: str = REGION,
) -> int:
    """The exit code of a command that ran beside a sandbox of its own; 128 + n if signal n ended it.

    The sandbox lives in this process and ends with the command. Signals are passed on to the command; the terminal's
    Ctrl-C reaches it by itself. Raises SandboxError if the sandbox does not start or there is no such command.
    """
    _require_extra()
    if shutil.which(command[0]) is None:
        raise _no_command(command[0], "there is no program of this name on PATH")
    from aurora_tenants.sandbox.server import Sandbox

    with (
        _Signals() as signals,
        Sandbox.start(binary=_binary(mysqld, tell), partial_revokes=partial_revokes, region=region) as sandbox,
    ):
        if deploy and not bare:
            deploy(sandbox.environment())
        return signals.run(command, variables.of_command(os.environ, sandbox.environment()))


def _require_extra() -> None:
    missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise _problem(
            "sandbox-not-installed",
            "the sandbox is not installed",
            why=f"it needs Python packages that are not here: {', '.join(missing)}",
            fix="pip install 'aurora-tenants[sandbox]'",
        )


def _binary(mysqld: str | None, tell: Tell) -> Binary:
    """A usable mysqld, fetched into the cache if this machine has none."""
    from aurora_tenants.sandbox import binary, install

    return binary.find(mysqld) or install.install(binary.default_cache(), tell)


def _spawn(options: Sequence[str], state: State, lock: int) -> tuple[subprocess.Popen[bytes], int]:
    """The sandbox's process, and a descriptor on which it says when it is ready.

    In a session of its own, so that no terminal's signal reaches it; -P, so that no file of the user's directory is
    imported in a module's place.
    """
    ready, theirs = os.pipe()
    command = [sys.executable, "-P", "-m", "aurora_tenants.sandbox.server", "--ready-fd", str(theirs), *options]
    with state.log.open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=variables.of_command(os.environ, {}),
            cwd=state.directory,
            start_new_session=True,
            pass_fds=(theirs, lock),
        )
    os.close(theirs)
    return process, ready


def _came_up(process: subprocess.Popen[bytes], ready: int, state: State) -> Running:
    """What the new sandbox says of itself. Raises SandboxError with its own problems, or the end of its log."""
    with os.fdopen(ready, "rb") as pipe:
        if not select.select([pipe], [], [], START_SECONDS)[0]:
            raise _problem("does-not-start", f"the sandbox is not ready after {START_SECONDS:.0f} s", log=state.log)
        said = pipe.read()
    if not said:
        raise _problem("does-not-start", f"the sandbox ended while it started ({process.wait()})", log=state.log)
    document = json.loads(said)
    if "problems" in document:
        raise SandboxError(*(Problem(**problem) for problem in document["problems"]))
    return Running(
        id=document["id"],
        pid=document["pid"],
        endpoint=document["endpoint"],
        region=document["region"],
        started=document["started"],
        mysqld_port=document["mysqld"]["port"],
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a sandbox of which nobody knows yet."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _known(state: State) -> Running:
    """The sandbox that holds the lock. Raises SandboxError if it has not said where it is."""
    running = state.read()
    if running is None:
        raise _problem("still-starting", "another process is starting a sandbox", fix="wait a moment, and try again")
    return running


def _status(running: Running) -> dict[str, Any]:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{running.endpoint}/_sandbox/status", timeout=10) as answer:
            document: dict[str, Any] = json.load(answer)
            return document
    except (OSError, ValueError) as error:
        what = f"the sandbox does not answer at {running.endpoint}"
        raise _problem("does-not-answer", what, why=str(error), fix=f"kill {running.pid}") from error


def _no_command(name: str, why: str) -> SandboxError:
    return _problem("no-such-command", f"cannot run {name}", why=why)


def _problem(code: str, what: str, *, why: str = "", fix: str = "", log: Path | None = None) -> SandboxError:
    if log is not None:
        lines = log.read_text(errors="replace").splitlines()
        why, fix = "\n".join(lines[-5:]), f"see {log}"
    return SandboxError(Problem(code=code, what=what, why=why, fix=fix))


class _Signals:
    """While it lasts, signals that would end this process go to its command; before there is one, they unwind us."""

    _NUMBERS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] | None = None  # what came while the command was being started
        self._ended = False

    def run(self, command: Sequence[str], environ: Mapping[str, str]) -> int:
        self._early = []
        try:
            self._process = subprocess.Popen(command, env=dict(environ))
        except OSError as error:
            raise _no_command(command[0], str(error)) from error
        for number in self._early:
            self._process.send_signal(number)
        code = self._process.wait()
        self._ended = True  # from here on nothing may interrupt the clearing up
        return 128 - code if code < 0 else code

    def _received(self, number: int, frame: object) -> None:
        if self._ended or (number == signal.SIGINT and self._early is not None and _is_in_foreground()):
            return
        if self._process is not None:
            self._process.send_signal(number)
        elif self._early is not None:
            self._early.append(number)
        else:
            self._ended = True
            sys.exit(128 + number)

    def __enter__(self) -> _Signals:
        self._before = {number: signal.signal(number, self._received) for number in self._NUMBERS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _is_in_foreground() -> bool:
    """Whether a terminal's Ctrl-C reaches our whole process group, and so the command, without us."""
    try:
        with Path("/dev/tty").open("rb") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
