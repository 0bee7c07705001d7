"""Texts of tenants.yaml for tests: what they mean, and what is told of them."""

from __future__ import annotations

import pytest

from aurora_tenants import config
from aurora_tenants.errors import InvalidFile, Problem
from aurora_tenants.model import Tenant

MARK = "»"
HEAD = "version: 1\ncluster: {stack: shared}\ntenants:\n"


def tenants(body: str) -> tuple[Tenant, ...]:
    return config.parse(HEAD + body, "f").tenants


def problems(text: str) -> list[Problem]:
    with pytest.raises(InvalidFile) as caught:
        config.parse(text, "f")
    return list(caught.value.problems)


def told(body: str) -> list[str]:
    """Every problem of the tenants as `code: what`. Each has to be at a place marked » in the body, in this order."""
    lines = (HEAD + body).split("\n")
    marks = [
        (line, at + 1 - text[:at].count(MARK))
        for line, text in enumerate(lines, 1)
        for at, c in enumerate(text)
        if c == MARK
    ]
    found = problems((HEAD + body).replace(MARK, ""))
    assert [(problem.where.line, problem.where.column) for problem in found if problem.where] == marks
    return [f"{problem.code}: {problem.what}" for problem in found]


def fixes(body: str) -> list[str]:
    return [problem.fix for problem in problems((HEAD + body).replace(MARK, ""))]


def granting(entry: str) -> str:
    """A tenant `app` with the databases app and other, whose user has one privilege, with its privileges in line 7."""
    return f"  app:\n    databases: {{app: , other: }}\n    users:\n      app: {{privileges: [{entry}]}}\n"
