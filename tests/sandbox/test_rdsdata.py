"""The Data API over a real server: values, parameters, limits, errors, transactions, a paused cluster."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pymysql
import pytest

from aurora_sandbox import mysqld
from aurora_sandbox.aurora import create_master
from aurora_sandbox.cluster import Clusters
from aurora_sandbox.rdsdata.service import RdsData
from aurora_sandbox.wire import Caller, ServiceError
from tests.compared import compared

ARN = "arn:aws:rds:eu-west-1:123456789012:cluster:shop"


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Api:
    """A Data API with a cluster, and secrets by name."""

    service: RdsData
    clusters: Clusters
    clock: Clock
    secrets: dict[str, str] = field(default_factory=dict)

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        given = {"resourceArn": ARN, "secretArn": "master", **parameters}
        return compared(self.service, operation, given, Caller("AKIATEST"))

    def execute(self, sql: str, **parameters: Any) -> dict[str, Any]:
        return self.call("ExecuteStatement", sql=sql, **parameters)

    def value(self, sql: str, **parameters: Any) -> Any:
        """The one value of a result of one row and one column."""
        ((only,),) = self.execute(sql, **parameters)["records"]
        ((_, value),) = only.items()
        return value

    def refusal(self, sql: str, **parameters: Any) -> tuple[str, str]:
        """Code and message of the error."""
        with pytest.raises(ServiceError) as caught:
            self.execute(sql, **parameters)
        return caught.value.code, caught.value.message


@pytest.fixture(scope="module")
def aurora(mysqld_binary: mysqld.Binary) -> Iterator[mysqld.Server]:
    with mysqld.start(mysqld_binary) as running:
        create_master(running, "boss", "word", partial_revokes=True)
        yield running


@pytest.fixture
def new_api(aurora: mysqld.Server) -> Iterator[Callable[..., Api]]:
    """Makes an Api; takes RdsData's own options."""
    made: list[RdsData] = []

    def make(**options: Any) -> Api:
        clock = Clock()
        clusters = Clusters(clock=clock)
        clusters.create(
            identifier="shop",
            arn=ARN,
            engine="aurora-mysql",
            engine_version="8.0.mysql_aurora.3.10.0",
            master_username="boss",
            master_secret_arn="master",
            http_endpoint_enabled=True,
            host=aurora.host,
            port=aurora.port,
        )
        secrets = {"master": json.dumps({"username": "boss", "password": "word"})}

        def secret(name: str, caller: Caller) -> str:
            if name not in secrets:
                raise ServiceError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
            return secrets[name]

        made.append(RdsData(clusters=clusters, secret=secret, clock=clock, **options))
        return Api(made[-1], clusters, clock, secrets)

    yield make
    for service in made:
        service.close()


@pytest.fixture
def api(new_api: Callable[..., Api]) -> Api:
    return new_api()


def masters(api: Api, name: str) -> None:
    """Makes this user the master of the cluster."""
    cluster = api.clusters.get(ARN)
    assert cluster is not None
    cluster.master_username = name


@pytest.fixture
def database(api: Api) -> Iterator[str]:
    """An empty database of a name that no other test has."""
    name = f"d{uuid.uuid4().hex}"
    api.execute(f"CREATE DATABASE {name}")
    yield name
    api.execute(f"DROP DATABASE {name}")


def text(name: str, value: str, **more: str) -> dict[str, Any]:
    return {"name": name, "value": {"stringValue": value}, **more}


# Values

