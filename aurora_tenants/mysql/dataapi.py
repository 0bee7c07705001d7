"""The RDS Data API as a function: a statement goes in, rows come out.

    api = DataApi(client, cluster_arn, secret_arn)
    api.execute("SELECT 1 AS c0")          [(1,)]

Waits while a cluster wakes or settles, repeats what may be repeated, and turns MySQL's refusals into `DatabaseError`.
Statements never have parameters: MySQL allows none in account statements.

answer                                             a SELECT or SHOW      any other statement
paused, new, busy, throttled: it has not run       repeated              repeated
broken off, an error inside AWS: it may have run   repeated              DatabaseError with code LOST
anything else                                      DatabaseError         DatabaseError
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aurora_tenants.errors import OF_MYSQL, DatabaseError, Problem
from aurora_tenants.mysql.live import Row
from aurora_tenants.mysql.refusals import number_of, said

# The code of the error after which a statement has run or not: whoever sent it has to look.
LOST = "AnswerLost"

# A cluster that has just been made settles within a second or two; one that was paused wakes in 15 s.
_FIRST_PAUSE_SECONDS = 0.25
_POLL_SECONDS = 3.0
_RESUMING = "DatabaseResumingException"
_NOT_ENABLED = "HttpEndpointNotEnabledException"
_TOO_MANY_CONNECTIONS = 1040
# A paused cluster answers with _RESUMING (Serverless v2) or with one of these sentences (v1, and proxies in between).
_WAKING = ("is resuming after being auto-paused", "Communications link failure")
# Answers after which the statement may have run all the same.
_MAY_HAVE_RUN = (
    *("InternalServerErrorException", "StatementTimeoutException"),
    *("DatabaseUnavailableException", "ServiceUnavailableError"),
)
_TRY_AGAIN = "try again in a minute; if that does not help, look at the cluster's events in the RDS console"
# Answers before which the statement did not run, and which pass; and what to do about one that stays.
# Source: the exceptions of rds-data, RDS Data API Reference.
_NOT_YET = {
    _RESUMING: _TRY_AGAIN,
    "ThrottlingException": "let fewer programs use the Data API at once",
    _NOT_ENABLED: "aws rds enable-http-endpoint --resource-arn {cluster}",
    "DatabaseNotFoundException": "see that the cluster exists and has an instance: aws rds describe-db-clusters",
    "InvalidResourceStateException": "start the cluster if it is stopped: aws rds describe-db-clusters says its status",
    "SecretsErrorException": "see that the secret exists and may be read: aws secretsmanager describe-secret"
    " --secret-id {secret}",
}
_NETWORK = "check the network, and that the region has the Data API"
_CONNECTIONS = "end some of the cluster's connections, and give its users max_user_connections"


@dataclass(slots=True)
class DataApi:
    """One login to one cluster. client: a boto3 client for rds-data; it needs no retries of its own.

    wait_seconds: how long all statements together may wait for the cluster. deadline: by the clock, after which none
    waits. woken: called once, when an answer says that the cluster was paused; waiting: called once with the reason of
    any other wait that takes longer than a moment. now, sleep: the clock, in seconds.
    """

    client: Any
    cluster_arn: str
    secret_arn: str
    wait_seconds: float = 180.0
    deadline: float = math.inf
    woken: Callable[[], None] = lambda: None
    waiting: Callable[[str], None] = lambda _: None
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _has_told: set[bool] = field(default_factory=set, init=False)
    _waited: float = field(default=0.0, init=False)

    def execute(self, statement: str) -> list[Row]:
        """The rows, as tuples; none for a statement that returns none.

        Raises DatabaseError when MySQL refuses the statement or does not answer in time; its `number` is MySQL's error
        number, or 0 if the answer does not tell. The statement is never part of the error: it may hold a password.
        """
        is_read = statement.startswith(("SELECT ", "SHOW "))
        begun, pause = self.now(), min(_FIRST_PAUSE_SECONDS, _POLL_SECONDS)
        limit = max(min(self.wait_seconds - self._waited, self.deadline - begun), 0.0)
        while True:
            try:
                return self._call(statement)
            except Exception as error:  # botocore is imported where clients are made; its errors say what they are
                failure = _failure(error)
                if failure is None:
                    raise
                if not failure.is_passing or (failure.may_have_run and not is_read):
                    raise _refused(failure) from error
                left = begun + limit - self.now()
                if left <= 0:
                    raise self._no_answer(failure, limit) from error
            if failure.is_waking or pause > 1:
                self._tell(failure)
            seconds = min(_POLL_SECONDS if failure.is_waking else pause, left)
            self.sleep(seconds)
            self._waited += seconds
            pause = min(2 * pause, _POLL_SECONDS)

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
            return _rows(json.loads(_body(result, "formattedRecords")))
        if statement.startswith("SHOW "):
            return [tuple(_value(field) for field in record) for record in _body(result, "records")]
        # AWS's own headers say that the statement ran, even if nothing of the body has come.
        if not result["ResponseMetadata"].get("RequestId"):
            raise _Torn("something else than the Data API has answered")
        return []

    def _tell(self, failure: _Failure) -> None:
        if failure.is_waking not in self._has_told:
            self._has_told.add(failure.is_waking)
            if failure.is_waking:
                self.woken()
            else:
                self.waiting(failure.message)

    def _no_answer(self, failure: _Failure, limit: float) -> DatabaseError:
        fix = _NOT_YET.get(failure.code, _TRY_AGAIN) if failure.code else _NETWORK
        fix = _CONNECTIONS if failure.number == _TOO_MANY_CONNECTIONS else fix
        problem = Problem(
            "database-not-awake" if failure.is_waking else "database-not-ready",
            f"the cluster did not answer within {round(limit, 1):g} s",
            failure.message,
            fix.format(cluster=self.cluster_arn, secret=self.secret_arn),
        )
        error = DatabaseError(problem, number=failure.number, code=failure.code)
        error.args = (f"{problem.what}: {problem.why}",)  # all that a function can say is one sentence
        return error


class _Failure(NamedTuple):
    """What a call ended with instead of rows. code: empty where AWS did not answer. number: MySQL's, or 0.

    is_passing: another call may have another end. may_have_run: the statement may have run all the same.
    """

    code: str
    message: str
    number: int = 0
    is_passing: bool = False
    may_have_run: bool = False

    @property
    def is_waking(self) -> bool:
        """MySQL's own errors do not count: they may quote anything."""
        return self.code == _RESUMING or (not self.number and any(text in self.message for text in _WAKING))


