"""The Data API through HTTP, as a botocore client speaks it: waking, throttling, MySQL's refusals. No time passes."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError

from aurora_tenants.errors import DatabaseError, Problem
from aurora_tenants.mysql.dataapi import LOST, DataApi
from aurora_tenants.mysql.live import Row, read_server, read_state
from tests.cloud import SHARED, Cloud
from tests.endpoint import until


class Clock:
    """Time that passes only while somebody sleeps; then something may happen."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.slept.append(seconds)
        self.meanwhile()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module", autouse=True)
def at_rest(cloud: Cloud) -> None:
    """Nothing that another file has left in this sandbox is met here."""
    cloud.clear()
    cloud.post("answers", {})
    cloud.post("pause", {"seconds": 0})
    until(lambda: api_of(cloud, Clock(), "inspector").execute("SELECT 1 AS one"))


@pytest.fixture
def awake(cloud: Cloud) -> Iterator[Cloud]:
    """The cluster is awake and nothing is throttled when the test ends, whatever it did."""
    yield cloud
    cloud.throttle("rds-data", "ExecuteStatement", 0)
    cloud.early(0)
    cloud.drop(0)
    cloud.post("pause", {"seconds": 0})
    api_of(cloud, Clock(), "inspector").execute("SELECT 1 AS one")


def secret_of(cloud: Cloud, user: str) -> str:
    """The ARN of the master's or the inspector's secret."""
    if user == "master":
        return str(cloud.client("rds").describe_db_clusters()["DBClusters"][0]["MasterUserSecret"]["SecretArn"])
    stack = cloud.client("cloudformation").describe_stacks(StackName=SHARED)["Stacks"][0]
    return next(str(it["OutputValue"]) for it in stack["Outputs"] if it["OutputKey"] == "InspectorSecret")


def api_of(cloud: Cloud, clock: Clock, user: str = "master", **options: Any) -> DataApi:
    cluster = cloud.client("rds").describe_db_clusters()["DBClusters"][0]["DBClusterArn"]
    secret = options.pop("secret", None) or secret_of(cloud, user)
    return DataApi(cloud.client("rds-data"), cluster, secret, now=clock.now, sleep=clock.sleep, **options)


@pytest.fixture
def api(cloud: Cloud, clock: Clock) -> DataApi:
    return api_of(cloud, clock)


# Rows


def test_rows_come_as_tuples_whichever_way_the_answer_is_coded(api: DataApi):
    """SELECT as JSON, everything else as typed fields."""
    assert api.execute("SELECT 1 AS a, 'x' AS b, NULL AS c, 2.5e0 AS d UNION SELECT 2, 'ü', 'y', 5e-1") == [
        (1, "x", None, 2.5),
        (2, "ü", "y", 0.5),
    ]
    assert api.execute("SHOW DATABASES LIKE 'mysql'") == [("mysql",)]
    assert api.execute("SHOW VARIABLES WHERE Variable_name = 'partial_revokes'") == [("partial_revokes", "ON")]


def test_no_rows_are_none(api: DataApi):
    assert api.execute("SELECT 1 AS a FROM DUAL WHERE FALSE") == []
    assert api.execute("SHOW DATABASES LIKE 'nothing'") == []
    assert api.execute("SET @a = 1") == []


def test_text_comes_back_as_it_is(api: DataApi):
    text = "a`b\"c' d\\\\e ü 名 😀"
    assert api.execute(f"SELECT _utf8mb4 X'{text.encode().hex()}' AS text") == [(text,)]


def test_the_inspector_reads_through_it_what_root_reads_at_the_server(cloud: Cloud, clock: Clock):
    def root(statement: str) -> list[Row]:
        return cloud.sql(statement)

    inspector = api_of(cloud, clock, "inspector").execute
    assert read_state(inspector) == read_state(root)
    assert read_server(inspector) == read_server(root)


# Waking


@pytest.mark.parametrize("as_v1", [False, True], ids=["Serverless v2", "v1's words"])
def test_a_paused_cluster_is_waited_for_and_told_once(awake: Cloud, clock: Clock, as_v1: bool):
    told: list[float] = []
    api = api_of(awake, clock, woken=lambda: told.append(clock.seconds))
    awake.post("pause", {"seconds": 3600, "as_v1": as_v1})

    def wake_at_last() -> None:
        if clock.seconds == 15:
            awake.post("pause", {"seconds": 0, "as_v1": as_v1})

    clock.meanwhile = wake_at_last
    assert api.execute("SELECT 1 AS one") == [(1,)]
    assert told == [0.0]
    assert clock.slept == [3.0] * 6


