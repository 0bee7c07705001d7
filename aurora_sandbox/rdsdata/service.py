"""The RDS Data API over the sandbox's MySQL server.

Each call logs in with the user and password of the secret it names, so that MySQL itself enforces grants, and each
call outside a transaction has a session of its own, so that no state survives it (logins.py). Limits, error codes and
texts are those of Aurora Serverless v2 and provisioned clusters. Knows CloudFormation and HTTP not at all.

    api = RdsData(clusters=clusters, secret=secrets.current)
    api.handle("ExecuteStatement", {"resourceArn": ..., "secretArn": ..., "sql": "SELECT 1"}, caller)
    {"records": [[{"longValue": 1}]], "numberOfRecordsUpdated": 0, "generatedFields": []}
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pymysql
from pymysql.constants import CR, ER

from aurora_sandbox import status
from aurora_sandbox.cluster import Cluster, Clusters, State
from aurora_sandbox.faults import Faults
from aurora_sandbox.rdsdata import resultset, sqltext
from aurora_sandbox.rdsdata.answers import Answers
from aurora_sandbox.rdsdata.logins import Login, LoginRefused, Logins
from aurora_sandbox.rdsdata.transactions import IDLE_SECONDS, Transactions
from aurora_sandbox.unserved import EARLY
from aurora_sandbox.wire import Caller, ServiceError

STATEMENT_SECONDS = 45.0

# SQLSTATE of the errors that can end a login; of all others the connection itself is asked.
_LOGIN_STATES = {
    ER.CON_COUNT_ERROR: "08004",
    ER.DBACCESS_DENIED_ERROR: "42000",
    ER.ACCESS_DENIED_ERROR: "28000",
    ER.BAD_DB_ERROR: "42000",
    ER.USER_LIMIT_REACHED: "42000",
}


class RdsData:
    """Service "rds-data". `statements` says how many were run, `answers` what answers look like.

    While `resuming_as_v1`, a paused cluster answers with Aurora Serverless v1's "Communications link failure".
    """

    name = "rds-data"
    only = None

    def __init__(
        self,
        *,
        clusters: Clusters,
        secret: Callable[[str, Caller], str],
        clock: Callable[[], float] = time.monotonic,
        statement_seconds: float = STATEMENT_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        faults: Faults | None = None,
    ) -> None:
        """secret: gives a caller the AWSCURRENT SecretString, or raises ServiceError."""
        self.statements = 0
        self.resuming_as_v1 = False
        self.answers = Answers()
        self._faults = faults or Faults()
        self._clusters = clusters
        self._secret = secret
        self._statement_seconds = statement_seconds
        self._transactions = Transactions(clock=clock, idle_seconds=idle_seconds)
        self._counting = threading.Lock()
        self._logins = Logins()
        self._operations = {
            "ExecuteStatement": self._execute_statement,
            "BatchExecuteStatement": self._batch_execute_statement,
            "BeginTransaction": self._begin_transaction,
            "CommitTransaction": self._commit_transaction,
            "RollbackTransaction": self._rollback_transaction,
        }

    def handle(self, operation: str, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """Raises ServiceError as AWS would."""
        if operation not in self._operations:
            raise ServiceError("UnknownOperationException", f"The sandbox does not imitate rds-data {operation}")
        return self._operations[operation](parameters, caller)

    def close(self) -> None:
        """Rolls back every open transaction, and closes every connection."""
        self._transactions.close()
        self._logins.close()

    def _execute_statement(self, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]:
        with self._connection(parameters, caller) as connection, connection.cursor() as cursor:
            self._run(cursor, parameters, parameters.get("parameters", []), caller)
            if cursor.description is None:
                return {
                    "records": [],
                    "numberOfRecordsUpdated": max(cursor.rowcount, 0),
                    "generatedFields": _generated(parameters["sql"], cursor),
                }
            columns, rows = _columns(cursor), cursor.fetchall()
        if self.answers.base64:
            columns = resultset.as_bytes(columns)
        options = parameters.get("resultSetOptions", {})
        if parameters.get("formatRecordsAs") == "JSON" and sqltext.is_query(parameters["sql"]):
            text = resultset.formatted(columns, rows, options, reversed_keys=self.answers.reversed_keys)
            return {"formattedRecords": text, "numberOfRecordsUpdated": 0}
        result: dict[str, Any] = {
            "records": resultset.records(columns, rows, options),
            "numberOfRecordsUpdated": 0,
            "generatedFields": [],
        }
        if parameters.get("includeResultMetadata"):
            result["columnMetadata"] = resultset.metadata(columns)
        return result

    def _batch_execute_statement(self, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]:
        results = []
        with self._connection(parameters, caller) as connection, connection.cursor() as cursor:
            for parameter_set in parameters.get("parameterSets") or [[]]:
                self._run(cursor, parameters, parameter_set, caller)
                results.append({"generatedFields": _generated(parameters["sql"], cursor)})
        return {"updateResults": results}

    def _begin_transaction(self, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]:
        _, login = self._login(parameters, caller)
        with self._refusing():
            connection = self._logins.new(login, autocommit=False)
        return {"transactionId": self._transactions.add(connection)}

    def _commit_transaction(self, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]:
        self._cluster(parameters)
        with self._transactions.use(parameters["transactionId"]) as connection:
            connection.commit()
        self._transactions.forget(parameters["transactionId"])
        return {"transactionStatus": "Transaction Committed"}

    def _rollback_transaction(self, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]:
        self._cluster(parameters)
        with self._transactions.use(parameters["transactionId"]) as connection:
            connection.rollback()
        self._transactions.forget(parameters["transactionId"])
        return {"transactionStatus": "Rollback Complete"}

    @contextmanager
    def _connection(self, parameters: dict[str, Any], caller: Caller) -> Iterator[pymysql.Connection[Any]]:
        if "transactionId" in parameters:
            self._cluster(parameters)
            with self._transactions.use(parameters["transactionId"]) as connection:
                yield connection
            return
        cluster, login = self._login(parameters, caller)
        # Whoever else logs in does not seem to be connected for longer than that takes.
        with self._refusing(), self._logins.use(login, keeps=login.user == cluster.master_username) as connection:
            yield connection

    def _cluster(self, parameters: dict[str, Any]) -> Cluster:
        """The cluster, awake. Raises ServiceError if it is unknown, its Data API is off, or it is not awake yet."""
        arn = parameters["resourceArn"]
        if "schema" in parameters:
            raise ServiceError("ValidationException", "The schema parameter isn't supported.")
        if not arn.startswith("arn:"):
            raise ServiceError("BadRequestException", f"Invalid resource ARN: {arn}")
        cluster = self._clusters.get(arn)
        if cluster is None:
            raise ServiceError("DatabaseNotFoundException", f"Database cluster {arn} is not found", status=404)
        if (now := cluster.status()) != status.AVAILABLE:
            raise ServiceError("InvalidResourceStateException", f"DB cluster {arn} is in state {now}")
        if not cluster.http_endpoint_enabled:
            name = cluster.identifier
            raise ServiceError("HttpEndpointNotEnabledException", f"HttpEndpoint is not enabled for cluster {name}")
        if cluster.state() is State.AVAILABLE:
            for told in self._faults.met("paused-cluster"):
                cluster.pause(told.fault.seconds)
        if cluster.touch() is not State.AVAILABLE:
            raise self._resuming(cluster)
        for told in self._faults.met("early"):
            raise self.answers.early(arn, told.fault.answer or EARLY[(told.happened - 1) % len(EARLY)])
        return cluster

    def _resuming(self, cluster: Cluster) -> ServiceError:
        if self.resuming_as_v1:
            return ServiceError("BadRequestException", "Communications link failure")
        return ServiceError(
            "DatabaseResumingException",
            f"The Aurora DB instance {cluster.identifier} is resuming after being auto-paused. "
            "Please wait a few seconds and try again.",
        )

    def _login(self, parameters: dict[str, Any], caller: Caller) -> tuple[Cluster, Login]:
        cluster = self._cluster(parameters)
        user, password = self._credentials(parameters["secretArn"], caller)
        database = parameters.get("database") or None
        # PyMySQL would send text as latin-1
        return cluster, Login(cluster.host, cluster.port, user, password.encode(), database, self._statement_seconds)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Turns MySQL's refusal of a login into AWS's."""
        try:
            yield
        except LoginRefused as refused:
            raise self._refused(refused.error, _LOGIN_STATES.get(_number(refused.error), "HY000")) from refused

    def _credentials(self, secret_arn: str, caller: Caller) -> tuple[str, str]:
        try:
            text = self._secret(secret_arn, caller)
        except ServiceError as error:
            raise ServiceError(
                "SecretsErrorException", f"Error fetching secret {secret_arn}: {error.message}"
            ) from error
        try:
            content = json.loads(text)
            return str(content["username"]), str(content["password"])
        except (ValueError, TypeError, KeyError):
            # `from None`: the error underneath would quote the secret.
            raise ServiceError("InvalidSecretException", f"Secret {secret_arn} needs username and password") from None

    def _run(self, cursor: Any, parameters: dict[str, Any], values: list[dict[str, Any]], caller: Caller) -> None:
        connection: pymysql.Connection[Any] = cursor.connection
        cluster = self._clusters.get(parameters["resourceArn"])
        version = re.sub(r"^.*mysql_aurora\.", "", cluster.engine_version if cluster else "")
        literals = sqltext.literals(values, escape=connection.escape)
        sql = sqltext.prepared(parameters["sql"], literals, aurora_version=version)
        with self._counting:
            self.statements += 1
        try:
            cursor.execute(sql)
        except pymysql.MySQLError as error:
            if _number(error) == CR.CR_SERVER_LOST:
                raise self._timed_out(connection, parameters, caller) from error
            raise self._refused(error, _sql_state(error, connection)) from error

    def _refused(self, error: pymysql.MySQLError, state: str) -> ServiceError:
        message = str(error.args[-1]) if error.args else str(error)
        return ServiceError("DatabaseErrorException", self.answers.text(message, _number(error), state))

    def _timed_out(
        self, connection: pymysql.Connection[Any], parameters: dict[str, Any], caller: Caller
    ) -> ServiceError:
        if not parameters.get("continueAfterTimeout"):
            _, login = self._login(parameters, caller)
            with self._refusing(), self._logins.use(login, keeps=False) as other, other.cursor() as cursor:
                thread = connection.thread_id()  # type: ignore[no-untyped-call]
                cursor.execute(f"KILL {thread}")
        return ServiceError("StatementTimeoutException", "Request timed out")


