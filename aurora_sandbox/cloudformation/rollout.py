"""Bringing a stack's resources to a deployment: create what is new, update or replace what differs, keep the rest.

Every step that touches something leaves an `Undo` behind, so that a failed update can be taken back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from graphlib import TopologicalSorter
from typing import Any, Literal

from aurora_sandbox.cloudformation.changes import action, attribute, wanted
from aurora_sandbox.cloudformation.deployment import Deployment
from aurora_sandbox.cloudformation.drift import Drift, as_found
from aurora_sandbox.cloudformation.handlers import Handlers
from aurora_sandbox.cloudformation.intrinsics import Scope, Unresolvable, as_text, resolve
from aurora_sandbox.cloudformation.region import Region, StackFailed
from aurora_sandbox.cloudformation.schemas import Schema, schema
from aurora_sandbox.cloudformation.stack import Leftover, Resource, Stack, StackOutput, Undo
from aurora_sandbox.cloudformation.template import Declaration, Output
from aurora_sandbox.cloudformation.types import ResourceFailed, is_custom
from aurora_sandbox.cloudformation.walk import TooLate, walk
from aurora_sandbox.documented import refused

log = logging.getLogger(__name__)
RollbackStyle = Literal["update", "restore"]


class Rollout:
    """One operation's way forward. After run: undo and leftovers say what it touched and what it left behind.

    is_called_off: somebody wants it taken back, whatever it came to. is_done: the stack is where it should be.
    finish: returns when an operation that succeeds may end.
    drift: what of the stack is other than was deployed, and is to be set back; a rollback leads back to that.
    """

    def __init__(
        self,
        region: Region,
        handlers: Handlers,
        stack: Stack,
        deployment: Deployment,
        *,
        style: RollbackStyle,
        drift: Drift,
        finish: Callable[[], None],
    ) -> None:
        self.undo: dict[str, Undo] = {}
        self.leftovers: list[Leftover] = []
        self.is_called_off = False
        self._region = region
        self._handlers = handlers
        self._stack = stack
        self._deployment = deployment
        self._style = style
        self._drift = drift
        self._finish = finish
        self._imported: Mapping[str, str] = {}
        self.is_done = self._is_cancelled = False

    def call_off(self) -> None:
        """Nothing is begun any more, and what was begun is cancelled. Not of one that is done."""
        with self._region.changed:
            self.is_called_off = True
            self._cancel()

    def run(self) -> str | None:
        """None if the stack is where it should be; otherwise why not, for the stack's event."""
        order = self._deployment.dependencies
        try:
            self._imported = self._region.claim(self._stack, self._deployment.imports)
            failed = walk(
                order,
                self._deploy,
                halts=True,
                on_failure=self._cancel,
                is_cancelled=lambda: self.is_called_off,
                timeout_seconds=self._stack.timeout_seconds,
            )
            if not failed and not self.is_called_off:
                self._finish()
            with self._region.changed:
                if failed or self.is_called_off:
                    return failures(self._stack)
                self._region.publish(self._stack, self._outputs())
                self.is_done = True
        except (StackFailed, Unresolvable) as exc:
            return str(exc)
        except TooLate:
            return "Stack creation time exceeded the specified timeout."
        return None

    def take_in(self, to_import: Mapping[str, str]) -> str | None:
        """Makes what is there already the stack's, and nothing else; None if that is done, otherwise why not.

        Its update is called after that, for the stack's tags: with the template's properties as the old ones, too, so
        that no other value is generated. What that has written stays, should another resource then fail.
        """
        for logical_id in TopologicalSorter(self._deployment.dependencies).static_order():
            if logical_id in to_import:
                try:
                    self._take_in(logical_id, to_import[logical_id])
                except (Unresolvable, ResourceFailed) as exc:
                    return str(exc)
        return None

    def _take_in(self, logical_id: str, physical_id: str) -> None:
        declaration = self._deployment.resources[logical_id]
        rules = rules_of(declaration.type, self._region)
        target = replace(wanted(declaration, self._deployment, self._scope(), rules), physical_id=physical_id)
        self._show(target, "IMPORT_IN_PROGRESS", "Resource import started.")
        found = self._handlers.found(self._stack, target)
        if found is None:
            self._show(target, "IMPORT_FAILED", not_found(target))
            raise ResourceFailed(not_found(target))
        self._show(found, "IMPORT_COMPLETE", "Resource import completed.")
        self._show(found, "UPDATE_IN_PROGRESS", "Apply stack-level tags to imported resource if applicable.")
        try:
            made = self._handlers.update(self._stack, found, target)
        except ResourceFailed as exc:
            self._show(found, "UPDATE_FAILED", exc.reason)
            raise
        self._show(made, "UPDATE_COMPLETE")

    def _deploy(self, logical_id: str) -> None:
        try:
            self._step(logical_id)
        except ResourceFailed:
            raise
        except Exception as exc:
            # A mistake of ours: the stack must still come to an end, and the traceback must be seen.
            log.exception("stack %s, resource %s", self._stack.name, logical_id)
            self._fail(logical_id, f"Internal Failure: {type(exc).__name__}: {exc}")
            raise

    def _step(self, logical_id: str) -> None:
        declaration = self._deployment.resources[logical_id]
        rules = rules_of(declaration.type, self._region)
        current = self._stack.resources.get(logical_id)
        if current is not None:
            current = None if current.status == "DELETE_COMPLETE" else as_found(current, self._drift)
        try:
            target = wanted(declaration, self._deployment, self._scope(), rules)
            what = action(current, target, rules)
            if what == "replace" and self._stack.on_failure == "DO_NOTHING":
                # AWS's sentence as issue 977 of anomalyco/sst and 30546 of aws/aws-cdk have it.
                raise ResourceFailed("Replacement type updates not supported on stack with disable-rollback.")
        except (Unresolvable, ResourceFailed) as exc:
            self._fail(logical_id, str(exc))
            raise ResourceFailed(str(exc)) from exc
        if what == "create":
            self._create(current, target)
        elif current is not None and what == "update":
            self._update(current, target)
        elif current is not None and what == "replace":
            self._replace(current, target)
        elif current is not None:
            self._keep(current, target)

    def _create(self, failed_before: Resource | None, target: Resource) -> None:
        self.undo[target.logical_id] = Undo("forget", None, target)
        self._show(target, "CREATE_IN_PROGRESS")
        try:
            made = self._handlers.create(self._stack, target)
        except ResourceFailed as exc:
            half_made = replace(target, physical_id=exc.physical_id)
            if exc.physical_id:
                self._show(half_made, "CREATE_IN_PROGRESS", "Resource creation Initiated")
            self._show(half_made, "CREATE_FAILED", exc.reason)
            raise
        if failed_before is not None and failed_before.physical_id not in (None, made.physical_id):
            self.leftovers.append(Leftover(failed_before, is_kept=False))
        self._show(made, "CREATE_IN_PROGRESS", "Resource creation Initiated")
        self._show(made, "CREATE_COMPLETE")

    def _update(self, current: Resource, target: Resource) -> None:
        """In place; a resource type that answers with another physical id has replaced the resource."""
        same_id = replace(target, physical_id=current.physical_id)
        self.undo[target.logical_id] = Undo("update", current, same_id)
        self._show(current, "UPDATE_IN_PROGRESS")
        try:
            made = self._handlers.update(self._stack, current, target)
        except ResourceFailed as exc:
            if exc.physical_id not in (None, current.physical_id):
                attempted = replace(target, physical_id=exc.physical_id)
                self.undo[target.logical_id] = Undo("restore", current, attempted)
            self._show(current, "UPDATE_FAILED", exc.reason)
            raise
        self.undo[target.logical_id] = Undo("update", current, made)
        if made.physical_id != current.physical_id:
            self._show(
                made, "UPDATE_IN_PROGRESS", "Requested update required the provider to create a new physical resource"
            )
            self.undo[target.logical_id] = Undo(self._style, current, made)
            self._leave_replaced(current)
        self._show(made, "UPDATE_COMPLETE")

    def _replace(self, current: Resource, target: Resource) -> None:
        self.undo[target.logical_id] = Undo("restore", current, target)
        why = "Requested update requires the creation of a new physical resource; hence creating one."
        self._show(current, "UPDATE_IN_PROGRESS", why)
        try:
            made = self._handlers.create(self._stack, target)
        except ResourceFailed as exc:
            self.undo[target.logical_id] = Undo("restore", current, replace(target, physical_id=exc.physical_id))
            self._show(current, "UPDATE_FAILED", exc.reason)
            raise
        self.undo[target.logical_id] = Undo("restore", current, made)
        self._show(made, "UPDATE_IN_PROGRESS", "Resource creation Initiated")
        self._leave_replaced(current)
        self._show(made, "UPDATE_COMPLETE")

    def _keep(self, current: Resource, target: Resource) -> None:
        """Nothing happens to the resource; its policies may still be others from now on."""
        kept = replace(
            current,
            dependencies=target.dependencies,
            deletion_policy=target.deletion_policy,
            update_replace_policy=target.update_replace_policy,
            metadata=target.metadata,
            secrets=target.secrets,
        )
        with self._region.changed:
            self._stack.resources[kept.logical_id] = kept

    def _leave_replaced(self, current: Resource) -> None:
        self.leftovers.append(Leftover(current, is_kept=current.update_replace_policy == "Retain"))

    def _fail(self, logical_id: str, reason: str) -> None:
        """The resource's step ends before anything was touched."""
        declaration = self._deployment.resources[logical_id]
        current = self._stack.resources.get(logical_id)
        if current is not None and current.status not in ("CREATE_IN_PROGRESS", "CREATE_FAILED", "DELETE_COMPLETE"):
            self.undo.setdefault(logical_id, Undo("restore", current, replace(current, physical_id=None)))
            self._show(current, "UPDATE_FAILED", reason)
            return
        self.undo.setdefault(logical_id, Undo("forget", None, _unresolved(declaration, self._deployment)))
        self._show(self.undo[logical_id].attempted, "CREATE_FAILED", reason)

    def _show(self, resource: Resource, status: str, reason: str | None = None) -> None:
        """Once cancelled, a resource's state stays as it was told; what it really became is only remembered."""
        with self._region.changed:
            if not self._is_cancelled:
                self._region.put(self._stack, resource, status, reason)
                return
            known = self._stack.resources.get(resource.logical_id)
            if known is None or not known.status.endswith("_FAILED"):
                self._show_cancelled(resource, status)
                return
            now = replace(resource, status=known.status, reason=known.reason, time=known.time)
            self._stack.resources[resource.logical_id] = now

    def _show_cancelled(self, resource: Resource, status: str) -> None:
        if status.startswith("CREATE_"):
            self._region.put(self._stack, resource, "CREATE_FAILED", "Resource creation cancelled")
        else:
            self._region.put(self._stack, resource, "UPDATE_FAILED", "Resource update cancelled")

    def _cancel(self) -> None:
        with self._region.changed:
            for resource in list(self._stack.resources.values()):
                if resource.status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"):
                    self._show_cancelled(resource, resource.status)
            self._is_cancelled = True

    def _scope(self) -> Scope:
        resources = self._stack.resources
        return Scope(
            self._deployment.variables,
            self._deployment.template.mappings,
            self._deployment.conditions,
            ref=lambda name: resources[name].physical_id,
            attribute=lambda name, what: attribute(resources[name], what, self._stack.id),
            imported=lambda name: self._imported[name],
        )

    def _outputs(self) -> tuple[StackOutput, ...]:
        scope = self._scope()
        return tuple(_output(item, scope) for _, item in sorted(self._deployment.outputs.items()))