def test_a_cluster_that_does_not_wake_is_given_up(awake: Cloud, clock: Clock):
    awake.post("pause", {"seconds": 3600})
    with pytest.raises(DatabaseError) as caught:
        api_of(awake, clock, wait_seconds=30).execute("SELECT 1 AS one")
    (problem,) = caught.value.problems
    assert problem == Problem(
        "database-not-awake",
        "the cluster did not answer within 30 s",
        why=problem.why,
        fix="try again in a minute; if that does not help, look at the cluster's events in the RDS console",
    )
    assert problem.why.endswith("is resuming after being auto-paused. Please wait a few seconds and try again.")
    assert (caught.value.code, caught.value.number) == ("DatabaseResumingException", 0)
    assert clock.seconds <= 30


# Repeating


def test_a_throttled_call_is_repeated_soon_and_then_less_often(awake: Cloud, clock: Clock):
    awake.throttle("rds-data", "ExecuteStatement", 6)
    assert api_of(awake, clock).execute("SELECT 1 AS one") == [(1,)]
    assert clock.slept == [0.25, 0.5, 1.0, 2.0, 3.0, 3.0]


# The statement has not run, so it is repeated even if it writes; and with either broken connection it may have run.
NOT_RUN = (
    *("HttpEndpointNotEnabledException", "BadRequestException", "DatabaseNotFoundException"),
    *("InvalidResourceStateException", "SecretsErrorException", "1040"),
)
MAY_HAVE_RUN = ("500", "503")


@pytest.mark.parametrize("answer", [*NOT_RUN, *MAY_HAVE_RUN])
def test_a_read_is_repeated_until_an_answer_passes(awake: Cloud, clock: Clock, answer: str):
    awake.early(answer=answer, every=1)
    clock.meanwhile = lambda: awake.early(0) if clock.seconds > 40 else None
    told: list[str] = []
    assert api_of(awake, clock, waiting=told.append).execute("SHOW DATABASES LIKE 'mysql'") == [("mysql",)]
    assert 40 < clock.seconds < 44
    assert len(told) == 1


@pytest.mark.parametrize("answer", NOT_RUN)
def test_what_has_not_run_is_repeated_even_when_it_writes(awake: Cloud, clock: Clock, answer: str):
    awake.sql("DROP DATABASE IF EXISTS early")
    awake.early(answer=answer)
    assert api_of(awake, clock).execute("CREATE DATABASE early") == []
    awake.sql("DROP DATABASE early")
    assert clock.slept == [0.25]


@pytest.mark.parametrize("answer", MAY_HAVE_RUN)
def test_what_may_have_run_is_not_repeated_when_it_writes(awake: Cloud, clock: Clock, answer: str):
    awake.early(answer=answer)
    with pytest.raises(DatabaseError) as caught:
        api_of(awake, clock).execute("DROP USER nobody")
    assert (caught.value.code, caught.value.is_of_mysql, clock.slept) == (LOST, False, [])


@pytest.mark.parametrize("ran", [True, False], ids=["after it ran", "before it ran"])
def test_a_dropped_connection_is_made_again_for_a_read_alone(awake: Cloud, clock: Clock, ran: bool):
    api = api_of(awake, clock)
    awake.drop(ran=ran)
    assert api.execute("SELECT 1 AS one") == [(1,)]
    awake.drop(ran=ran)
    with pytest.raises(DatabaseError) as caught:
        api.execute("CREATE DATABASE dropped")
    assert caught.value.code == LOST
    assert str(caught.value).startswith("the answer to a statement was lost: Connection was closed")
    assert awake.sql("SHOW DATABASES LIKE 'dropped'") == ([("dropped",)] if ran else [])
    awake.sql("DROP DATABASE IF EXISTS dropped")


@pytest.mark.parametrize("statement", ["SELECT 1 AS one", "SHOW DATABASES LIKE 'mysql'"])
def test_an_answer_that_breaks_off_is_never_taken_for_one_without_rows(awake: Cloud, clock: Clock, statement: str):
    api = api_of(awake, clock)
    awake.drop(1, every=2, in_body=True)
    assert [len(api.execute(statement)) for _ in range(3)] == [1, 1, 1]
    assert len(clock.slept) == 3


def test_an_answer_that_breaks_off_after_its_first_line_says_that_the_statement_ran(awake: Cloud, clock: Clock):
    awake.drop(in_body=True)
    assert api_of(awake, clock).execute("CREATE DATABASE torn") == []
    assert awake.sql("SHOW DATABASES LIKE 'torn'") == [("torn",)]
    awake.sql("DROP DATABASE torn")


