"""A sandbox's life on this machine: one in the background (`up`, `down`, `status`), or one for a command (`run`).

    running = up(mysqld=None, partial_revokes=True, tell=print)
    environment(running)      {"AWS_ENDPOINT_URL": "http://127.0.0.1:40123", …}
    down()

Knows nothing of the product: what is deployed into a new sandbox comes as a function. Imports nothing of the `sandbox`
extra before a sandbox is started.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aurora_sandbox import REGION, remote
from aurora_sandbox import environment as variables
from aurora_sandbox.errors import Problem, SandboxError
from aurora_sandbox.keys import key_in
from aurora_sandbox.signals import Signals
from aurora_sandbox.state import Running, State

if TYPE_CHECKING:
    from aurora_sandbox.binary import Binary
    from aurora_sandbox.cloudformation.rollout import RollbackStyle

Tell = Callable[[str], None]
Deploy = Callable[[Mapping[str, str]], None]  # given the variables that lead to the sandbox

NOTHING: Mapping[str, str] = {}
START_SECONDS = 90.0
STOP_SECONDS = 30.0
_EXTRA = ("cfnlint", "cryptography", "moto", "pymysql")


def up(
    *,
    mysqld: str | None,
    partial_revokes: bool | None = None,
    tell: Tell,
    deploy: Deploy | None = None,
    region: str | None = None,
    rollback_style: RollbackStyle | None = None,
    directory: Path | None = None,
) -> Running:
    """The sandbox in the background, started if there is none, with what `deploy` puts into it.

    deploy: puts into a sandbox what is to be there at first; also into the one that runs already, so it must be safe to
    run again. partial_revokes, region, rollback_style: None takes those of the one that runs already, True, REGION and
    "update" for a new one.
    Raises SandboxError if it does not come up, or one runs that is another than asked for; and whatever `deploy`
    raises: a new sandbox is ended then.
    """
    _require_extra()
    _require_region(region)
    state = State(directory)
    with state.lock() as lock:
        if lock is None:
            running = _known(state)
            _require_same(running, region=region, partial_revokes=partial_revokes, rollback_style=rollback_style)
            tell(f"a sandbox is running already, at {running.endpoint}")
            if deploy:
                deploy(environment(running))
            return running
        state.clear()
        _binary(mysqld, tell)
        tell("starting the sandbox")
        options = ["--region", region or REGION, "--partial-revokes", "off" if partial_revokes is False else "on"]
        if rollback_style:
            options += ["--rollback-style", rollback_style]
        if mysqld:
            options += ["--mysqld", str(Path(mysqld).absolute())]
        process, ready = _spawn(options, state, lock)
    try:
        running = _came_up(process, ready, state)
        state.write(running)
        if deploy:
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
    status = remote.status(running)
    if (status["id"], status["pid"]) != (running.id, running.pid):
        raise _problem("another-sandbox", f"{running.endpoint} answers, but it is not the sandbox that was started")
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while state.is_locked():
        if time.monotonic() > deadline:
            raise _problem("does-not-end", "the sandbox does not end", fix=f"kill -KILL {running.pid}")
        time.sleep(0.02)
    state.clear()
    return True


def status(*, environ: Mapping[str, str] = NOTHING, directory: Path | None = None) -> dict[str, Any] | None:
    """What the sandbox (see `current`) says of itself, None if there is none; for its keys see `Sandbox.status`."""
    found = current(environ=environ, directory=directory)
    return None if found is None else remote.status(found)


def current(*, environ: Mapping[str, str] = NOTHING, directory: Path | None = None) -> Running | None:
    """The sandbox to which these variables lead, else that in the background; None if there is none.

    The variables come first: within `run` they are where everything else goes, whatever is in the background.
    Raises SandboxError while the one in the background is starting.
    """
    key = key_in(environ)
    if key and (found := remote.at(environ.get("AWS_ENDPOINT_URL", ""), key)):
        return found
    state = State(directory)
    return _known(state) if state.is_locked() else None


def environment(running: Running) -> dict[str, str]:
    """The variables that lead AWS SDKs and the AWS CLI to a background sandbox."""
    return variables.environment(running.endpoint, running.region, running.key)


def run(
    command: Sequence[str],
    *,
    mysqld: str | None,
    partial_revokes: bool | None = None,
    tell: Tell,
    deploy: Deploy | None = None,
    region: str | None = None,
    rollback_style: RollbackStyle | None = None,
) -> int:
    """The exit code of a command that ran beside a sandbox of its own; 128 + n if signal n ended it.

    The sandbox lives in this process and ends with the command. Signals are passed on to the command; the terminal's
    Ctrl-C reaches it by itself. Raises SandboxError if the sandbox does not start or there is no such command.
    """
    _require_extra()
    _require_region(region)
    _require_program(command[0])
    from aurora_sandbox.server import Sandbox

    with (
        Signals() as signals,
        Sandbox.start(
            binary=_binary(mysqld, tell),
            partial_revokes=partial_revokes is not False,
            region=region or REGION,
            rollback_style=rollback_style or "update",
        ) as sandbox,
    ):
        if deploy:
            deploy(sandbox.environment())
        try:
            return signals.run(command, variables.of_command(os.environ, sandbox.environment()))
        except OSError as error:
            raise _no_command(command[0], str(error)) from error


def _require_extra() -> None:
    missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise _problem(
            "sandbox-not-installed",
            "the sandbox is not installed",
            why=f"it needs Python packages that are not here: {', '.join(missing)}",
            fix="install the package with its extra `sandbox`; in a clone: pip install '.[sandbox]'",
        )


def _require_region(region: str | None) -> None:
    """Raises SandboxError for a region that botocore does not know: moto would fail on it, one call at a time."""
    if region is None:
        return
    import boto3

    known = boto3.Session().get_available_regions("rds")
    if region not in known:
        near = difflib.get_close_matches(region, known, n=1)
        fix = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        raise _problem("unknown-region", f"there is no AWS region {region}", fix=fix)


def _require_program(name: str) -> None:
    if shutil.which(name) is not None:
        return
    if os.sep not in name:
        why = "there is no program of this name on PATH"
    elif not Path(name).exists():
        why = "there is no such file"
    else:
        why = "it is a directory" if Path(name).is_dir() else "it is not executable"
    raise _no_command(name, why)


def _require_same(
    running: Running, *, region: str | None, partial_revokes: bool | None, rollback_style: RollbackStyle | None
) -> None:
    """Raises SandboxError if the sandbox that runs is not as asked for; None asks for nothing."""
    from aurora_sandbox.sql import sql

    differs = []
    if region not in (None, running.region):
        differs.append(f"its region is {running.region}, not {region}")
    if partial_revokes is not None:
        is_on = bool(sql(running, "SELECT @@GLOBAL.partial_revokes").rows[0][0])
        if is_on != partial_revokes:
            differs.append(f"partial_revokes is {'on' if is_on else 'off'} in it")
    if rollback_style and rollback_style != (style := remote.status(running)["rollback_style"]):
        differs.append(f"its rollback style is {style}")
    if differs:
        what, fix = "a sandbox is running already, and it is another", "end it first: aurora-tenants sandbox down"
        raise _problem("another-sandbox", what, why="; ".join(differs), fix=fix)


def _binary(mysqld: str | None, tell: Tell) -> Binary:
    """A usable mysqld, fetched into the cache if this machine has none; says so if it cannot have IAM's users."""
    from aurora_sandbox import binary, iam_plugin, install

    found = binary.find(mysqld, tell=tell) or install.install(binary.default_cache(), tell)
    if why := iam_plugin.missing(found.plugins):
        tell(f"the sandbox refuses users with {iam_plugin.PLUGIN} (1524): {why}")
    return found