def rules_of(type_name: str, region: Region) -> Schema | None:
    """AWS's rules for a type; None for custom resources, for which there are none."""
    return None if is_custom(type_name) else schema(region.name, type_name)


def not_found(resource: Resource) -> str:
    """What AWS says of a resource to import that is not there."""
    return f"Resource of type '{resource.type}' with identifier '{resource.physical_id}' was not found."


def failures(stack: Stack) -> str:
    """What failed, in the words of the stack's event."""
    sentences = []
    for status, verb in (("CREATE_FAILED", "create"), ("UPDATE_FAILED", "update"), ("DELETE_FAILED", "delete")):
        names = sorted(item.logical_id for item in stack.resources.values() if item.status == status)
        if names:
            sentences.append(f"The following resource(s) failed to {verb}: [{', '.join(names)}]. ")
    return "".join(sentences)


def _output(declared: Output, scope: Scope) -> StackOutput:
    value: Any = resolve(declared.value, scope)
    if isinstance(value, dict | list) or value is None:
        raise Unresolvable(
            f"Template format error: The Value field of output {declared.name} must evaluate to type String."
        )
    export = None if declared.export_name is None else as_text(resolve(declared.export_name, scope))
    if words := refused("export", {"Output": declared.name, "Export": export}):
        raise Unresolvable(words)
    return StackOutput(declared.name, as_text(value), declared.description, export)


def _unresolved(declaration: Declaration, deployment: Deployment) -> Resource:
    return Resource(
        logical_id=declaration.logical_id,
        type=declaration.type,
        properties={},
        dependencies=deployment.dependencies[declaration.logical_id],
        tags={},
        deletion_policy=declaration.deletion_policy,
        update_replace_policy=declaration.update_replace_policy,
        metadata=declaration.metadata,
    )
