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


def refuse_failed(stack_status: str, *, is_created_for_good: bool, rolls_back: bool) -> None:
    """Raises for an update that CloudFormation does not make of a failed stack: one that would be rolled back.

    is_created_for_good: its creation was to do nothing on failure, which rules out any update.
    Source of the sentences: what CloudFormation said to others, in pull request 68524 of code-dot-org/code-dot-org and
    in issue 1655 of ansible-collections/amazon.aws, the second to ExecuteChangeSet as well: issue 30546 of aws/aws-cdk.
    """
    if stack_status == "CREATE_FAILED" and is_created_for_good:
        raise invalid(
            "This stack cannot be updated from [CREATE_FAILED] state because it contains [on-failure: DO_NOTHING]. "
            "Please use disable-rollback option instead during stack creation."
        )
    if stack_status in ("CREATE_FAILED", "UPDATE_FAILED") and rolls_back:
        raise invalid(
            f"This stack is currently in a non-terminal [{stack_status}] state. To update the stack from this state, "
            "please use the disable-rollback parameter with update-stack API. "
            "To rollback to the last known good state, use the rollback-stack API"
        )


def no_stack(name: str) -> ServiceError:
    """The text that DescribeStacks and most other operations give, and that clients compare."""
    return invalid(f"Stack with id {name} does not exist")
