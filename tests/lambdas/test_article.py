"""The service stack of the article that this product grew from, unchanged, on the shared stack of today."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pymysql
import pytest

from tests.endpoint import client
from tests.lambdas.world import PREFIX, World, fresh, until

# The resources Database, DatabaseUserSecret, DatabaseUserSecretAttachment, DatabaseUser, DatabaseUserSecretRotation.
SERVICE = Path(__file__).parent / "article" / "service.yml"
WORD_FOR_WORD = "660f4adcd5e0189a6162727cf223c4e28e9d67ef073cbed902ec4e718aca6cd2"


@pytest.fixture
def service(world: World) -> str:
    """The name of a deployed stack, and so of its database and its user."""
    name = fresh("article")
    world.cloudformation.create_stack(StackName=name, TemplateBody=SERVICE.read_text())
    ended = world.ended(name)
    assert ended.status == "CREATE_COMPLETE", ended.failures
    return name


def test_its_text_is_the_articles_word_for_word():
    """Whoever copied it has exactly this in production; what no longer deploys it would break them."""
    assert hashlib.sha256(SERVICE.read_bytes()).hexdigest() == WORD_FOR_WORD


def test_its_user_can_use_its_database_through_the_data_api(world: World, service: str):
    exports = {entry["Name"]: entry["Value"] for entry in world.cloudformation.list_exports()["Exports"]}
    data = client(world.sandbox.environment, "rds-data")
    secret = world.secrets.describe_secret(SecretId=PREFIX + service)["ARN"]

    def run(sql: str) -> list[object]:
        of_cluster = {"resourceArn": exports["shared-global-database-server"], "secretArn": secret}
        records = data.execute_statement(**of_cluster, database=service, sql=sql).get("records", [])
        return [next(iter(cell.values())) for record in records for cell in record]

    run("CREATE TABLE orders (id INT)")
    run("INSERT INTO orders VALUES (7)")
    assert run("SELECT id FROM orders") == [7]


def test_its_user_reaches_no_other_database(world: World, service: str):
    world.make_database(other := fresh("precious"))
    login = json.loads(world.secrets.get_secret_value(SecretId=PREFIX + service)["SecretString"])
    with (
        world.sandbox.mysql.connect(login["username"], login["password"]) as connection,
        connection.cursor() as cursor,
        pytest.raises(pymysql.OperationalError, match="1142"),
    ):
        cursor.execute(f"SELECT * FROM `{other}`.t")


def test_its_rotation_starts_at_once_and_leaves_both_passwords_valid(world: World, service: str):
    secret_id = PREFIX + service
    until(lambda: "LastRotatedDate" in world.secrets.describe_secret(SecretId=secret_id))
    for stage in ("AWSCURRENT", "AWSPREVIOUS"):
        text = world.secrets.get_secret_value(SecretId=secret_id, VersionStage=stage)["SecretString"]
        assert world.takes(service, json.loads(text)["password"]), stage


def test_its_stack_can_be_deleted_and_the_database_is_kept(world: World, service: str):
    world.sql(f"CREATE TABLE `{service}`.orders (id INT)")
    assert world.delete(service).status == "DELETE_COMPLETE"
    assert (world.has_database(service), world.has_user(service)) == (True, False)
