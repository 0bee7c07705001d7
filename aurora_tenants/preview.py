"""What a change set would do to a stack that others depend on: read by people before they say yes. Pure.

Change("DatabaseServer", "AWS::RDS::DBCluster", "replace", (Difference("KmsKeyId", "", "arn:…", "Always"),))
refusals(previews, allowed=())     one Problem for each thing that holds data and would be replaced or deleted
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from aurora_tenants.errors import Problem
from aurora_tenants.stack import StackPlan

Action = Literal["create", "change", "replace", "may replace", "delete"]
Recreation = Literal["Never", "Conditionally", "Always"]

# What is gone with them: the data of every tenant; passwords that services have read already.
_HOLD_DATA = frozenset({"AWS::RDS::DBCluster", "AWS::SecretsManager::Secret"})
# "Update requires: Some interruptions". ("AWS::RDS::DBCluster", "AWS::RDS::DBInstance", Template Reference Guide)
_INTERRUPT = frozenset({("AWS::RDS::DBCluster", "EngineVersion"), ("AWS::RDS::DBInstance", "DBInstanceClass")})
# The templates are indented by one blank and by two.
_RESOURCE = re.compile(r"^ {1,2}(\w+):[^\n]*\n {2,4}Type: (\S+)(?:\n {2,4}Condition: (\w+))?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Difference:
    """A property with its values, as far as CloudFormation tells them; empty where it does not, or there is none."""

    name: str
    before: str = ""
    after: str = ""
    recreation: Recreation = "Never"


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one resource. may replace: CloudFormation cannot tell yet.

    keeps: what its policy does with it when it is replaced or deleted, as CloudFormation says it: Retain, Snapshot.
    """

    logical_id: str
    type: str
    action: Action
    differences: tuple[Difference, ...] = ()
    keeps: str = ""

    @property
    def interrupts(self) -> bool:
        """Whether it is not available for a while."""
        changed = {(self.type, difference.name) for difference in self.differences}
        return self.action != "create" and bool(changed & _INTERRUPT)

    @property
    def loses_data(self) -> bool:
        """Whether what it holds is no longer where others look for it."""
        return self.type in _HOLD_DATA and self.action in ("replace", "may replace", "delete")


@dataclass(frozen=True, slots=True)
class Preview:
    """All that happens to one stack."""

    stack: str
    is_new: bool
    changes: tuple[Change, ...]


def of_new(plan: StackPlan) -> Preview:
    """A shared stack or its cluster's of which nothing is there: each resource of its template that takes part."""
    _, _, resources = plan.template_text().partition("\nResources:\n")
    found = sorted(_RESOURCE.findall(resources.partition("\nOutputs:")[0]))
    hold = {"", *_conditions(plan.parameters)}
    changes = tuple(Change(name, kind, "create") for name, kind, condition in found if condition in hold)
    return Preview(plan.name, is_new=True, changes=changes)


def _conditions(parameters: Mapping[str, str]) -> Iterator[str]:
    """Those that resources of cfn/cluster.yml have and that hold; cfn/shared.yml has none."""
    readers = parameters.get("ReaderInstances", "")
    yield from (f"HasReader{number + 1}" for number in range(int(readers) if readers.isdecimal() else 0))
    if not parameters.get("VpcId"):
        yield "MakesNetwork"
        yield from ["HasThirdZone"] if parameters.get("Zones") == "3" else []


def secrets(previews: Sequence[Preview]) -> int:
    """How many secrets there are more, or less, afterwards: with the one in which RDS keeps a cluster's password."""
    found = [change for preview in previews for change in preview.changes if change.type in _HOLD_DATA]
    return sum(change.action == "create" for change in found) - sum(change.action == "delete" for change in found)


def refusals(previews: Sequence[Preview], allowed: Sequence[str]) -> list[Problem]:
    """What would lose data and was not allowed by its logical id."""
    found = [
        (preview.stack, change)
        for preview in previews
        for change in preview.changes
        if change.loses_data and change.logical_id not in allowed
    ]
    return [
        Problem(
            "data-lost",
            f"{change.logical_id} of stack {stack} would be {_DONE[change.action]}",
            f"it is an {change.type}, and what it holds is not carried over",
            f"take back what causes it, or allow it: --allow-replace {change.logical_id}",
        )
        for stack, change in found
    ]


_DONE = {"replace": "replaced", "may replace": "replaced, as far as CloudFormation can tell", "delete": "deleted"}