COLUMNS = [
    ("TINYINT(1)", "1", {"booleanValue": True}, "BIT"),
    ("TINYINT", "-5", {"longValue": -5}, "TINYINT"),
    ("SMALLINT UNSIGNED", "5", {"longValue": 5}, "SMALLINT UNSIGNED"),
    ("MEDIUMINT", "6", {"longValue": 6}, "MEDIUMINT"),
    ("INT", "7", {"longValue": 7}, "INT"),
    ("BIGINT", "8", {"longValue": 8}, "BIGINT"),
    ("BIGINT UNSIGNED", "18446744073709551615", {"stringValue": "18446744073709551615"}, "BIGINT UNSIGNED"),
    ("FLOAT", "1.5", {"doubleValue": 1.5}, "FLOAT"),
    ("DOUBLE", "2.5", {"doubleValue": 2.5}, "DOUBLE"),
    ("DECIMAL(10,2)", "3.5", {"stringValue": "3.50"}, "DECIMAL"),
    ("BIT(1)", "1", {"booleanValue": True}, "BIT"),
    ("BIT(8)", "3", {"blobValue": b"\x03"}, "BIT"),
    ("CHAR(5)", "'é'", {"stringValue": "é"}, "CHAR"),
    ("VARCHAR(50)", "'漢字'", {"stringValue": "漢字"}, "VARCHAR"),
    ("TEXT", "'long'", {"stringValue": "long"}, "TEXT"),
    ("ENUM('a','b')", "'a'", {"stringValue": "a"}, "ENUM"),
    ("SET('a','b')", "'a,b'", {"stringValue": "a,b"}, "SET"),
    ("JSON", "'{\"a\": 1}'", {"stringValue": '{"a": 1}'}, "JSON"),
    ("BINARY(2)", "'xy'", {"blobValue": b"xy"}, "BINARY"),
    ("VARBINARY(9)", "'xyz'", {"blobValue": b"xyz"}, "VARBINARY"),
    ("BLOB", "'xyz'", {"blobValue": b"xyz"}, "BLOB"),
    ("DATE", "'2026-01-02'", {"stringValue": "2026-01-02"}, "DATE"),
    ("TIME", "'10:11:12'", {"stringValue": "10:11:12"}, "TIME"),
    ("DATETIME(3)", "'2026-01-02 03:04:05.678'", {"stringValue": "2026-01-02 03:04:05.678"}, "DATETIME"),
    ("TIMESTAMP", "'2026-01-02 03:04:05'", {"stringValue": "2026-01-02 03:04:05"}, "TIMESTAMP"),
    ("YEAR", "2026", {"longValue": 2026}, "YEAR"),
    ("INT", "NULL", {"isNull": True}, "INT"),
]


def test_every_column_type_gets_the_member_and_type_that_aws_gives_it(api: Api, database: str) -> None:
    columns = ", ".join(f"c{number} {kind}" for number, (kind, *_) in enumerate(COLUMNS))
    api.execute(f"CREATE TABLE t ({columns})", database=database)
    api.execute(f"INSERT INTO t VALUES ({', '.join(literal for _, literal, *_ in COLUMNS)})", database=database)
    result = api.execute("SELECT * FROM t", database=database, includeResultMetadata=True)
    assert result["records"] == [[field for *_, field, _ in COLUMNS]]
    assert [column["typeName"] for column in result["columnMetadata"]] == [name for *_, name in COLUMNS]


def test_column_metadata_tells_label_table_and_flags(api: Api, database: str) -> None:
    api.execute("CREATE TABLE t (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20))", database=database)
    result = api.execute("SELECT id AS i, name FROM t AS x", database=database, includeResultMetadata=True)
    wanted = ("name", "label", "tableName", "type", "isAutoIncrement", "isSigned", "nullable", "precision")
    assert [tuple(column[key] for key in wanted) for column in result["columnMetadata"]] == [
        ("id", "i", "t", 4, True, False, 0, 10),
        ("name", "name", "t", 12, False, False, 1, 20),
    ]


def test_numbers_come_as_asked_for(api: Api) -> None:
    sql = "SELECT 7, CAST(1.25 AS DECIMAL(5,2)), SUM(3)"
    options = {"longReturnType": "STRING", "decimalReturnType": "DOUBLE_OR_LONG"}
    assert api.execute(sql, resultSetOptions=options)["records"] == [
        [{"stringValue": "7"}, {"doubleValue": 1.25}, {"longValue": 3}]
    ]
    assert api.execute(sql)["records"] == [[{"longValue": 7}, {"stringValue": "1.25"}, {"stringValue": "3"}]]


