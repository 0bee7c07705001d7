"""The refusals CloudFormation gives most: the request is wrong, or the sandbox does not do that."""

from __future__ import annotations

from typing import Any

from aurora_sandbox.wire import ServiceError


def invalid(message: str) -> ServiceError:
    """CloudFormation's answer to nearly everything it does not accept."""
    return ServiceError("ValidationError", message)


def refuse_null(value: Any, path: str) -> None:
    """Raises ValidationError for a part of a template that has null in it."""
    if value is None:
        raise invalid(f"[{path}] 'null' values are not allowed in templates")
    if isinstance(value, dict):
        for key, item in value.items():
            refuse_null(item, f"{path}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            refuse_null(item, f"{path}/{index}")


def not_imitated(what: str) -> ServiceError:
    """The sandbox never pretends: what AWS could do and we cannot is said so."""
    return ServiceError("NotImplemented", f"the sandbox does not imitate {what}")


def no_stack(name: str) -> ServiceError:
    """The text that DescribeStacks and most other operations give, and that clients compare."""
    return invalid(f"Stack with id {name} does not exist")
