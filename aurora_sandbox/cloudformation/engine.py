"""The operations on a stack, from its first status to its last. Each runs in a thread of its own.

    create   CREATE_IN_PROGRESS -> CREATE_COMPLETE | ROLLBACK_IN_PROGRESS -> ROLLBACK_COMPLETE
    update   UPDATE_IN_PROGRESS -> UPDATE_COMPLETE_CLEANUP_IN_PROGRESS -> UPDATE_COMPLETE
             | UPDATE_ROLLBACK_IN_PROGRESS -> …_COMPLETE_CLEANUP_IN_PROGRESS -> UPDATE_ROLLBACK_COMPLETE
    import   IMPORT_IN_PROGRESS -> IMPORT_COMPLETE | IMPORT_ROLLBACK_IN_PROGRESS -> IMPORT_ROLLBACK_COMPLETE
    delete   DELETE_IN_PROGRESS -> DELETE_COMPLETE
    RollbackStack goes on from CREATE_FAILED and UPDATE_FAILED as if that had failed now, CancelUpdateStack from
    UPDATE_IN_PROGRESS
Every arrow may also lead to the status with _FAILED, where the stack stays until somebody decides.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from aurora_sandbox.cloudformation.deployment import Deployment
from aurora_sandbox.cloudformation.drift import Drift
from aurora_sandbox.cloudformation.handlers import Handlers
from aurora_sandbox.cloudformation.pacing import Pacing
from aurora_sandbox.cloudformation.region import Region, StackFailed
from aurora_sandbox.cloudformation.rollback import skip, sweep, take_back
from aurora_sandbox.cloudformation.rollout import RollbackStyle, Rollout, failures
from aurora_sandbox.cloudformation.stack import REVIEW, Leftover, Stack, Undo

log = logging.getLogger(__name__)
_KEPT = ("Retain", "RetainExceptOnCreate")


class Engine:
    """Starts operations; each method returns at once. Call them with `region.changed` held."""

    def __init__(self, region: Region, handlers: Handlers, pacing: Pacing, *, style: RollbackStyle) -> None:
        self._region = region
        self._pacing = pacing
        self._handlers = handlers
        self._style = style
        self._threads: list[threading.Thread] = []
        self._updates: dict[str, Rollout] = {}  # that are going on, by their stack's id

    def create(self, stack: Stack) -> None:
        self._start(stack, "CREATE_IN_PROGRESS", lambda: self._create(stack))

    def update(self, stack: Stack, deployment: Deployment, drift: Drift | None = None) -> None:
        stack.deployment = deployment
        self._updates[stack.id] = rollout = self._rollout(stack, drift or {})
        self._start(stack, "UPDATE_IN_PROGRESS", lambda: self._update(stack, rollout))

    def call_off(self, stack: Stack, begins: Callable[[], None]) -> bool:
        """Whether there is an update to roll back; that begins once what the update has begun has ended.

        begins: called if there is one, before the first event.
        """
        rollout = self._updates.get(stack.id)
        if rollout is None or rollout.is_done:
            return False
        begins()
        self._region.set_status(stack, "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
        rollout.call_off()
        return True

    def roll_back(self, stack: Stack) -> None:
        """To what it was when it last settled, or to nothing if it never did."""
        if stack.stable is None:
            self._start(stack, "ROLLBACK_IN_PROGRESS", lambda: self._take_away(stack, "ROLLBACK"))
            return
        self._go_back(stack, stack.stable, ())
        self._start(stack, "UPDATE_ROLLBACK_IN_PROGRESS", lambda: self._take_back(stack))

    def take_in(self, stack: Stack, deployment: Deployment, to_import: Mapping[str, str]) -> None:
        """to_import: physical ids of what becomes the stack's, by logical id."""
        stack.deployment = deployment
        self._start(stack, "IMPORT_IN_PROGRESS", lambda: self._take_in(stack, to_import))

    def delete(self, stack: Stack, *, retain: Collection[str] = ()) -> None:
        self._start(stack, "DELETE_IN_PROGRESS", lambda: self._delete(stack, retain))

    def resume_rollback(self, stack: Stack, *, skipping: Collection[str] = ()) -> None:
        for logical_id in skipping:
            skip(self._region, stack, logical_id)
        self._start(stack, "UPDATE_ROLLBACK_IN_PROGRESS", lambda: self._take_back(stack))

    def close(self, *, deadline_seconds: float) -> None:
        """Waits for operations that are about to end; the others end with the process."""
        self._pacing.close()
        end = time.monotonic() + deadline_seconds
        for thread in list(self._threads):
            thread.join(max(0.0, end - time.monotonic()))

    def _start(self, stack: Stack, status: str, work: Callable[[], None]) -> None:
        self._region.set_status(stack, status, "User Initiated")
        self._pacing.begin(stack)
        thread = threading.Thread(target=self._run, args=(stack, work), daemon=True, name=f"cfn-stack-{stack.name}")
        self._threads = [item for item in self._threads if item.is_alive()] + [thread]
        thread.start()

    def _run(self, stack: Stack, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as exc:
            # A mistake of ours. It must neither vanish nor leave the stack in progress for ever.
            log.exception("stack %s broke while it was %s", stack.name, stack.status)
            self._region.set_status(stack, _failed(stack.status), f"Internal Failure: {type(exc).__name__}: {exc}")

    def _rollout(self, stack: Stack, drift: Drift) -> Rollout:
        return Rollout(
            self._region,
            self._handlers,
            stack,
            stack.deployment,
            style=self._style,
            drift=drift,
            finish=lambda: self._pacing.finish(stack),
        )

    def _create(self, stack: Stack) -> None:
        reason = self._rollout(stack, {}).run()
        if reason is None:
            self._settle(stack, "CREATE_COMPLETE")
        elif stack.on_failure == "DO_NOTHING":
            self._region.set_status(stack, "CREATE_FAILED", reason)
        elif stack.on_failure == "DELETE":
            self._roll_back_creation(stack, "DELETE", f"{reason.strip()} Delete requested by user.")
        else:
            self._roll_back_creation(stack, "ROLLBACK", f"{reason.strip()} Rollback requested by user.")

    def _roll_back_creation(self, stack: Stack, word: str, reason: str) -> None:
        self._region.set_status(stack, f"{word}_IN_PROGRESS", reason)
        self._take_away(stack, word)

    def _take_away(self, stack: Stack, word: str) -> None:
        leftovers = [*stack.leftovers]
        leftovers += [
            Leftover(item, is_kept=item.deletion_policy == "Retain" and not stack.deletes_new_on_rollback)
            for item in stack.resources.values()
        ]
        is_clean = sweep(self._region, self._handlers, stack, leftovers, forgets=False)
        self._pacing.finish(stack)
        stack.imports = frozenset()
        self._region.set_status(stack, f"{word}_{'COMPLETE' if is_clean else 'FAILED'}", _reason(stack, is_clean))

    def _update(self, stack: Stack, rollout: Rollout) -> None:
        reason = rollout.run()
        with self._region.changed:
            del self._updates[stack.id]
            stack.undo = _merged(stack.undo, rollout.undo)
            if stack.stable and (rollout.is_called_off or (reason is not None and stack.on_failure != "DO_NOTHING")):
                self._go_back(stack, stack.stable, rollout.leftovers)
                if not rollout.is_called_off:
                    self._region.set_status(stack, "UPDATE_ROLLBACK_IN_PROGRESS", reason)
                is_done = False
            elif reason is not None:
                stack.leftovers += rollout.leftovers
                self._region.set_status(stack, "UPDATE_FAILED", reason)
                return
            else:
                stack.leftovers += [*rollout.leftovers, *_left_out(stack)]
                stack.imports = stack.deployment.imports
                is_done = True
        if is_done:
            self._clean_up(stack, "UPDATE_COMPLETE")
        else:
            self._take_back(stack)

    def _take_in(self, stack: Stack, to_import: Mapping[str, str]) -> None:
        reason = self._rollout(stack, {}).take_in(to_import)
        self._pacing.finish(stack)
        with self._region.changed:
            if reason is None:
                self._settle(stack, "IMPORT_COMPLETE")
                return
            self._region.set_status(stack, "IMPORT_ROLLBACK_IN_PROGRESS", reason)
            stack.deployment = stack.stable or stack.deployment
            for logical_id in to_import:
                resource = stack.resources.pop(logical_id, None)
                if resource is not None:
                    self._region.note(stack, resource, "IMPORT_ROLLBACK_COMPLETE")
            self._region.set_status(stack, "IMPORT_ROLLBACK_COMPLETE")

    def _go_back(self, stack: Stack, stable: Deployment, leftovers: Iterable[Leftover]) -> None:
        """The stack aims at what it was; what that is made of is no leftover any more."""
        stack.unfinished, stack.undo = stack.undo, {}
        previous = [undo.previous for undo in stack.unfinished.values() if undo.previous]
        kept = {(item.logical_id, item.physical_id) for item in previous}
        stack.leftovers = [
            item
            for item in (*stack.leftovers, *leftovers)
            if (item.resource.logical_id, item.resource.physical_id) not in kept
        ]
        stack.deployment = stable

    def _take_back(self, stack: Stack) -> None:
        failed = take_back(self._region, self._handlers, stack)
        self._pacing.finish(stack)
        if failed:
            reason = f"The following resource(s) failed to update: [{', '.join(failed)}]. "
            self._region.set_status(stack, "UPDATE_ROLLBACK_FAILED", reason)
            return
        stack.imports = stack.deployment.imports
        self._clean_up(stack, "UPDATE_ROLLBACK_COMPLETE")

    def _clean_up(self, stack: Stack, final: str) -> None:
        """What cannot be deleted now is left alone: the operation itself has succeeded."""
        with self._region.changed:
            self._region.set_status(stack, f"{final}_CLEANUP_IN_PROGRESS")
            leftovers, stack.leftovers = stack.leftovers, []
        sweep(self._region, self._handlers, stack, leftovers, forgets=True)
        self._settle(stack, final)

    def _settle(self, stack: Stack, final: str) -> None:
        with self._region.changed:
            stack.stable, stack.undo = stack.deployment, {}
            self._region.set_status(stack, final)

    def _delete(self, stack: Stack, retain: Collection[str]) -> None:
        try:
            self._region.withdraw(stack)
        except StackFailed as exc:
            self._region.set_status(stack, "DELETE_FAILED", str(exc))
            return
        leftovers = [*stack.leftovers]
        leftovers += [
            Leftover(item, is_kept=item.deletion_policy in _KEPT or item.logical_id in retain)
            for item in stack.resources.values()
            if item.status not in ("DELETE_COMPLETE", "DELETE_SKIPPED")
        ]
        is_clean = sweep(self._region, self._handlers, stack, leftovers, forgets=False)
        self._pacing.finish(stack)
        self._region.set_status(stack, "DELETE_COMPLETE" if is_clean else "DELETE_FAILED", _reason(stack, is_clean))


def _left_out(stack: Stack) -> list[Leftover]:
    """What the stack has, and its deployment has not."""
    return [
        Leftover(item, is_kept=item.deletion_policy in _KEPT)
        for name, item in stack.resources.items()
        if name not in stack.deployment.resources
    ]


def _merged(before: Mapping[str, Undo], after: Mapping[str, Undo]) -> dict[str, Undo]:
    """How to take back two updates at once, of which the first had failed."""
    return {**before, **after, **{name: _both(before[name], after[name]) for name in before.keys() & after.keys()}}


def _both(first: Undo, second: Undo) -> Undo:
    """The same for one resource. Either may have failed before it touched it, and has no physical id then."""
    if second.attempted.physical_id is None:
        return first
    is_replaced = first.how == "restore" and first.attempted.physical_id is not None
    return replace(second, previous=first.previous, how="restore" if is_replaced else second.how)


def _reason(stack: Stack, is_clean: bool) -> str | None:
    """Why a stack that was swept is not clean."""
    return None if is_clean else failures(stack)


def _failed(status: str) -> str:
    """Where a stack stays that broke in this state."""
    if status.startswith(REVIEW):
        return "CREATE_FAILED"
    if status.startswith("IMPORT"):
        return "IMPORT_ROLLBACK_FAILED"
    for beginning in ("UPDATE_ROLLBACK", "ROLLBACK", "UPDATE", "DELETE"):
        if status.startswith(beginning):
            return f"{beginning}_FAILED"
    return "CREATE_FAILED"