def test_json_format_is_one_string_for_a_select_and_ignored_for_show(api: Api) -> None:
    sql = "SELECT 1 AS a, NULL AS b, 'é' AS c, CAST('x' AS BINARY) AS d"
    assert api.execute(sql, formatRecordsAs="JSON") == {
        "formattedRecords": '[{"a":1,"b":null,"c":"é","d":"eA=="}]',
        "numberOfRecordsUpdated": 0,
    }
    assert "records" in api.execute("SHOW DATABASES", formatRecordsAs="JSON")


def test_json_format_needs_labels_that_differ(api: Api) -> None:
    assert api.refusal("SELECT 1 AS a, 2 AS a", formatRecordsAs="JSON")[0] == "UnsupportedResultException"


def test_insert_tells_the_ids_it_made_and_update_the_rows_it_matched(api: Api, database: str) -> None:
    api.execute("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a INT)", database=database)
    assert api.execute("INSERT INTO t (a) VALUES (1), (2)", database=database) == {
        "records": [],
        "numberOfRecordsUpdated": 2,
        "generatedFields": [{"longValue": 1}, {"longValue": 2}],
    }
    assert api.execute("UPDATE t SET a = 2", database=database)["numberOfRecordsUpdated"] == 2


def test_batch_runs_once_for_each_parameter_set(api: Api, database: str) -> None:
    api.execute("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a TEXT)", database=database)
    result = api.call(
        "BatchExecuteStatement",
        sql="INSERT INTO t (a) VALUES (:a)",
        database=database,
        parameterSets=[[text("a", "x")], [text("a", "y")]],
    )
    assert result == {
        "updateResults": [{"generatedFields": [{"longValue": 1}]}, {"generatedFields": [{"longValue": 2}]}]
    }
    assert api.value("SELECT GROUP_CONCAT(a ORDER BY id) FROM t", database=database) == "x,y"


# Parameters and statements


def test_parameters_are_values_whatever_they_hold(api: Api) -> None:
    values: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"stringValue": "it's \\ \" ` % :p ; -- é"}, {"stringValue": "it's \\ \" ` % :p ; -- é"}),
        ({"longValue": -7}, {"longValue": -7}),
        ({"booleanValue": True}, {"longValue": 1}),
        ({"isNull": True}, {"isNull": True}),
        ({"blobValue": b"\x00'\\"}, {"blobValue": b"\x00'\\"}),
        ({"doubleValue": 1.5e100}, {"doubleValue": 1.5e100}),
    ]
    for given, returned in values:
        assert api.execute("SELECT :p", parameters=[{"name": "p", "value": given}])["records"] == [[returned]]


def test_parameters_are_not_looked_for_in_quotes_and_comments(api: Api) -> None:
    sql = "SELECT CONCAT(':p', \":p\", :p) /* :p */ AS `:p` -- it's :p\n # :p"
    assert api.value(sql, parameters=[text("p", "x")]) == ":p:px"


def test_colon_is_left_alone_without_parameters(api: Api) -> None:
    assert api.value("SELECT @a := 5") == 5
    assert "1064" in api.refusal("SELECT :p")[1]


def test_parameter_works_in_create_user(api: Api) -> None:
    api.execute("CREATE USER param IDENTIFIED BY :p", parameters=[text("p", "it's")])
    api.secrets["param"] = json.dumps({"username": "param", "password": "it's"})
    assert api.value("SELECT 1", secretArn="param") == 1


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        (text("q", "x"), "Cannot find parameter: p"),
        ({"name": "p", "value": {"arrayValue": {"longValues": [1]}}}, "Array parameters are not supported."),
        (text("p", "tomorrow", typeHint="DATE"), "Cannot parse value of parameter p as DATE"),
        (text("p", "1); DROP", typeHint="DECIMAL"), "Cannot parse value of parameter p as DECIMAL"),
    ],
)
def test_parameter_that_cannot_be_used_is_refused(api: Api, parameter: dict[str, Any], message: str) -> None:
    assert api.refusal("SELECT :p", parameters=[parameter]) == ("BadRequestException", message)


