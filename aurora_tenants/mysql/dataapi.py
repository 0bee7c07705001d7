"""The RDS Data API as a function: a statement goes in, rows come out.

    api = DataApi(client, cluster_arn, secret_arn)
    api.execute("SELECT 1 AS one")          [(1,)]

Waits while a paused cluster wakes, repeats what AWS asks to repeat, and turns MySQL's refusals into `DatabaseError`
with the server's own error number. Statements never carry parameters: MySQL takes none in account statements.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aurora_tenants.errors import DatabaseError, Problem
from aurora_tenants.mysql.live import Row

_POLL_SECONDS = 3.0
_RESUMING = "DatabaseResumingException"
# Codes that mean the statement never ran, and those after which it may have run: only reading may be repeated then.
_NOT_RUN = (
    _RESUMING,
    "DatabaseUnavailableException",
    "ServiceUnavailableError",
    "ThrottlingException",
)
_MAYBE_RUN = ("InternalServerErrorException", "StatementTimeoutException")
# A paused cluster answers with a code of its own (Serverless v2) or with a sentence (v1, and services in between).
_WAKING = ("is resuming after being auto-paused", "Communications link failure")


@dataclass(slots=True)
class DataApi:
    """One login to one cluster. client: a boto3 client for rds-data, whose own retries may be off.

    wait_seconds: how long a cluster may take to wake or to become available. woken: called once, when an answer says
    that the cluster was paused; not for anything else that is waited for. now, sleep: the clock, in seconds.
    """

    client: Any
    cluster_arn: str
    secret_arn: str
    wait_seconds: float = 180.0
    woken: Callable[[], None] = lambda: None
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _told: bool = field(default=False, init=False)

    def execute(self, statement: str) -> list[Row]:
        """The rows, as tuples; none for a statement that gives none.

        Raises DatabaseError when MySQL refuses the statement or the cluster is not there in time; its `number` is
        MySQL's error number, 0 where the answer holds none. The statement is never part of the error: it may hold
        a password.
        """
        deadline = self.now() + self.wait_seconds
        while True:
            try:
                return self._call(statement)
            except Exception as error:  # botocore is imported where clients are made; its errors say what they are
                code, message = _code(error)
                if not _passes(code, message, is_read=statement.startswith(("SELECT ", "SHOW "))):
                    raise _refused(code, message) if code else error from error
                left = deadline - self.now()
                if left <= 0:
                    raise _not_there(message, self.wait_seconds) from error
            if not self._told and _is_waking(code, message):
                self._told = True
                self.woken()
            self.sleep(min(_POLL_SECONDS, left))

    def _call(self, statement: str) -> list[Row]:
        """One call. JSON is decoded many times faster than typed fields, but AWS gives it for SELECT alone."""
        as_json = statement.startswith("SELECT ")
        result = self.client.execute_statement(
            resourceArn=self.cluster_arn,
            secretArn=self.secret_arn,
            sql=statement,
            **({"formatRecordsAs": "JSON"} if as_json else {}),
        )
        if as_json:
            return [tuple(record.values()) for record in json.loads(result.get("formattedRecords") or "[]")]
        return [tuple(_value(field) for field in record) for record in result.get("records", [])]


def _value(field: dict[str, Any]) -> Any:
    """A typed field such as {"stringValue": "ON"} or {"isNull": True}."""
    kind, value = next(iter(field.items()))
    return None if kind == "isNull" else value


def _code(error: Exception) -> tuple[str, str]:
    """The code and message of a botocore ClientError; an empty code for any other exception."""
    answer = getattr(error, "response", {}).get("Error", {})
    return answer.get("Code", ""), answer.get("Message", "") or str(error)


def _is_waking(code: str, message: str) -> bool:
    return code == _RESUMING or any(text in message for text in _WAKING)


def _passes(code: str, message: str, *, is_read: bool) -> bool:
    """Whether waiting helps and repeating does no harm."""
    return (
        code in _NOT_RUN
        or (is_read and code in _MAYBE_RUN)
        or (_is_waking(code, message) and (is_read or "successfully received" not in message))
    )


def _refused(code: str, message: str) -> DatabaseError:
    """MySQL's own sentence and number out of an answer: `…; Error code: 1045; SQLState: 28000`, or the older form."""
    found = re.search(r"[Ee]rror code: (\d+)", message)
    text = re.sub(r"^Database error code: \d+\. Message: |; Error code: \d+; SQLState: \w+$", "", message)
    number = int(found.group(1)) if found else 0
    return DatabaseError(Problem("database-refused", f"{text} ({number or code})"), number=number, code=code)


def _not_there(message: str, wait_seconds: float) -> DatabaseError:
    return DatabaseError(
        Problem(
            "database-not-awake",
            f"the cluster did not answer within {wait_seconds:.0f} s",
            why=message,
            fix="try again in a minute; if it stays like this, look at the cluster's events in the RDS console",
        ),
        code=_RESUMING,
    )
