"""Patterns of EventBridge's rules, as the sandbox compares them with events."""

from __future__ import annotations

from typing import Any

import pytest

from aurora_sandbox.events.patterns import check, matches

EVENT = {"source": "aws.cloudformation", "detail": {"status": "CREATE_FAILED", "count": 1, "tags": ["a", "b"]}}


@pytest.mark.parametrize(
    ("pattern", "is_one"),
    [
        ({"source": ["aws.s3", "aws.cloudformation"]}, True),
        ({"source": ["aws.s3"]}, False),
        ({"source": ["AWS.cloudformation"]}, False),
        ({"detail": {"status": [{"suffix": "_FAILED"}]}}, True),
        ({"detail": {"status": [{"prefix": "UPDATE"}]}}, False),
        ({"detail": {"status": [{"wildcard": "C*_F*D"}]}}, True),
        ({"detail": {"status": [{"wildcard": "C*_F"}]}}, False),
        ({"detail": {"status": [{"anything-but": {"prefix": "CREATE"}}]}}, False),
        ({"detail": {"status": [{"anything-but": ["DONE"]}]}}, True),
        ({"detail": {"reason": [{"anything-but": ["DONE"]}]}}, False),
        ({"detail": {"reason": [{"exists": False}]}}, True),
        ({"detail": {"tags": ["b"]}}, True),
        ({"detail": {"count": ["1"]}}, False),
        ({"source": ["aws.cloudformation"], "detail": {"status": ["DONE"]}}, False),
        ({"$or": [{"source": ["aws.s3"]}, {"detail": {"count": [1]}}]}, True),
        ({"$or": [{"source": ["aws.s3"]}], "detail": {"count": [1]}}, False),
    ],
)
def test_event_is_compared_field_by_field(pattern: dict[str, Any], is_one: bool) -> None:
    check(pattern)
    assert matches(pattern, EVENT) is is_one


@pytest.mark.parametrize(
    "pattern", [{}, {"source": "aws.s3"}, {"source": []}, {"detail": {"n": [{"numeric": [">", 1]}]}}, {"$or": [{}]}]
)
def test_pattern_that_no_rule_may_have_is_refused(pattern: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Event pattern is not valid"):
        check(pattern)