def test_second_statement_is_refused_and_a_last_semicolon_is_not(api: Api) -> None:
    assert api.refusal("SELECT 1; SELECT 2") == ("ValidationException", "Multistatements aren't supported.")
    assert api.value("SELECT ';' ; -- that's all;\n ;") == ";"


def test_body_of_a_procedure_may_hold_semicolons(api: Api, database: str) -> None:
    api.execute("CREATE PROCEDURE p() BEGIN SET @a = 1; SELECT @a; END", database=database)
    assert api.value("CALL p()", database=database) == 1


def test_aurora_version_is_answered_though_mysql_has_none(api: Api) -> None:
    assert api.value("SELECT AURORA_VERSION()") == "3.10.0"
    assert api.value("SELECT CONCAT(@@aurora_version, '@@aurora_version')") == "3.10.0@@aurora_version"


def test_no_session_state_survives_a_call(api: Api) -> None:
    api.execute("SET @left_behind = 1")
    assert api.value("SELECT @left_behind") is True  # the member isNull


def test_a_login_over_a_kept_connection_is_like_any_other(api: Api, database: str) -> None:
    """Everything of a session but its counters, which it begins anew."""
    variables = "SHOW SESSION VARIABLES WHERE Variable_name NOT IN ('pseudo_thread_id', 'statement_id', 'timestamp')"
    first, number = api.execute(variables)["records"], api.value("SELECT CONNECTION_ID()")
    assert api.value("SELECT DATABASE()", database=database) == database
    api.execute("SET autocommit = 0, sql_mode = '', NAMES latin1, @left_behind = 1")
    assert (api.execute(variables)["records"], api.value("SELECT DATABASE()")) == (first, True)
    assert api.value("SELECT CONNECTION_ID()") == number


def test_what_a_statement_holds_is_free_when_it_is_over(api: Api, database: str, aurora: mysqld.Server) -> None:
    api.execute(f"CREATE TABLE {database}.t (id INT)")
    api.execute(f"LOCK TABLES {database}.t WRITE")
    api.execute("SELECT GET_LOCK('mine', 0)")
    with aurora.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET lock_wait_timeout = 1")
        cursor.execute(f"INSERT INTO {database}.t VALUES (1)")
        cursor.execute("SELECT IS_FREE_LOCK('mine')")
        assert cursor.fetchone() == (1,)


@pytest.mark.parametrize(
    "change", ["ALTER USER kept IDENTIFIED BY 'other'", "ALTER USER kept ACCOUNT LOCK", "DROP USER kept"]
)
def test_a_kept_connection_lets_nobody_in_who_may_not_log_in(
    api: Api, new_api: Callable[..., Api], aurora: mysqld.Server, change: str
) -> None:
    fresh = new_api()
    with aurora.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE USER kept IDENTIFIED BY 'word'")
        for each in (api, fresh):
            each.secrets["kept"] = json.dumps({"username": "kept", "password": "word"})
        masters(api, "kept")
        number = api.value("SELECT CONNECTION_ID()", secretArn="kept")
        assert api.value("SELECT CONNECTION_ID()", secretArn="kept") == number
        cursor.execute(change)
        refusal = api.refusal("SELECT 1", secretArn="kept")
        assert refusal == fresh.refusal("SELECT 1", secretArn="kept")
        assert refusal[0] == "DatabaseErrorException"
        cursor.execute("DROP USER IF EXISTS kept")


def test_a_kept_connection_that_was_ended_is_not_missed(api: Api, aurora: mysqld.Server) -> None:
    number = api.value("SELECT CONNECTION_ID()")
    with aurora.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"KILL {number}")
    assert api.value("SELECT CONNECTION_ID()") != number


def test_nobody_but_the_master_stays_connected(api: Api, aurora: mysqld.Server) -> None:
    masters(api, "somebody")
    assert api.value("SELECT 1") == 1
    with aurora.connect() as connection, connection.cursor() as cursor:
        end = time.monotonic() + 5
        while cursor.execute("SELECT 1 FROM information_schema.PROCESSLIST WHERE USER = 'boss'"):
            assert time.monotonic() < end  # MySQL takes a moment to notice that a client has left