@contextmanager
def listening(answer: bytes) -> Iterator[int]:
    """A port where everybody who says something gets this answer, and the end of the connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(answer)

        Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\n<p>hi</p>"


# Nothing of this is the sandbox's to say: who answers here is no Data API.
@pytest.mark.parametrize(("scheme", "answer"), [("http", HTML), ("https", b"")], ids=["a proxy's page", "TLS cut off"])
@pytest.mark.parametrize("statement", ["SELECT 1 AS one", "SHOW DATABASES", "CREATE DATABASE nowhere"])
def test_what_answers_in_the_place_of_the_data_api_is_no_answer(
    awake: Cloud, clock: Clock, scheme: str, answer: bytes, statement: str
):
    api = api_of(awake, clock, wait_seconds=3)
    with listening(answer) as port:
        api.client = nowhere(f"{scheme}://127.0.0.1:{port}")
        with pytest.raises(DatabaseError) as caught:
            api.execute(statement)
    is_read = not statement.startswith("CREATE")
    assert (caught.value.code, clock.seconds) == (("", 3.0) if is_read else (LOST, 0.0))


def nowhere(endpoint_url: str) -> Any:
    return boto3.client(
        "rds-data",
        endpoint_url=endpoint_url,
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
        region_name="eu-west-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
        verify=False,
    )


def test_a_cluster_that_is_not_reached_is_waited_for(awake: Cloud, clock: Clock):
    """Nothing listens at this port, until the client is replaced."""
    api, client = api_of(awake, clock), awake.client("rds-data")
    api.client = nowhere("http://127.0.0.1:9")

    def come_back() -> None:
        if clock.seconds > 3:
            api.client = client

    clock.meanwhile = come_back
    assert api.execute("SELECT 1 AS one") == [(1,)]


# The sandbox has no switch for these: they are errors inside AWS, before or after the statement ran.
@pytest.mark.parametrize(
    "code",
    [
        *("InternalServerErrorException", "StatementTimeoutException"),
        *("ServiceUnavailableError", "DatabaseUnavailableException"),
    ],
)
def test_an_error_inside_aws_is_repeated_only_when_it_only_reads(api: DataApi, clock: Clock, code: str):
    client = api.client
    api.client = Failing(client, code, 1)
    assert api.execute("SELECT 1 AS one") == [(1,)]
    api.client = failing = Failing(client, code, 1)
    with pytest.raises(DatabaseError) as caught:
        api.execute("DROP USER nobody")
    assert (failing.calls, caught.value.code) == (["DROP USER nobody"], LOST)


def test_what_never_ran_is_repeated_even_when_it_writes(api: DataApi, clock: Clock):
    api.client = failing = Failing(api.client, "ThrottlingException", 2)
    assert api.execute("SET @a = 1") == []
    assert failing.calls == ["SET @a = 1"] * 3


class Failing:
    """A client whose first calls fail as AWS's would; the rest go through. calls: the statements it was given."""

    def __init__(self, client: Any, code: str, times: int) -> None:
        self._client, self._code, self._times = client, code, times
        self.calls: list[str] = []

    def execute_statement(self, **parameters: Any) -> Any:
        self.calls.append(parameters["sql"])
        if len(self.calls) <= self._times:
            raise ClientError({"Error": {"Code": self._code, "Message": "try again"}}, "ExecuteStatement")
        return self._client.execute_statement(**parameters)


def test_what_no_waiting_helps_is_not_repeated(awake: Cloud, clock: Clock):
    awake.meet("oversize", times=1)
    with pytest.raises(DatabaseError) as caught:
        api_of(awake, clock).execute("SELECT 1 AS one")
    assert str(caught.value) == "Database response exceeded size limit (BadRequestException)"
    assert clock.slept == []


def test_all_statements_wait_together_as_long_as_one_may(awake: Cloud, clock: Clock):
    api = api_of(awake, clock, wait_seconds=30)
    awake.post("pause", {"seconds": 3600})
    clock.meanwhile = lambda: awake.post("pause", {"seconds": 0}) if clock.seconds == 24 else None
    api.execute("SELECT 1 AS one")
    awake.post("pause", {"seconds": 3600})
    with pytest.raises(DatabaseError, match=r"^the cluster did not answer within [36] s: "):
        api.execute("SELECT 1 AS one")
    assert clock.seconds == 30


