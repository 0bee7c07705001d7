"""The function behind Custom::Database, Custom::DatabaseUser and Custom::DatabaseRole: all that writes to MySQL.

It converges: it reads what exists, computes the same difference that `plan` shows, and runs it. So any event may come
twice, late, or after another one that was only half done. It changes only what its resource owns (mysql/owners.py).

event      Custom::Database                          Custom::DatabaseUser, Custom::DatabaseRole
Create     create, or adopt what exists              create, or adopt what exists
Update     the same; another name is another id      the same; another user or role is another id
Delete     release, drop only when allowed           drop what it owns, release what it adopted
MovedTo    offer it to another stack (lambdas/moving.py), and nothing else

Physical ids are the database's name; the secret's ARN, or `iam:` and the user's name; `role:` and the role's. A failed
Create answers with an id that none of them can have, so that the Delete which CloudFormation sends next does nothing.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from aurora_tenants.errors import DatabaseError
from aurora_tenants.lambdas.answer import DeadlineReached, deadline, send
from aurora_tenants.lambdas.caller import check_stack, check_url
from aurora_tenants.lambdas.database import delete_database, serve_database
from aurora_tenants.lambdas.moving import give_away
from aurora_tenants.lambdas.ownership import until_heard
from aurora_tenants.lambdas.request import Request, Resource, is_shared_stack, request_of, stack_of
from aurora_tenants.lambdas.role import serve_role
from aurora_tenants.lambdas.user import delete_accounts, serve_user
from aurora_tenants.mysql.properties import text

# Raised whenever the command line needs something that an older provider cannot do.
VERSION = 5

# No name contains a colon, and every secret's ARN begins with "arn:".
_NOTHING = "nothing:"


def handler(event: Mapping[str, Any], context: Any) -> None:
    """Serves one event and answers it, whatever happens. Logs neither the event, which holds a signed URL, nor SQL.

    Raises ValueError for one that it must not answer.
    """
    function_arn = context.invoked_function_arn
    check_url(event, function_arn)
    physical_id = event.get("PhysicalResourceId") or f"{_NOTHING}{event['RequestId']}"
    reports = False
    try:
        check_stack(event, function_arn)
        what = " ".join(str(event[name]) for name in ("RequestType", "ResourceType", "LogicalResourceId"))
        print(f"{what} of {event['StackId']}")  # noqa: T201 - the function's log
        reports = _reports_only(event)
        with deadline(context) as seconds:
            resource = _serve(request_of(event, seconds), physical_id)
    except (Exception, DeadlineReached) as error:
        # Where it happened, without the message: that of an unknown exception might hold a secret.
        print("".join(traceback.format_tb(error.__traceback__)))  # noqa: T201
        reason = _sentence(error)
        if reports:
            # A user that is made later has the id of its secret, and is then the same.
            is_new = physical_id.startswith(_NOTHING)
            its_id = str(event["ResourceProperties"].get("SecretId") or physical_id) if is_new else physical_id
            send(event, "SUCCESS", its_id, data={"Username": "", "Refused": reason[:1000]})
        else:
            send(event, "FAILED", physical_id, reason=reason)
    else:
        send(event, "SUCCESS", resource.physical_id, data=resource.data)


def _reports_only(event: Mapping[str, Any]) -> bool:
    """Whether what cannot be done is reported as the attribute Refused, and fails no stack.

    A Delete only of the shared stack's own user: there may be no cluster any more that it could be deleted from.
    """
    is_report = text(event["ResourceProperties"], "OnRefusal") == "report"
    may_report = event["RequestType"] != "Delete" or is_shared_stack(stack_of(event)[0])
    return is_report and event["ResourceType"] == "Custom::DatabaseUser" and may_report


def _sentence(error: BaseException) -> str:
    if isinstance(error, DatabaseError | ClientError | BotoCoreError | DeadlineReached | ValueError):
        return str(error)
    return f"the provider failed with {type(error).__name__}; its log shows where"


def _serve(request: Request, physical_id: str) -> Resource:
    kind, is_delete = request.event["ResourceType"], request.event["RequestType"] == "Delete"
    if is_delete and physical_id.startswith(_NOTHING):
        return Resource(physical_id, {})
    if kind not in _KINDS:
        raise ValueError(f"this function handles {', '.join(_KINDS)}, not {kind}")
    serve, delete = _KINDS[kind]
    if not is_delete:
        return give_away(request, physical_id) if request.text("MovedTo") else serve(request)
    until_heard(lambda: delete(request, physical_id))
    return Resource(physical_id, {})


_KINDS = {
    "Custom::Database": (serve_database, delete_database),
    "Custom::DatabaseUser": (serve_user, delete_accounts),
    "Custom::DatabaseRole": (serve_role, delete_accounts),
}