def test_statements_are_counted(api: Api) -> None:
    for number in (1, 2):
        api.execute(f"SELECT {number}")
    assert api.service.statements == 2


# Limits


def rows_of_64_kib(count: int) -> str:
    numbers = f"WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
    return f"{numbers} SELECT REPEAT('a', 65536) AS a FROM n"


@pytest.mark.parametrize("form", ["NONE", "JSON"])
def test_row_over_64_kib_is_refused(api: Api, form: str) -> None:
    api.execute("SELECT REPEAT('a', 65536)", formatRecordsAs=form)
    too_large = ("BadRequestException", "Packet for query is too large")
    assert api.refusal("SELECT REPEAT('a', 65537)", formatRecordsAs=form) == too_large


def test_result_over_1_mib_is_refused(api: Api) -> None:
    assert len(api.execute(rows_of_64_kib(16))["records"]) == 16
    too_large = ("BadRequestException", "Database response exceeded size limit")
    assert api.refusal(rows_of_64_kib(17)) == too_large


def test_json_format_has_room_for_10_mib(api: Api) -> None:
    assert len(api.execute(rows_of_64_kib(100), formatRecordsAs="JSON")["formattedRecords"]) > 6_000_000
    too_large = ("BadRequestException", "Database response exceeded size limit")
    assert api.refusal(rows_of_64_kib(170), formatRecordsAs="JSON") == too_large


def test_statement_that_takes_too_long_is_killed(new_api: Callable[..., Api]) -> None:
    hurried = new_api(statement_seconds=0.3)
    assert hurried.refusal("SELECT SLEEP(20) /* hurried */") == ("StatementTimeoutException", "Request timed out")
    assert eventually(lambda: running(hurried, "hurried") == 0)


def test_statement_goes_on_after_its_time_when_asked_to(new_api: Callable[..., Api]) -> None:
    hurried = new_api(statement_seconds=0.3)
    hurried.refusal("SELECT SLEEP(3) /* patient */", continueAfterTimeout=True)
    assert running(hurried, "patient") == 1


def running(api: Api, comment: str) -> int:
    processes = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE :what AND ID <> CONNECTION_ID()"
    return int(api.value(processes, parameters=[text("what", f"%/* {comment} */")]))


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return held


# Errors


def test_error_of_mysql_has_its_number_and_state(api: Api) -> None:
    assert api.refusal("SELECT * FROM mysql.nothing") == (
        "DatabaseErrorException",
        "Table 'mysql.nothing' doesn't exist; Error code: 1146; SQLState: 42S02",
    )


@pytest.mark.skipif(pymysql.VERSION < (1, 2), reason="PyMySQL drops the state of MySQL's answer")
def test_the_state_of_an_error_is_that_of_mysqls_answer(api: Api, database: str) -> None:
    """Its diagnostics say HY000 of this one."""
    create = f"CREATE PROCEDURE {database}.twice() DO 1"
    api.execute(create)
    assert api.refusal(create)[1] == "PROCEDURE twice already exists; Error code: 1304; SQLState: 42000"


def test_grants_are_enforced_by_mysql_for_the_user_of_the_secret(api: Api, database: str) -> None:
    api.execute("CREATE USER small IDENTIFIED BY 'word'")
    api.secrets["small"] = json.dumps({"username": "small", "password": "word"})
    code, message = api.refusal("SELECT 1", secretArn="small", database=database)
    assert code == "DatabaseErrorException"
    assert message.endswith("; Error code: 1044; SQLState: 42000")


def test_every_login_goes_over_tls(api: Api) -> None:
    """As Aurora MySQL 8.4 demands by default (require_secure_transport)."""
    [[_, cipher]] = api.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")["records"]
    assert cipher["stringValue"].startswith("TLS_")