def test_nobody_waits_beyond_a_deadline(awake: Cloud, clock: Clock):
    clock.seconds = 100.0
    api = api_of(awake, clock, deadline=110.0)
    awake.post("pause", {"seconds": 3600})
    with pytest.raises(DatabaseError, match=r"^the cluster did not answer within 10 s: "):
        api.execute("SELECT 1 AS one")
    assert clock.seconds == 110


@pytest.mark.parametrize(
    ("answer", "fix"),
    [
        ("HttpEndpointNotEnabledException", "aws rds enable-http-endpoint --resource-arn arn:aws:rds:"),
        ("BadRequestException", "aws rds enable-http-endpoint --resource-arn arn:aws:rds:"),
        ("DatabaseNotFoundException", "see that the cluster exists and has an instance"),
        ("InvalidResourceStateException", "start the cluster if it is stopped"),
        ("SecretsErrorException", "see that the secret exists and may be read: aws secretsmanager describe-secret"),
        ("1040", "end some of the cluster's connections, and give its users max_user_connections"),
        ("500", "try again in a minute"),
    ],
)
def test_an_answer_that_does_not_pass_is_told_with_what_to_do(awake: Cloud, clock: Clock, answer: str, fix: str):
    awake.early(answer=answer, every=1)
    with pytest.raises(DatabaseError) as caught:
        api_of(awake, clock, wait_seconds=30).execute("SELECT 1 AS one")
    (problem,) = caught.value.problems
    assert (problem.code, problem.what) == ("database-not-ready", "the cluster did not answer within 30 s")
    assert problem.why
    assert problem.fix.startswith(fix)
    assert clock.seconds == 30


# Refusals


@pytest.mark.parametrize(
    ("statement", "number", "text"),
    [
        ("SELECT * FROM mysql.nothing", 1146, "Table 'mysql.nothing' doesn't exist (1146)"),
        ("CREATE DATABASE mysql", 1044, "Access denied for user 'admin'@'%' to database 'mysql' (1044)"),
        ("GRANT SELECT ON nothing.* TO nobody", 1410, "You are not allowed to create a user with GRANT (1410)"),
        ("DROP DATABASE nothing", 1008, "Can't drop database 'nothing'; database doesn't exist (1008)"),
    ],
)
def test_mysqls_refusal_comes_with_its_own_number_and_words(api: DataApi, statement: str, number: int, text: str):
    with pytest.raises(DatabaseError) as caught:
        api.execute(statement)
    assert (caught.value.number, str(caught.value)) == (number, text)
    assert caught.value.problems == (Problem("database-refused", text),)


@pytest.mark.parametrize(
    ("message", "number", "text"),
    [
        # As the Data API of Serverless v1 said it, and a service's answer that holds no number
        ("Database error code: 1045. Message: Access denied for user 'x'", 1045, "Access denied for user 'x' (1045)"),
        ("Invalid resource ARN: x", 0, "Invalid resource ARN: x (BadRequestException)"),
    ],
)
def test_older_words_of_a_refusal_are_understood(api: DataApi, message: str, number: int, text: str):
    class Refusing:
        def execute_statement(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": "BadRequestException", "Message": message}}, "ExecuteStatement")

    api.client = Refusing()
    with pytest.raises(DatabaseError) as caught:
        api.execute("SELECT 1 AS one")
    assert (caught.value.number, str(caught.value)) == (number, text)


def test_a_wrong_password_is_mysqls_1045(cloud: Cloud, clock: Clock):
    secrets = cloud.client("secretsmanager")
    arn = secrets.create_secret(Name="wrong", SecretString='{"username": "admin", "password": "s3cret"}')["ARN"]
    try:
        with pytest.raises(DatabaseError) as caught:
            api_of(cloud, clock, secret=arn).execute("SELECT 1 AS one")
    finally:
        secrets.delete_secret(SecretId="wrong", ForceDeleteWithoutRecovery=True)
    assert caught.value.number == 1045
    assert "s3cret" not in str(caught.value)


def test_a_statement_is_never_part_of_its_error(api: DataApi):
    with pytest.raises(DatabaseError) as caught:
        api.execute("ALTER USER `nobody`@`%` IDENTIFIED BY 's3cret'")
    assert caught.value.number == 1396
    assert "s3cret" not in repr(caught.value) + repr(caught.value.problems)


def test_what_no_answer_of_aws_is_is_left_to_whoever_knows_it(api: DataApi):
    class WithoutCredentials:
        def execute_statement(self, **_: Any) -> Any:
            raise NoCredentialsError

    api.client = WithoutCredentials()
    with pytest.raises(NoCredentialsError):
        api.execute("SELECT 1 AS one")