def _spawn(options: Sequence[str], state: State, lock: int) -> tuple[subprocess.Popen[bytes], int]:
    """The sandbox's process, and a descriptor on which it says when it is ready.

    In a session of its own, so that no terminal's signal reaches it; -P, so that no file of the user's directory is
    imported in a module's place.
    """
    ready, theirs = os.pipe()
    command = [sys.executable, "-P", "-m", "aurora_sandbox.server", "--ready-fd", str(theirs), *options]
    with state.open_log() as log:
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
        text = pipe.read()
    if not text:
        raise _problem("does-not-start", f"the sandbox ended while it started ({process.wait()})", log=state.log)
    document = json.loads(text)
    if "problems" in document:
        raise SandboxError(*(Problem(**problem) for problem in document["problems"]))
    key = key_in(document["environment"])
    assert key is not None
    return remote.described(document["status"], key)


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


def _no_command(name: str, why: str) -> SandboxError:
    return _problem("no-such-command", f"cannot run {name}", why=why)


def _problem(code: str, what: str, *, why: str = "", fix: str = "", log: Path | None = None) -> SandboxError:
    if log is not None:
        lines = log.read_text(errors="replace").splitlines()
        why, fix = "\n".join(lines[-5:]), f"see {log}"
    return SandboxError(Problem(code=code, what=what, why=why, fix=fix))
