"""Answers of an account and of a sandbox are compared apart from what must differ."""

from __future__ import annotations

from typing import Any

import pytest

from tools.smoke.compare import common, differences

ACCOUNT = {"name": "smoke-1a2b3c4d", "account": "210987654321", "region": "us-east-1"}
SANDBOX = {"name": "smoke-5e6f7a8b", "account": "123456789012", "region": "eu-west-1"}


def compared(left: Any, right: Any) -> list[str]:
    """The places that differ."""
    of_account = ACCOUNT | {"answers": {"probe": {"answer": left}}}
    of_sandbox = SANDBOX | {"answers": {"probe": {"answer": right}}}
    return [difference.path for difference in differences(of_account, of_sandbox)]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"took_seconds": 31.5}, {"took_seconds": 0.1}),
        ("arn:aws:rds:us-east-1:210987654321:cluster:x", "arn:aws:rds:eu-west-1:123456789012:cluster:y"),
        ("role of 210987654321 in us-east-1", "role of 123456789012 in eu-west-1"),
        ("stack smoke-1a2b3c4d-smoke-a", "stack smoke-5e6f7a8b-smoke-a"),
        ({"smoke-1a2b3c4d-smoke-a": 1}, {"smoke-5e6f7a8b-smoke-a": 1}),
        ("smoke-1a2b3c4d-databaseserver-abc is", "smoke-5e6f7a8b-databaseserver-xyz is"),
        ("8.0.42", "9.7.4-2"),
        ("8.0.mysql_aurora.3.10.6", "8.0.mysql_aurora.3.10.7"),
        ("2026-11-27T06:00:00Z", "2026-11-28T07:30:00.123+00:00"),
        ("'u'@'10.192.3.4'", "'u'@'127.0.0.1'"),
        ("0f8fad5b-d9cb-469f-a165-70867728950e", "7c9e6679-7425-40de-944b-e07fc1f90ae7"),
    ],
)
def test_what_must_differ_is_no_difference(left: Any, right: Any):
    assert compared(left, right) == []


@pytest.mark.parametrize(
    ("left", "right", "path"),
    [
        ({"error": {"code": "A", "message": "x"}}, {"error": {"code": "B", "message": "x"}}, ".error.code"),
        ({"a": 1}, {"a": 1, "b": 2}, ".b"),
        ({"a": [1, 2]}, {"a": [1]}, ".a"),
        ({"a": [1, {"b": True}]}, {"a": [1, {"b": False}]}, ".a[1].b"),
        ({"took_seconds": None}, {"took_seconds": 0.1}, ".took_seconds"),
        ("Error code: 1064", "Error code: 1065", ""),
        ("arn:aws:rds:us-east-1:1:cluster:x", "arn:aws:iam::1:role/x", ""),
    ],
)
def test_anything_else_is_named_with_its_place(left: Any, right: Any, path: str):
    assert compared(left, right) == [f"$.answer{path}"]


def test_a_probe_that_one_of_them_did_not_run_is_not_compared():
    left = {"answers": {"a": {"answer": 1}, "b": {"not_run": "why"}, "c": {"answer": 1}, "d": {"failed": "x"}}}
    right = {"answers": {"a": {"answer": 2}, "b": {"answer": 2}, "c": {"not_run": "why"}, "d": {"answer": 1}}}
    assert common(left, right) == ["a", "d"]
    assert [difference.probe for difference in differences(left, right)] == ["a", "d", "d"]
