"""What AWS refuses by its documentation, where neither botocore's models nor the resource schemas say so.

    refused("AWS::Lambda::Function", {"Timeout": 901, …})
    "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member must have value less …"

rules.py is the table, checks.py how each of its rules is looked at. They are asked where a resource or a request is
made; docs/sandbox-constraints.md lists the rules with their sources, and a test compares the two.
"""

from __future__ import annotations

from aurora_sandbox.documented.checks import Values
from aurora_sandbox.documented.rules import EVERY_REQUEST, EVERY_RESOURCE, RULES, Rule


def refused(of: str, values: Values) -> str | None:
    """AWS's words for the first rule that the values break."""
    rule = broken_by(of, values)
    return rule.broken(values) if rule else None


def broken_by(of: str, values: Values) -> Rule | None:
    """The first rule that the values break: of this very kind of thing, or of every one."""
    common = EVERY_RESOURCE if of.startswith("AWS::") else EVERY_REQUEST
    return next((rule for rule in RULES if rule.of in (of, common) and rule.broken(values)), None)
