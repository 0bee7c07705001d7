"""Taking things back: deleting what an operation leaves behind, undoing what a failed update did."""

from __future__ import annotations

from collections.abc import Sequence

from aurora_sandbox.cloudformation.handlers import Handlers
from aurora_sandbox.cloudformation.region import Region
from aurora_sandbox.cloudformation.stack import Leftover, Resource, Stack, Undo
from aurora_sandbox.cloudformation.types import ResourceFailed
from aurora_sandbox.cloudformation.walk import walk


def sweep(region: Region, handlers: Handlers, stack: Stack, leftovers: Sequence[Leftover], *, forgets: bool) -> bool:
    """Whether everything was deleted or, where its policy says so, kept; each before what it depends on.

    forgets: resources that are gone, or could not be deleted, are no longer listed (as after an update).
    """
    order = {
        index: [
            other
            for other, item in enumerate(leftovers)
            if leftover.resource.logical_id in item.resource.dependencies and other != index
        ]
        for index, leftover in enumerate(leftovers)
    }
    failed = walk(order, lambda index: _remove(region, handlers, stack, leftovers[index]), halts=False)
    if forgets:
        with region.changed:
            for leftover in leftovers:
                if _is_current(stack, leftover.resource):
                    del stack.resources[leftover.resource.logical_id]
    return not failed


def _remove(region: Region, handlers: Handlers, stack: Stack, leftover: Leftover) -> None:
    resource = leftover.resource
    if resource.physical_id is None:
        _tell(region, stack, resource, "DELETE_COMPLETE")
        return
    if leftover.is_kept:
        handlers.release(stack, resource)
        _tell(region, stack, resource, "DELETE_SKIPPED")
        return
    _tell(region, stack, resource, "DELETE_IN_PROGRESS")
    try:
        handlers.delete(stack, resource)
    except ResourceFailed as exc:
        _tell(region, stack, resource, "DELETE_FAILED", exc.reason)
        raise
    _tell(region, stack, resource, "DELETE_COMPLETE")


def _tell(region: Region, stack: Stack, resource: Resource, status: str, reason: str | None = None) -> None:
    """A replaced physical resource has events, but the stack's resource of that name is already another one."""
    with region.changed:
        if _is_current(stack, resource):
            region.put(stack, resource, status, reason)
        else:
            region.note(stack, resource, status, reason)


def _is_current(stack: Stack, resource: Resource) -> bool:
    current = stack.resources.get(resource.logical_id)
    return current is not None and current.physical_id == resource.physical_id


def take_back(region: Region, handlers: Handlers, stack: Stack) -> list[str]:
    """Logical ids of what could not be undone; that, and what comes after it, stays in stack.unfinished."""
    order = {name: stack.deployment.dependencies.get(name, frozenset()) for name in stack.unfinished}

    def undone(logical_id: str) -> None:
        _undo(region, handlers, stack, stack.unfinished[logical_id])
        with region.changed:
            del stack.unfinished[logical_id]

    return sorted(walk(order, undone, halts=True))


def skip(region: Region, stack: Stack, logical_id: str) -> None:
    """The resource counts as rolled back, whatever it really is."""
    with region.changed:
        undo = stack.unfinished.pop(logical_id)
        if undo.previous is not None:
            region.put(stack, undo.previous, "UPDATE_COMPLETE")


def _undo(region: Region, handlers: Handlers, stack: Stack, undo: Undo) -> None:
    if undo.previous is None:
        _leave(region, stack, stack.resources[undo.attempted.logical_id], is_new=True)
    elif undo.how == "restore":
        region.put(stack, undo.previous, "UPDATE_COMPLETE")
        _leave(region, stack, undo.attempted)
    else:
        _update_back(region, handlers, stack, undo.previous, undo.attempted)


def _update_back(region: Region, handlers: Handlers, stack: Stack, previous: Resource, attempted: Resource) -> None:
    region.put(stack, attempted, "UPDATE_IN_PROGRESS")
    try:
        made = handlers.update(stack, attempted, previous)
    except ResourceFailed as exc:
        region.put(stack, attempted, "UPDATE_FAILED", exc.reason)
        raise
    if made.physical_id != attempted.physical_id:
        _leave(region, stack, attempted)
    region.put(stack, made, "UPDATE_COMPLETE")


def _leave(region: Region, stack: Stack, resource: Resource, *, is_new: bool = False) -> None:
    """Deleted once the stack is back where it was; Retain also holds for a resource the failed update has added."""
    is_kept = is_new and resource.deletion_policy == "Retain" and not stack.deletes_new_on_rollback
    if is_new or resource.physical_id is not None:
        with region.changed:
            stack.leftovers.append(Leftover(resource, is_kept))