class _Torn(Exception):
    """An answer that broke off, or that something on the way has given: botocore takes either for an empty one."""


def _body(result: dict[str, Any], name: str) -> Any:
    """What an answer with rows always has. Raises _Torn without it."""
    if name not in result:
        raise _Torn("the answer broke off before its end")
    return result[name]


def _failure(error: Exception) -> _Failure | None:
    """What a botocore error means; None for any that is neither an answer nor a broken connection."""
    # A closed connection has the attribute, and nothing in it.
    response = getattr(error, "response", None) or {}
    answer = response.get("Error", {})
    code, message = str(answer.get("Code", "")), str(answer.get("Message", "") or error)
    if not code:
        return _broken(error)
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code == "BadRequestException" and "HttpEndpoint is not enabled" in message:
        code = _NOT_ENABLED  # said in two ways
    if status == 429:
        code = "ThrottlingException"
    failure = _Failure(code, message, number_of(message))
    if code in _NOT_YET or failure.number == _TOO_MANY_CONNECTIONS:
        return failure._replace(is_passing=True)
    if failure.is_waking:
        return failure._replace(is_passing=True, may_have_run="successfully received" in message)
    is_lost = code in _MAY_HAVE_RUN or status >= 500
    return failure._replace(is_passing=is_lost, may_have_run=is_lost)


def _broken(error: Exception) -> _Failure | None:
    """A connection that was not made, or was lost; None for any other error, such as a certificate that is refused."""
    from botocore import exceptions
    from botocore.parsers import ResponseParserError

    never_made = exceptions.EndpointConnectionError, exceptions.ConnectTimeoutError, exceptions.ProxyConnectionError
    if isinstance(error, never_made):
        return _Failure("", str(error), is_passing=True)
    is_lost = isinstance(error, exceptions.HTTPClientError | ResponseParserError | _Torn | json.JSONDecodeError)
    # Over TLS a connection that is cut may end like this; over plain HTTP it is a ConnectionClosedError.
    is_cut = isinstance(error, exceptions.SSLError) and "EOF" in str(error)
    return _Failure("", str(error), is_passing=True, may_have_run=True) if is_lost or is_cut else None


def _rows(records: list[dict[str, Any]]) -> list[Row]:
    """Records of JSON as tuples, by the order of their keys: nobody promises that they come as they were selected."""
    keys = sorted(records[0]) if records else []
    return [tuple([record[key] for key in keys]) for record in records]


def _value(field: dict[str, Any]) -> Any:
    """A typed field such as {"stringValue": "ON"} or {"isNull": True}."""
    kind, value = next(iter(field.items()))
    if kind == "isNull":
        return None
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _refused(failure: _Failure) -> DatabaseError:
    """MySQL's own sentence and number, or AWS's sentence and code."""
    if failure.may_have_run:
        what = f"the answer to a statement was lost: {failure.message}"
        why = "it may have run, and is not repeated without looking"
        return DatabaseError(Problem("answer-lost", what, why, _TRY_AGAIN), code=LOST)
    text = said(failure.message)
    if failure.number or failure.code != OF_MYSQL:
        text += f" ({failure.number or failure.code})"
    return DatabaseError(Problem("database-refused", text), number=failure.number, code=failure.code)