def test_user_that_requires_tls_can_log_in(api: Api) -> None:
    api.execute("CREATE USER secure IDENTIFIED BY 'word' REQUIRE SSL")
    api.secrets["secure"] = json.dumps({"username": "secure", "password": "word"})
    assert api.value("SELECT 1", secretArn="secure") == 1


@pytest.mark.parametrize("requirement", ["X509", "SUBJECT '/CN=shop'", "ISSUER '/CN=ours'"])
def test_user_that_requires_a_certificate_cannot_log_in(api: Api, requirement: str) -> None:
    """The Data API has none to show. The same user can, as soon as it may do without."""
    api.execute(f"CREATE USER certified IDENTIFIED BY 'word' REQUIRE {requirement}")
    api.secrets["certified"] = json.dumps({"username": "certified", "password": "word"})
    code, message = api.refusal("SELECT 1", secretArn="certified")
    assert (code, message[:35]) == ("DatabaseErrorException", "Access denied for user 'certified'@")
    assert message.endswith("; Error code: 1045; SQLState: 28000")
    api.execute("ALTER USER certified REQUIRE SSL")
    assert api.value("SELECT 1", secretArn="certified") == 1
    api.execute("DROP USER certified")


def test_wrong_password_is_error_1045(api: Api) -> None:
    api.secrets["wrong"] = json.dumps({"username": "boss", "password": "wrong"})
    code, message = api.refusal("SELECT 1", secretArn="wrong")
    assert code == "DatabaseErrorException"
    assert message.startswith("Access denied for user 'boss'@")
    assert message.endswith("; Error code: 1045; SQLState: 28000")


@pytest.mark.parametrize("content", ["not json", '["list"]', '{"username": "boss"}'])
def test_secret_without_user_and_password_is_refused_and_never_quoted(api: Api, content: str) -> None:
    api.secrets["odd"] = content
    with pytest.raises(ServiceError) as caught:
        api.execute("SELECT 1", secretArn="odd")
    assert caught.value.code == "InvalidSecretException"
    assert content not in caught.value.message
    assert caught.value.__suppress_context__


def test_missing_secret_is_a_secrets_error(api: Api) -> None:
    assert api.refusal("SELECT 1", secretArn="nowhere") == (
        "SecretsErrorException",
        "Error fetching secret nowhere: Secrets Manager can't find the specified secret.",
    )


def test_call_must_name_a_cluster_that_exists_and_no_schema(api: Api) -> None:
    assert api.refusal("SELECT 1", resourceArn=f"{ARN}-other")[0] == "DatabaseNotFoundException"
    assert api.refusal("SELECT 1", resourceArn="shop")[0] == "BadRequestException"
    assert api.refusal("SELECT 1", schema="x") == ("ValidationException", "The schema parameter isn't supported.")


def test_data_api_that_is_off_says_so(api: Api) -> None:
    api.clusters.modify("shop", http_endpoint_enabled=False)
    assert api.refusal("SELECT 1") == (
        "HttpEndpointNotEnabledException",
        "HttpEndpoint is not enabled for cluster shop",
    )


# A paused cluster


def test_paused_cluster_refuses_until_it_has_resumed(api: Api) -> None:
    (cluster,) = api.clusters.all()
    cluster.pause(15)
    resuming = (
        "DatabaseResumingException",
        "The Aurora DB instance shop is resuming after being auto-paused. Please wait a few seconds and try again.",
    )
    assert api.refusal("SELECT 1") == resuming
    api.clock.now += 14
    with pytest.raises(ServiceError, match="is resuming after being auto-paused"):
        api.call("BeginTransaction")
    api.clock.now += 1
    assert api.value("SELECT 1") == 1


def test_paused_cluster_can_answer_as_serverless_v1_did(new_api: Callable[..., Api]) -> None:
    api = new_api()
    api.service.resuming_as_v1 = True
    api.clusters.all()[0].pause()
    assert api.refusal("SELECT 1") == ("BadRequestException", "Communications link failure")


# Transactions


