"""What a deployment would change in a stack, as a change set announces it. Nothing is made, nothing is asked.

A value that is known beforehand gives a Static change. One that hangs on a resource which is itself about to change
gives a Dynamic one, announced although it may turn out to be the same.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from graphlib import TopologicalSorter
from typing import Any

from aurora_sandbox.cloudformation.changes import attribute, changed, replaces, secret, typed
from aurora_sandbox.cloudformation.deployment import Deployment
from aurora_sandbox.cloudformation.drift import Drift, as_found
from aurora_sandbox.cloudformation.intrinsics import Scope, as_text, references, resolve
from aurora_sandbox.cloudformation.parameters import MASK
from aurora_sandbox.cloudformation.region import Region, StackFailed
from aurora_sandbox.cloudformation.rollout import rules_of
from aurora_sandbox.cloudformation.schemas import Schema
from aurora_sandbox.cloudformation.stack import GONE, Change, Detail, Resource, Stack
from aurora_sandbox.cloudformation.template import Declaration
from aurora_sandbox.cloudformation.types import is_custom

# What a change set says of a value that it cannot know yet.
_AFTER_APPLY = "{{changeSet:KNOWN_AFTER_APPLY}}"


class _Pending(Exception):
    """A value that only the operation itself will find out."""

    def __init__(self, cause: str, source: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.source = source


class Preview:
    """Compares a stack with a deployment. Use it with `region.changed` held.

    drift: what was found to differ from what CloudFormation deployed; None to compare with that.
    """

    def __init__(self, region: Region, stack: Stack, deployment: Deployment, drift: Drift | None = None) -> None:
        self._region = region
        self._stack = stack
        self._deployment = deployment
        self._drift = drift
        resources = {name: item for name, item in stack.resources.items() if item.status not in GONE}
        found = {name: as_found(item, drift or {}) for name, item in resources.items()}
        self._live = {name: item for name, item in found.items() if item}
        self._changes: dict[str, Change] = {}
        exports = {export.name: export.value for export in region.exports()}
        missing = sorted(deployment.imports - exports.keys())
        if missing:
            raise StackFailed(f"No export named {missing[0]} found.")
        self._scope = Scope(
            deployment.variables,
            deployment.template.mappings,
            deployment.conditions,
            ref=self._ref,
            attribute=self._attribute,
            imported=exports.__getitem__,
        )
        for logical_id in TopologicalSorter(deployment.dependencies).static_order():
            change = self._change(deployment.resources[logical_id])
            if change:
                self._changes[logical_id] = change
        for logical_id, resource in self._live.items():
            if logical_id not in deployment.resources:
                self._changes[logical_id] = _removal(resource)

    def changes(self) -> tuple[Change, ...]:
        """By logical id."""
        return tuple(self._changes[name] for name in sorted(self._changes))

    def has_changes(self) -> bool:
        """Whether there is anything to do: a resource, also one that failed half way, an output, the stack's tags."""
        has_failed = any(item.status in ("CREATE_FAILED", "UPDATE_FAILED") for item in self._stack.resources.values())
        has_other_tags = self._stack.deployment.tags != self._deployment.tags
        return bool(self._changes) or has_failed or has_other_tags or self._has_other_outputs()

    def _has_other_outputs(self) -> bool:
        before = {(item.name, item.value, item.description, item.export_name) for item in self._stack.outputs}
        after = {
            (item.name, as_text(resolve(item.value, self._scope)), item.description, self._export(item.export_name))
            for item in self._deployment.outputs.values()
        }
        return before != after

    def _export(self, name: Any) -> str | None:
        return None if name is None else as_text(resolve(name, self._scope))

    def _change(self, declaration: Declaration) -> Change | None:
        current = self._live.get(declaration.logical_id)
        if current is None:
            return Change("Add", declaration.logical_id, declaration.type, drift=self._drift_of(declaration.logical_id))
        rules = rules_of(declaration.type, self._region)
        details = tuple(self._details(declaration, current, rules))
        if not details:
            return None
        replacement = _replacement(details)
        return Change(
            action="Modify",
            logical_id=current.logical_id,
            type=current.type,
            physical_id=current.physical_id,
            replacement=replacement,
            policy_action=_policy_on_replacement(current) if replacement == "True" else None,
            details=details,
            drift=self._drift_of(current.logical_id),
        )

    def _drift_of(self, logical_id: str) -> str | None:
        if self._drift is None or logical_id not in self._stack.resources:
            return None
        if is_custom(self._stack.resources[logical_id].type):
            return "UNSUPPORTED"
        if logical_id not in self._drift:
            return "IN_SYNC"
        return "DELETED" if self._drift[logical_id] is None else "MODIFIED"

    def _details(self, declaration: Declaration, current: Resource, rules: Schema | None) -> list[Detail]:
        names = sorted(declaration.properties.keys() | current.properties.keys())
        found = [self._property(name, declaration, current, rules) for name in names]
        details = [detail for detail in found if detail]
        tags = self._deployment.tags if rules and rules.has_tags else {}
        pairs = {
            "Tags": (current.tags, tags),
            "Metadata": (current.metadata, declaration.metadata),
            "DeletionPolicy": (current.deletion_policy, declaration.deletion_policy),
            "UpdateReplacePolicy": (current.update_replace_policy, declaration.update_replace_policy),
        }
        for name, (before, after) in pairs.items():
            if before != after:
                details.append(Detail(name, None, "Never", "Static", "DirectModification", None))
        return details

    def _property(self, name: str, declaration: Declaration, current: Resource, rules: Schema | None) -> Detail | None:
        before = {name: current.properties[name]} if name in current.properties else {}
        after = {name: declaration.properties[name]} if name in declaration.properties else {}
        try:
            known = typed(resolve(after, self._scope), rules)
        except _Pending as pending:
            recreation = "Conditionally" if _may_replace(rules, name) else "Never"
            now = _shown(before, name, current.secrets | secret(declaration, self._deployment))
            return Detail("Properties", name, recreation, "Dynamic", pending.source, pending.cause, now, _AFTER_APPLY)
        if not changed(before, known):
            return None
        recreation = "Conditionally" if rules and any(path[0] == name for path in rules.may_replace) else "Never"
        if rules and replaces(rules, before, known):
            recreation = "Always"
        parameter = self._changed_parameter(after)
        source = "ParameterReference" if parameter else "DirectModification"
        hidden = secret(declaration, self._deployment)
        # What has become secret is not told as it was before either.
        now = _shown(before, name, current.secrets | hidden)
        then = _shown(known, name, hidden)
        recorded = self._stack.resources[current.logical_id].properties
        is_drifted = changed(before, {name: recorded[name]} if name in recorded else {})
        deployed = _shown(recorded, name, current.secrets | hidden) if is_drifted else None
        return Detail("Properties", name, recreation, "Static", source, parameter, now, then, deployed)

    def _changed_parameter(self, value: Mapping[str, Any]) -> str | None:
        """The parameter whose new value is why the property changes."""
        before, after = self._stack.deployment.values, self._deployment.values
        names = sorted({found.name for found in references(dict(value))} & after.keys())
        return next((name for name in names if name in before and before[name] != after[name]), None)

    def _ref(self, name: str) -> Any:
        change = self._changes.get(name)
        if change and (change.action == "Add" or change.replacement in ("True", "Conditional")):
            raise _Pending(name, "ResourceReference")
        return self._live[name].physical_id

    def _attribute(self, name: str, what: str) -> Any:
        if name in self._changes:
            raise _Pending(f"{name}.{what}", "ResourceAttribute")
        return attribute(self._live[name], what, self._stack.id)


def _shown(properties: Mapping[str, Any], name: str, hidden: Collection[str]) -> str | None:
    if name not in properties:
        return None
    if name in hidden:
        return MASK
    value = properties[name]
    return value if isinstance(value, str) else json.dumps(value)


def _may_replace(rules: Schema | None, name: str) -> bool:
    return rules is not None and any(path[0] == name for path in (*rules.create_only, *rules.may_replace))


def _replacement(details: tuple[Detail, ...]) -> str:
    """Of custom resources nobody knows before their function has answered: CloudFormation announces False."""
    recreations = {detail.recreation for detail in details}
    if "Always" in recreations:
        return "True"
    return "Conditional" if "Conditionally" in recreations else "False"


def _policy_on_replacement(resource: Resource) -> str:
    return f"ReplaceAnd{resource.update_replace_policy}"


def _removal(resource: Resource) -> Change:
    policy = "Retain" if resource.deletion_policy == "RetainExceptOnCreate" else resource.deletion_policy
    return Change("Remove", resource.logical_id, resource.type, resource.physical_id, policy_action=policy)
