"""Things go from tenant to tenant, and users get other names, while a client logs in with the secret all the time."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymysql
import pytest

from tests.cli.conftest import CommandLine
from tests.cloud import SHARED, Cloud
from tests.endpoint import until

pytestmark = pytest.mark.usefixtures("clean")

TOGETHER = """
  shop:
    databases: {shop: {}, orders: {on_remove: drop}}
    roles: {orders-reader: {privileges: [{permission: SELECT, database: orders}]}}
    users:
      shop: {privileges: [{permission: ALL, database: shop}]}
      orders: {privileges: [{permission: ALL, database: orders}], roles: [orders-reader]}
      token: {auth: iam, privileges: [{permission: SELECT, database: orders}]}
"""
APART = """
  shop:
    databases: {shop: {}}
    users: {shop: {privileges: [{permission: ALL, database: shop}]}}
  orders:
    databases: {orders: {on_remove: drop, moved_from: shop}}
    roles: {orders-reader: {moved_from: shop, privileges: [{permission: SELECT, database: orders}]}}
    users:
      orders: {moved_from: shop, privileges: [{permission: ALL, database: orders}], roles: [orders-reader]}
      token: {moved_from: shop, auth: iam, privileges: [{permission: SELECT, database: orders}]}
"""


class Service:
    """A client that reads the secret, logs in, and reads a marked row, again and again; one connection stays open."""

    def __init__(self, cloud: Cloud, user: str, database: str) -> None:
        self._cloud, self._database = cloud, database
        self._secrets = cloud.client("secretsmanager")
        self.secret = self._secrets.describe_secret(SecretId=f"/{SHARED}/database/{user}")["ARN"]
        self.failures: list[str] = []
        self.logins = 0
        self._is_over = threading.Event()
        self._open = self._login()

    def value(self) -> dict[str, Any]:
        return dict(json.loads(self._secrets.get_secret_value(SecretId=self.secret)["SecretString"]))

    def _login(self) -> Any:
        value = self.value()
        return self._cloud.connect(value["username"], value["password"])

    def _reads(self, connection: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT id FROM `{self._database}`.marked")
            assert cursor.fetchall() == ((4711,),)

    def _run(self) -> None:
        while not self._is_over.is_set():
            try:
                self._reads(self._open)
                connection = self._login()
                self._reads(connection)
                connection.close()
                self.logins += 1
            except (pymysql.Error, AssertionError) as error:
                self.failures.append(repr(error))
            self._is_over.wait(0.02)

    @contextmanager
    def running(self) -> Iterator[Service]:
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield self
        finally:
            self._is_over.set()
            thread.join()
            self._open.close()


def mark(cloud: Cloud, database: str) -> None:
    cloud.sql(f"CREATE TABLE {database}.marked (id INT)", f"INSERT INTO {database}.marked VALUES (4711)")


def applied(run: CommandLine, *options: str) -> str:
    """What the plan said before. Afterwards there is nothing left to do."""
    said = run("aurora-tenants plan")
    assert said.code == 0, said
    ended = run(f"aurora-tenants apply --yes {' '.join(options)}")
    assert ended.code == 0, ended
    again = run("aurora-tenants plan --detailed-exitcode")
    assert again.code == 0, again
    return said.out


def grants(cloud: Cloud, user: str) -> set[str]:
    return {str(row[0]) for row in cloud.sql(f"SHOW GRANTS FOR `{user}`")}


def entries(cloud: Cloud, kind: str) -> dict[str, tuple[str, str]]:
    rows = cloud.sql(f"SELECT name, stack, adopted FROM aurora_tenants.`{kind}` WHERE stack LIKE 'shared-global-%'")
    return {str(name): (str(stack).removeprefix(f"{SHARED}-"), str(adopted)) for name, stack, adopted in rows}


def test_what_moves_keeps_data_password_secret_and_rights_and_can_still_be_dropped(run: CommandLine, cloud: Cloud):
    run.file(TOGETHER)
    applied(run)
    mark(cloud, "orders")
    before = {user: grants(cloud, user) for user in ("orders", "token", "orders-reader")}
    service = Service(cloud, "orders", "orders")
    password = service.value()["password"]
    run.file(APART)
    with service.running():
        said = applied(run)
    assert "moves" in said
    assert "DROP" not in said
    assert service.failures == []
    assert service.logins > 0
    assert service.value()["password"] == password
    assert {user: grants(cloud, user) for user in before} == before
    assert entries(cloud, "databases") == {"shop": ("shop", "0"), "orders": ("orders", "0")}
    assert {name: owner for name, (owner, _) in entries(cloud, "users").items() if name != "shop@%"} == dict.fromkeys(
        ("orders@%", "token@%", "orders-reader@%"), "orders"
    )
    secret = cloud.client("secretsmanager").describe_secret(SecretId=service.secret)
    assert secret["RotationEnabled"]
    cloud.client("secretsmanager").rotate_secret(SecretId=service.secret)
    until(lambda: service.value()["password"] != password)
    run.file("  shop:\n    databases: {shop: {}}\n    users: {shop: {}}\n")
    assert run("aurora-tenants apply --yes --allow-drop orders").code == 0
    assert ("orders",) not in cloud.sql("SHOW DATABASES")


def test_a_tenant_gets_another_name_and_a_user_too(run: CommandLine, cloud: Cloud):
    run.file(TOGETHER)
    applied(run)
    mark(cloud, "orders")
    service = Service(cloud, "orders", "orders")
    arn, password = service.secret, service.value()["password"]
    run.file(TOGETHER.replace("  shop:\n    databases", "  store:\n    moved_from: shop\n    databases", 1))
    with service.running():
        applied(run)
    assert service.failures == []
    assert set(cloud.stacks()) == {f"{SHARED}-store"}
    renamed = TOGETHER.replace("  shop:\n    databases", "  store:\n    databases", 1)
    run.file(renamed.replace("      orders: {priv", "      sales: {renamed_from: orders, priv"))
    said = applied(run)
    assert "RENAME" in said or "renamed" in said
    value = dict(json.loads(cloud.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]))
    assert (value["username"], value["password"]) == ("sales", password)
    told = json.loads(run("aurora-tenants env store --user sales --database orders --format json").out)
    assert told["DATABASE_SECRET"] == arn
    run.file(renamed.replace("      orders: {priv", "      sales: {priv"))
    applied(run)
    run.file(renamed.replace("      orders: {priv", "      orders: {renamed_from: sales, priv"))
    applied(run)
    run.file(renamed)
    applied(run)
    assert cloud.sql("SELECT User FROM mysql.user WHERE User IN ('orders', 'sales')") == [("orders",)]
    value = dict(json.loads(cloud.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]))
    assert (value["username"], value["password"]) == ("orders", password)


def test_an_export_that_is_imported_does_not_move_and_a_secret_that_waits_for_its_deletion_is_restored(
    run: CommandLine, cloud: Cloud
):
    run.file(TOGETHER)
    applied(run)
    template = {
        "Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}},
        "Outputs": {"It": {"Value": {"Fn::ImportValue": f"{SHARED}-shop-DatabaseOrders"}}},
    }
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(StackName="service", TemplateBody=json.dumps(template))
    cloud.settled("service")
    before = entries(cloud, "databases")
    run.file(APART)
    ended = run("aurora-tenants apply --yes")
    assert ended.code == 1
    assert "service imports it" in ended.err
    assert entries(cloud, "databases") == before
    cloudformation.delete_stack(StackName="service")
    cloud.settled("service")
    secrets, name = cloud.client("secretsmanager"), f"/{SHARED}/database/orders"
    before = secrets.get_secret_value(SecretId=name)["SecretString"]
    # Of a rotation that was cancelled on its way.
    secrets.cancel_rotate_secret(SecretId=name)
    secrets.put_secret_value(SecretId=name, SecretString=before, VersionStages=["AWSPENDING"])
    secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    said = applied(run)
    assert "secret: waits for its deletion → restored; rotation: under way → ended before it moves" in said
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == before


@pytest.mark.long
def test_random_moves_lose_nothing(run: CommandLine, cloud: Cloud):
    """One database and its user go between three tenants, in any order, with whatever else is in them."""
    chance = random.Random(12)
    places = dict.fromkeys(("a", "b", "c"), "one")

    def file(moved: dict[str, str]) -> str:
        text = ""
        for tenant in ("one", "two", "three"):
            here = sorted(name for name, place in places.items() if place == tenant)
            if not here:
                continue
            word = {name: f"moved_from: {moved[name]}, " if name in moved else "" for name in here}
            databases = ", ".join(f"{name}: {{{word[name]}on_remove: retain}}" for name in here)
            text += f"  {tenant}:\n    databases: {{{databases}}}\n    users:\n"
            for name in here:
                text += f"      {name}: {{{word[name]}privileges: [{{permission: ALL, database: {name}}}]}}\n"
        return text

    run.file(file({}))
    applied(run)
    for name in places:
        mark(cloud, name)
    services = [Service(cloud, name, name) for name in places]
    with services[0].running(), services[1].running(), services[2].running():
        for _ in range(3):
            moved = {}
            for name in chance.sample(sorted(places), chance.randint(1, 3)):
                moved[name] = places[name]
                places[name] = chance.choice([it for it in ("one", "two", "three") if it != places[name]])
            run.file(file(moved))
            applied(run)
    assert [service.failures for service in services] == [[], [], []]
    assert entries(cloud, "databases") == {name: (place, "0") for name, place in places.items()}
