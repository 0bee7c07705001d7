"""Answers of a service that a test asks past the front, compared with AWS's model as the front does it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from aurora_sandbox.wire import Caller, Service, constraints, service_model

checked: Counter[tuple[str, str]] = Counter()


def compared(service: Service, operation: str, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """The answer, which fails the test if AWS would never give it. Raises the service's own refusal."""
    answer = service.handle(operation, parameters, caller)
    fits(service.name, operation, answer)
    return answer


def fits(service: str, operation: str, answer: dict[str, Any]) -> None:
    shape = service_model(service).operation_model(operation).output_shape
    assert list(constraints.misfits(shape, answer)) == []
    checked[service, operation] += 1
