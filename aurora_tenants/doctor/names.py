"""Which names are made of the shared stack's, and how long AWS lets them be. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aurora_tenants.doctor.finding import Verdict, ok, problem

# Limits: CreateFunction in AWS Lambda's, CreateScheduleGroup in EventBridge Scheduler's API Reference.
_LIMITS = (
    ("function", "-database-secret-rotation", 64),
    ("function", "-database-provider", 64),
    ("schedule group", "-pause-schedule", 64),
)
# "StackName", CloudFormation API Reference.
_STACK = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")


def check_names(stack: str) -> Iterator[Verdict]:
    if not _STACK.fullmatch(stack):
        why = "a stack's name is a letter, then letters, digits and hyphens, 128 characters in all"
        yield problem(f"no stack can be called {stack}", why, "take another name, in cluster.stack or with --stack")
        return
    kind, suffix, limit = min(_LIMITS, key=lambda each: each[2] - len(each[1]))
    if len(stack) + len(suffix) <= limit:
        yield ok(f"the names made of {stack} fit into AWS's limits")
        return
    longest = limit - len(suffix)
    found = f"{kind} {stack}{suffix} would have {len(stack) + len(suffix)} characters"
    fix = f"take a name of at most {longest} characters, in cluster.stack or with --stack"
    yield problem(found, f"AWS takes {limit}", fix)