def _number(error: pymysql.MySQLError) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def _sql_state(error: pymysql.MySQLError, connection: pymysql.Connection[Any]) -> str:
    """SQLSTATE of the error that was just raised. PyMySQL before 1.2 drops it; MySQL still has it, though not of all:
    of a routine that there is already (1304) its diagnostics say HY000, and its answer 42000.
    """
    if state := getattr(error, "sqlstate", None):
        return str(state)
    if not connection.open:
        return "HY000"
    with connection.cursor() as cursor:
        cursor.execute("GET DIAGNOSTICS CONDITION 1 @sandbox_state = RETURNED_SQLSTATE")
        cursor.execute("SELECT @sandbox_state")
        row = cursor.fetchone()
    return row[0].decode() if row and row[0] else "HY000"


def _columns(cursor: Any) -> resultset.Columns:
    # PyMySQL's description has no flags, no table and no character set; the packets that do are reached like this
    # only. test_every_column_type_gets_the_member_and_type_that_aws_gives_it fails if that changes.
    columns: resultset.Columns = cursor._result.fields
    return columns


def _generated(sql: str, cursor: Any) -> list[dict[str, Any]]:
    """`generatedFields`: the AUTO_INCREMENT values that an INSERT made."""
    if not cursor.lastrowid or not re.match(r"\s*INSERT\b", sql, re.IGNORECASE):
        return []
    return [{"longValue": value} for value in range(cursor.lastrowid, cursor.lastrowid + max(cursor.rowcount, 1))]
