"""Notes which passwords come into use in this process, and all that its sandboxes said, in the directory of the run.

PYTHONPATH leads here during a run (tests/passwords/plugin.py), so every Python process of it loads this first, whoever
starts it: most sandboxes have a process of their own. It looks in from outside; aurora_sandbox knows nothing of it.
Functions are noted by their logs, since their processes see nothing of this environment.

    in-use-PID    a password a line, as JSON
    said-PID      pieces of text, each behind its place: see `say`
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder

VARIABLE = "AURORA_TENANTS_TEST_RUN"
MARK = "\x1e"  # begins a piece of text; whatever is said holds none
# False for type checkers alone: `typing` would be loaded before a program that is measured without it.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from typing import Any


def in_use(password: object) -> None:
    """Notes a password, or that of a secret's JSON."""
    import json

    if isinstance(password, str):
        try:
            value = json.loads(password)
        except ValueError:
            value = password
        password = value.get("password") if isinstance(value, dict) else password
    if isinstance(password, str):
        _append("in-use", json.dumps(password) + "\n")


def say(place: str, text: str) -> None:
    """Notes what was said in a place."""
    if text:
        _append("said", f"{MARK}{place}\n{text.replace(MARK, ' ')}\n")


def _append(kind: str, text: str) -> None:
    path = f"{os.environ[VARIABLE]}/{kind}-{os.getpid()}"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, text.encode(errors="replace"))
    finally:
        os.close(descriptor)


def _before(owner: Any, method: str, look: Callable[..., object]) -> None:
    """Calls `look` with the arguments of the method whenever that is called, before it does anything."""
    its = getattr(owner, method)

    def watched(*arguments: Any, **options: Any) -> Any:
        look(*arguments)
        return its(*arguments, **options)

    setattr(owner, method, watched)


def _watch_secrets(module: Any) -> None:
    """Every value of every version comes this way: made by hand, by a template, by a function, by RDS."""
    _before(module.Secret, "put", lambda secret, token, value, *rest: in_use(value))


def _watch_service(module: Any) -> None:
    """A random password is in use whatever becomes of it."""
    its = module.SecretsManager.handle

    def watched(self: Any, operation: str, *rest: Any) -> Any:
        answer = its(self, operation, *rest)
        if operation == "GetRandomPassword":
            in_use(answer["RandomPassword"])
        return answer

    module.SecretsManager.handle = watched


def _watch_servers(module: Any) -> None:
    its = module.Server.__init__

    def watched(self: Any, directory: Any, *rest: Any, **options: Any) -> None:
        its(self, directory, *rest, **options)
        if (root := directory / module.ROOT).exists():
            in_use(root.read_text())

    module.Server.__init__ = watched

    def ending(self: Any) -> None:
        log = self.directory / "error.log"
        say(f"the error log of MySQL in {self.directory}", log.read_text(errors="replace") if log.exists() else "")

    _before(module.Server, "stop", ending)


def _watch_functions(module: Any) -> None:
    def ending(self: Any) -> None:
        for log in self._root.glob("*.log"):
            say(f"the log of function {log.stem}", log.read_text(errors="replace"))

    _before(module.Functions, "close", ending)


def _watch_stacks(module: Any) -> None:
    def ending(self: Any) -> None:
        for stack in self.cloudformation.region.stacks(with_deleted=True):
            told = [f"{it.logical_id} {it.physical_id} {it.status} {it.reason}" for it in list(stack.events)]
            told += [str(stack.reason), *(f"{it.name} {it.value}" for it in stack.outputs)]
            say(f"the events and outputs of stack {stack.name}", "\n".join(told))

    _before(module.Account, "close", ending)


_WATCHED = {
    "aurora_sandbox.secretsmanager.secret": _watch_secrets,
    "aurora_sandbox.secretsmanager.service": _watch_service,
    "aurora_sandbox.mysqld": _watch_servers,
    "aurora_sandbox.functions": _watch_functions,
    "aurora_sandbox.account": _watch_stacks,
}


class Finder:
    """Finds a module as ever, and has it watched as soon as it is loaded."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in _WATCHED:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            loader, execute = spec.loader, spec.loader.exec_module

            def executed(module: Any) -> None:
                execute(module)
                _WATCHED[name](module)

            loader.exec_module = executed  # type: ignore[method-assign]
        return spec


def install() -> None:
    """Watches what is loaded already, and what will be."""
    sys.meta_path.insert(0, Finder)  # type: ignore[arg-type]
    for name, watch in _WATCHED.items():
        if name in sys.modules:
            watch(sys.modules[name])


if os.environ.get(VARIABLE):
    install()