def test_transaction_is_seen_by_others_only_after_commit(api: Api, database: str) -> None:
    api.execute("CREATE TABLE t (a INT)", database=database)
    name = api.call("BeginTransaction", database=database)["transactionId"]
    api.execute("INSERT INTO t VALUES (1)", transactionId=name)
    count = "SELECT COUNT(*) FROM t"
    assert (api.value(count, transactionId=name), api.value(count, database=database)) == (1, 0)
    assert api.call("CommitTransaction", transactionId=name) == {"transactionStatus": "Transaction Committed"}
    assert api.value(count, database=database) == 1


def test_rolled_back_transaction_left_nothing(api: Api, database: str) -> None:
    api.execute("CREATE TABLE t (a INT)", database=database)
    name = api.call("BeginTransaction", database=database)["transactionId"]
    api.execute("INSERT INTO t VALUES (1)", transactionId=name)
    assert api.call("RollbackTransaction", transactionId=name) == {"transactionStatus": "Rollback Complete"}
    assert api.value("SELECT COUNT(*) FROM t", database=database) == 0
    assert api.refusal("SELECT 1", transactionId=name) == (
        "TransactionNotFoundException",
        f"Transaction {name} is not found",
    )


def test_transaction_ends_after_three_idle_minutes(api: Api, database: str) -> None:
    api.execute("CREATE TABLE t (a INT)", database=database)
    name = api.call("BeginTransaction", database=database)["transactionId"]
    api.clock.now += 179
    api.execute("INSERT INTO t VALUES (1)", transactionId=name)
    api.clock.now += 180
    assert api.refusal("SELECT 1", transactionId=name)[0] == "TransactionNotFoundException"
    api.execute("DROP TABLE t", database=database)  # would wait for a transaction that is still open


def test_transaction_runs_one_statement_at_a_time(api: Api) -> None:
    name = api.call("BeginTransaction")["transactionId"]
    slow = threading.Thread(target=api.execute, args=("SELECT SLEEP(1) /* busy */",), kwargs={"transactionId": name})
    slow.start()
    assert eventually(lambda: running(api, "busy") == 1)
    assert api.refusal("SELECT 1", transactionId=name) == (
        "DatabaseErrorException",
        "Transaction is still running a query",
    )
    slow.join()
    assert api.value("SELECT 1", transactionId=name) == 1


# Forms of answers that are not documented


def test_an_error_may_come_without_its_number(api: Api):
    api.service.answers.set(error_numbers="none")
    assert api.refusal("SELECT * FROM mysql.nothing") == (
        "DatabaseErrorException",
        "Table 'mysql.nothing' doesn't exist",
    )
    api.secrets["wrong"] = json.dumps({"username": "boss", "password": "wrong"})
    message = api.refusal("SELECT 1", secretArn="wrong")[1]
    assert (message.startswith("Access denied for user 'boss'"), message[-1]) == (True, ")")


FLAGGED = "SELECT 'a' COLLATE utf8mb4_bin AS b, 'c' AS a, 1 AS n, JSON_OBJECT() AS j"


def test_text_with_the_binary_flag_may_come_as_bytes(api: Api):
    as_documented = [{"stringValue": "a"}, {"stringValue": "c"}, {"longValue": 1}, {"stringValue": "{}"}]
    assert api.execute(FLAGGED)["records"] == [as_documented]
    api.service.answers.set(base64=True)
    assert api.execute(FLAGGED)["records"] == [[{"blobValue": b"a"}, *as_documented[1:]]]
    answer = api.execute(FLAGGED, formatRecordsAs="JSON")["formattedRecords"]
    assert json.loads(answer) == [{"b": "YQ==", "a": "c", "n": 1, "j": "{}"}]


def test_keys_of_json_may_come_in_any_order(api: Api):
    keys = [list(json.loads(api.execute(FLAGGED, formatRecordsAs="JSON")["formattedRecords"])[0])]
    api.service.answers.set(reversed_keys=True)
    keys.append(list(json.loads(api.execute(FLAGGED, formatRecordsAs="JSON")["formattedRecords"])[0]))
    assert keys == [["b", "a", "n", "j"], ["j", "n", "a", "b"]]
