"""The RDS Data API as a function: a statement goes in, rows come out.

    api = DataApi(client, cluster_arn, secret_arn)
    api.execute("SELECT 1 AS one")          [(1,)]

Waits while a paused cluster wakes, retries what may be retried, and turns MySQL's refusals into `DatabaseError` with
the server's own error number. Statements never have parameters: MySQL allows none in account statements.
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
# Codes that mean the statement never ran, and those after which it may have run: then only a read may be repeated.
_NOT_RUN = (_RESUMING, "DatabaseUnavailableException", "ServiceUnavailableError", "ThrottlingException")
_MAYBE_RUN = ("InternalServerErrorException", "StatementTimeoutException")
# A paused cluster answers with _RESUMING (Serverless v2) or with one of these sentences (v1, and proxies in between).
_WAKING = ("is resuming after being auto-paused", "Communications link failure")


@dataclass(slots=True)
class DataApi:
    """One login to one cluster. client: a boto3 client for rds-data; it needs no retries of its own.

    wait_seconds: how long a cluster may take to wake or to become available. woken: called once, when an answer says
    that the cluster was paused, and for no other wait. now, sleep: the clock, in seconds.
    """

    client: Any
    cluster_arn: str
    secret_arn: str
    wait_seconds: float = 180.0
    woken: Callable[[], None] = lambda: None
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _has_called_woken: bool = field(default=False, init=False)

    def execute(self, statement: str) -> list[Row]:
        """The rows, as tuples; none for a statement that returns none.

        Raises DatabaseError when MySQL refuses the statement or the cluster does not answer in time; its `number` is
        MySQL's error number, or 0 if the answer has none. The statement is never part of the error: it may hold a
        password.
        """
        deadline = self.now() + self.wait_seconds
        while True:
            try:
                return self._call(statement)
            except Exception as error:  # botocore is imported where clients are made; its errors say what they are
                code, message = _code(error)
                if not _may_repeat(code, message, is_read=statement.startswith(("SELECT ", "SHOW "))):
                    raise _refused(code, message) if code else error from error
                left = deadline - self.now()
                if left <= 0:
                    raise _no_answer(message, self.wait_seconds) from error
            if not self._has_called_woken and _is_waking(code, message):
                self._has_called_woken = True
                self.woken()
            self.sleep(min(_POLL_SECONDS, left))

    def _call(self, statement: str) -> list[Row]:
        """One call. JSON decodes many times faster than typed fields, but AWS offers it for SELECT only."""
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
    # A closed connection has the attribute, and nothing in it.
    answer = (getattr(error, "response", None) or {}).get("Error", {})
    return answer.get("Code", ""), answer.get("Message", "") or str(error)


def _is_waking(code: str, message: str) -> bool:
    return code == _RESUMING or any(text in message for text in _WAKING)


def _may_repeat(code: str, message: str, *, is_read: bool) -> bool:
    """Whether waiting helps, and repeating the statement does no harm."""
    return (
        code in _NOT_RUN
        or (is_read and code in _MAYBE_RUN)
        or (_is_waking(code, message) and (is_read or "successfully received" not in message))
    )


def _refused(code: str, message: str) -> DatabaseError:
    """MySQL's own sentence and number from an answer: `…; Error code: 1045; SQLState: 28000`, or the older form."""
    match = re.search(r"[Ee]rror code: (\d+)", message)
    text = re.sub(r"^Database error code: \d+\. Message: |; Error code: \d+; SQLState: \w+$", "", message)
    number = int(match.group(1)) if match else 0
    return DatabaseError(Problem("database-refused", f"{text} ({number or code})"), number=number, code=code)


def _no_answer(message: str, wait_seconds: float) -> DatabaseError:
    what = f"the cluster did not answer within {wait_seconds:.0f} s"
    fix = "try again in a minute; if that does not help, look at the cluster's events in the RDS console"
    return DatabaseError(Problem("database-not-awake", what, message, fix), code=_RESUMING)
