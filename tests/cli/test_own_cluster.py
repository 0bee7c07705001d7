"""A cluster that was made by other means, with databases and users: it is used as it is, and nothing there changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aurora_tenants.mysql.live import Row
from tests.cli.conftest import CommandLine, command_line
from tests.cloud import SHARED, Cloud, empty
from tests.endpoint import until

SERVICE = Path(__file__).parents[1] / "lambdas" / "article" / "service.yml"
ARN = "arn:aws:rds:eu-west-1:123456789012:cluster:orders"
DEPLOY = "aurora-tenants shared deploy --yes --cluster orders"
LEAVES = "Nothing was changed.\n"
PASSWORD = "secret-of-the-boss"
TENANTS = """\
  shop:
    databases: {shop: {on_remove: drop}}
    users:
      shop: {privileges: [{permission: ALL, database: shop}]}
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A sandbox with such a cluster. Its Data API is off, and nothing of it is in Secrets Manager."""
    with empty(tmp_path_factory.mktemp("own")) as cloud:
        rds = cloud.client("rds")
        rds.create_db_cluster(
            DBClusterIdentifier="orders",
            Engine="aurora-mysql",
            EngineVersion="8.0.mysql_aurora.3.10.6",
            MasterUsername="boss",
            MasterUserPassword=PASSWORD,
            ServerlessV2ScalingConfiguration={"MinCapacity": 0, "MaxCapacity": 4},
        )
        rds.create_db_instance(
            DBInstanceIdentifier="orders-1",
            DBClusterIdentifier="orders",
            Engine="aurora-mysql",
            DBInstanceClass="db.serverless",
        )
        cloud.sql(
            "CREATE DATABASE legacy",
            "CREATE TABLE legacy.orders (id INT PRIMARY KEY, country CHAR(2))",
            "INSERT INTO legacy.orders VALUES (1, 'DE'), (2, 'NL')",
            "CREATE ROLE reporting",
            "GRANT SELECT ON legacy.* TO reporting",
            "CREATE USER legacy IDENTIFIED BY 'of-long-ago' REQUIRE SSL",
            "GRANT ALL ON legacy.* TO legacy WITH GRANT OPTION",
            "GRANT reporting TO legacy",
        )
        yield cloud


@pytest.fixture
def run(own: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return command_line(own, tmp_path, monkeypatch, capsys)


def there(cloud: Cloud) -> list[Row]:
    """All that was there before: rows, accounts with their hashes and options, and every kind of grant."""
    of_users = "SELECT * FROM mysql.user WHERE User IN ('legacy', 'reporting', 'boss') ORDER BY User"
    grants = [cloud.sql(f"SHOW GRANTS FOR {name}") for name in ("legacy", "reporting", "boss")]
    return [*cloud.sql("SELECT * FROM legacy.orders"), *cloud.sql(of_users), *(row for rows in grants for row in rows)]


def described(cloud: Cloud) -> dict[str, Any]:
    """The cluster as RDS describes it, without what passes by itself."""
    found = cloud.client("rds").describe_db_clusters(DBClusterIdentifier="orders")["DBClusters"][0]
    return {name: value for name, value in found.items() if not name.endswith("RestorableTime")}


# In this order: each mends what the one before was refused for.


def test_one_that_is_not_there_is_refused(run: CommandLine, own: Cloud):
    ended = run("aurora-tenants shared deploy --yes --cluster order")
    assert (ended.code, ended.err) == (
        1,
        "error: there is no cluster order in eu-west-1  [unfit-cluster]\n"
        f"    fix: `aws rds describe-db-clusters` lists those there are; --region takes another region\n{LEAVES}",
    )


def test_a_data_api_that_is_off_is_refused_with_the_command_that_switches_it_on(run: CommandLine, own: Cloud):
    ended = run(DEPLOY)
    assert "error: the Data API of cluster orders is off  [unfit-cluster]\n" in ended.err
    assert f"    fix: run: aws rds enable-http-endpoint --resource-arn {ARN}\n" in ended.err
    own.client("rds").enable_http_endpoint(ResourceArn=ARN)
    assert (ended.code, "the Data API of cluster orders is off" in run(DEPLOY).err) == (1, False)


def test_no_master_secret_is_refused_with_both_ways_out(run: CommandLine):
    ended = run(DEPLOY)
    assert ended.err == (
        "error: the master user's password of cluster orders is not kept in Secrets Manager by RDS  [unfit-cluster]\n"
        "    why: the functions log in with it; careful: the command gives the master user another password at once\n"
        "    fix: run: aws rds modify-db-cluster --db-cluster-identifier orders --manage-master-user-password"
        " --apply-immediately; or pass --master-secret with the ARN of a secret that holds username and password\n"
        f"{LEAVES}"
    )


def test_a_secret_without_a_password_is_refused(run: CommandLine, own: Cloud):
    assert (
        "error: there is no secret mine in eu-west-1  [no-master-secret]\n" in run(f"{DEPLOY} --master-secret mine").err
    )
    secrets = own.client("secretsmanager")
    secrets.create_secret(Name="mine", SecretString=json.dumps({"username": "boss"}))
    for text, missing in ((None, "password"), ('{"username": "", "password": ""}', "username and no password")):
        if text:
            secrets.put_secret_value(SecretId="mine", SecretString=text)
        ended = run(f"{DEPLOY} --master-secret mine")
        assert (ended.code, f"error: secret mine holds no {missing}  [no-master-secret]\n" in ended.err) == (1, True)
    assert own.stacks() == {}
    secrets.put_secret_value(SecretId="mine", SecretString=json.dumps({"username": "boss", "password": PASSWORD}))


def test_the_whole_main_job_leaves_what_was_there_as_it_was(run: CommandLine, own: Cloud):
    before, cluster = there(own), described(own)
    ended = run(f"{DEPLOY} --master-secret mine")
    assert (ended.code, ended.out) == (0, f"Stack {SHARED} is deployed.\n"), ended.err
    assert PASSWORD not in ended.err
    assert not own.client("ec2").describe_vpcs(Filters=[{"Name": "isDefault", "Values": ["false"]}])["Vpcs"]

    run.file(TENANTS)
    assert run("aurora-tenants apply --yes").out.endswith(
        "Applied: 1 of 1 tenants. MySQL holds what the file says of them.\n"
    )
    own.sql("REVOKE INSERT ON shop.* FROM shop")
    assert run("aurora-tenants plan --detailed-exitcode").code == 2
    assert run("aurora-tenants apply --yes").code == 0
    assert run("aurora-tenants plan --detailed-exitcode").code == 0
    secrets, name = own.client("secretsmanager"), f"/{SHARED}/database/shop"
    until(lambda: "AWSPENDING" not in str(secrets.describe_secret(SecretId=name)["VersionIdsToStages"]))
    version = secrets.rotate_secret(SecretId=name)["VersionId"]
    until(lambda: secrets.get_secret_value(SecretId=name)["VersionId"] == version)

    again = run("aurora-tenants shared deploy --yes")
    assert again.out == f"Stack {SHARED} is up to date: nothing was changed.\n"
    run.file("  {}\n")
    assert run("aurora-tenants apply --yes --allow-mass-removal --allow-drop shop").code == 0
    assert (there(own), described(own)) == (before, cluster)


def test_doctor_finds_nothing_wrong_with_the_secret(run: CommandLine):
    ended = run("aurora-tenants doctor")
    assert (ended.code, "problem" in ended.out.replace("0 problems", "")) == (0, False), ended.out


def test_the_articles_service_stack_works_word_for_word(run: CommandLine, own: Cloud):
    before = there(own)
    own.client("cloudformation").create_stack(StackName="article", TemplateBody=SERVICE.read_text())
    assert own.settled("article") == "CREATE_COMPLETE"
    data, secrets = own.client("rds-data"), own.client("secretsmanager")
    arn = secrets.describe_secret(SecretId=f"/{SHARED}/database/article")["ARN"]

    def ask(sql: str) -> Any:
        return data.execute_statement(resourceArn=ARN, secretArn=arn, database="article", sql=sql)

    ask("CREATE TABLE orders (id INT)")
    ask("INSERT INTO orders VALUES (7)")
    assert ask("SELECT id FROM orders")["records"] == [[{"longValue": 7}]]
    with pytest.raises(data.exceptions.DatabaseErrorException):
        ask("SELECT * FROM legacy.orders")
    assert there(own) == before


def test_a_key_of_its_own_is_allowed_to_the_functions_and_must_be_usable(run: CommandLine, own: Cloud):
    kms, value = own.client("kms"), {"username": "boss", "password": PASSWORD}
    key = kms.create_key()["KeyMetadata"]
    own.client("secretsmanager").create_secret(Name="keyed", KmsKeyId=key["Arn"], SecretString=json.dumps(value))
    kms.disable_key(KeyId=key["KeyId"])
    ended = run(f"{DEPLOY} --master-secret keyed")
    shown = key["Arn"].replace(key["KeyId"], "ID")
    assert ended.err == (
        f"error: KMS key {shown} of the master secret is Disabled  [no-key]\n"
        "    why: nobody can read the secret without it\n"
        f"    fix: run: aws kms enable-key --key-id ID; or give the secret another key\n{LEAVES}"
    )
    kms.enable_key(KeyId=key["KeyId"])
    assert run(f"{DEPLOY} --master-secret keyed").code == 0
    stack = own.client("cloudformation").describe_stacks(StackName=SHARED)["Stacks"][0]
    parameters = {it["ParameterKey"]: it["ParameterValue"] for it in stack["Parameters"]}
    assert parameters["MasterSecretKeyArn"] == key["Arn"]
    # It is remembered, where RDS has none to offer.
    again = run("aurora-tenants shared deploy --yes")
    assert again.out == f"Stack {SHARED} is up to date: nothing was changed.\n"


def test_another_cluster_is_refused(run: CommandLine):
    ended = run("aurora-tenants shared deploy --yes --new-cluster")
    assert ended.err == (
        f"error: stack {SHARED} is for cluster orders  [other-cluster]\n"
        "    why: its tenants' databases are there, and on another cluster every one of them would be missing\n"
        f"    fix: deploy another shared stack for the other one, with --stack\n{LEAVES}"
    )
    ended = run("aurora-tenants shared deploy --yes --parameter MaxCapacity=8")
    assert (ended.code, "is a parameter of a cluster that this program makes" in ended.err) == (1, True)
    ended = run("aurora-tenants shared deploy --yes --parameter ClusterHost=elsewhere")
    assert (ended.code, "error: ClusterHost is not set as a parameter" in ended.err) == (1, True)


@pytest.mark.parametrize(
    ("region", "zones"), [pytest.param("us-west-1", "2", marks=pytest.mark.long), ("eu-west-1", "3")]
)
def test_a_new_cluster_takes_the_zones_that_its_region_has(
    region: str,
    zones: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    with empty(tmp_path, region=region) as cloud:
        run = command_line(cloud, tmp_path, monkeypatch, capsys)
        ended = run("aurora-tenants shared deploy --yes --new-cluster")
        assert (ended.code, ended.out) == (0, f"Stack {SHARED} is deployed.\n"), ended.err
        stack = cloud.client("cloudformation").describe_stacks(StackName=f"{SHARED}-cluster")["Stacks"][0]
        outputs = {it["OutputKey"]: it["OutputValue"] for it in stack["Outputs"]}
        assert len(outputs["Subnets"].split(",")) == int(zones)
        assert run("aurora-tenants shared delete --yes").code == 0
        assert set(cloud.stacks()) | {f"{SHARED}-cluster"} == {f"{SHARED}-cluster"}
