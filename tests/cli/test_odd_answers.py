"""The main job on a Data API that answers in every way it may: from the first deployment to the pause schedule.

Errors have no number, text of `_bin` columns is base64, keys of JSON come in another order, every ninth statement gets
what a cluster answers that is new or busy, and every thirteenth loses its connection.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from aurora_sandbox import mysqld
from tests.cli.conftest import HEAD, CommandLine, Ended
from tests.cloud import Cloud, deployed
from tests.endpoint import until

pytestmark = pytest.mark.long

FILE = """
  shop:
    databases: {shop: {charset: utf8mb4, collation: utf8mb4_bin}}
    roles:
      reader: {privileges: [{permission: SELECT, database: shop}]}
    users:
      shop: {privileges: [{permission: "SELECT, INSERT", database: shop}], host: ["%", 10.0.0.1], comment: Größe}
      report: {roles: [reader]}
  blog:
    databases: {blog: {}}
    users:
      blog: {privileges: [{permission: ALL, database: blog}]}
"""
SCHEDULE = 'aurora-tenants pause-schedule set --timezone Europe/Berlin --awake "MON-FRI 07:00-17:00" --yes'
NO_CHANGES = (
    "Compared 2 tenants of tenants.yaml with cluster shared-global: MySQL N with N databases and N users.\n\n"
    "No changes: MySQL and CloudFormation hold what the file says.\n"
)


BROKEN = {"before it ran": {"ran": False}, "in the middle of the answer": {"in_body": True}}


@pytest.fixture(scope="module", params=BROKEN)
def cloud(
    request: pytest.FixtureRequest, mysqld_binary: mysqld.Binary, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cloud]:
    def answer_oddly(cloud: Cloud) -> None:
        cloud.post("answers", {"error_numbers": "none", "base64": True, "reversed_keys": True})
        cloud.early(3, every=9)
        cloud.drop(5, every=13, **BROKEN[request.param])

    with deployed(tmp_path_factory.mktemp("odd"), at_first=answer_oddly) as running:
        yield running


def test_the_whole_job_is_done_as_if_nothing_were_odd(run: CommandLine, cloud: Cloud) -> None:
    run.file(FILE)
    applied = run("aurora-tenants apply --yes")
    assert (applied.code, applied.out.splitlines()[-1]) == (
        0,
        "Applied: 2 of 2 tenants. MySQL holds what the file says of them.",
    ), applied
    assert run("aurora-tenants plan --detailed-exitcode") == Ended(0, NO_CHANGES, "")

    # Drift, of everything that a statement heals
    cloud.sql(
        "REVOKE INSERT ON shop.* FROM shop",
        "GRANT DELETE ON blog.* TO blog WITH GRANT OPTION",
        "DROP USER shop@10.0.0.1",
        "SET DEFAULT ROLE NONE TO report",
        "ALTER USER blog IDENTIFIED BY 'somebody-else'",
    )
    drifted = run("aurora-tenants plan --detailed-exitcode --sql")
    assert drifted.code == 2
    for healed in ("GRANT INSERT ON `shop`", "REVOKE GRANT OPTION ON `blog`", "TO `shop`@`10.0.0.1`;"):
        assert healed in drifted.out, drifted.out
    assert run("aurora-tenants apply --yes").code == 0
    assert run("aurora-tenants plan --detailed-exitcode") == Ended(0, NO_CHANGES, "")
    assert cloud.sql("SHOW GRANTS FOR shop@10.0.0.1")[1:] == [
        ("GRANT SELECT, INSERT ON `shop`.* TO `shop`@`10.0.0.1`",)
    ]

    cloud.connect("blog", password(cloud, "blog")).close()

    # Rotation: both passwords log in
    secrets = cloud.client("secretsmanager")
    before = password(cloud, "shop")
    secrets.rotate_secret(SecretId="/shared-global/database/shop")
    after = until(lambda: None if (now := password(cloud, "shop")) == before else now, seconds=60)
    for each in (before, after):
        cloud.connect("shop", each).close()

    # The pause schedule, and its end
    scheduled = run(SCHEDULE)
    assert scheduled.code == 0, scheduled
    assert run("aurora-tenants plan --detailed-exitcode").code == 0
    cloud.post("clock", {"to": "+1w"})
    url = cloud.client("sqs").list_queues()["QueueUrls"][0]
    lost = cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    assert lost["Attributes"] == {"ApproximateNumberOfMessages": "0"}
    assert run("aurora-tenants pause-schedule clear --yes --then stay").code == 0

    # Everything goes
    run.file("  blog: {databases: {blog: {}}}\n")
    removed = run("aurora-tenants apply --yes")
    assert removed.code == 0, removed
    assert [name for (name,) in cloud.sql("SELECT User FROM mysql.user") if name in ("shop", "report", "blog")] == []


def password(cloud: Cloud, user: str) -> str:
    secret = cloud.client("secretsmanager").get_secret_value(SecretId=f"/shared-global/database/{user}")
    return str(json.loads(secret["SecretString"])["password"])


def test_what_does_not_pass_is_a_sentence(run: CommandLine, cloud: Cloud) -> None:
    """And no traceback that calls itself a bug."""
    run.file("  none: {}\n", head=HEAD)
    cloud.early(0)
    cloud.drop(1, every=1)
    ended = run("aurora-tenants plan --wait 0.5")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(
        "error: the cluster did not answer within N s  [database-not-ready]\n    why: Connection was"
    )
    cloud.drop(0)
    cloud.early(1, every=1, answer="SecretsErrorException")
    ended = run("aurora-tenants plan --wait 3")
    assert ended.err.startswith("MySQL cannot be read yet, waiting up to 3 s: Secrets Manager can't find")
    assert "\n    fix: run: aurora-tenants shared repair --stack shared-global\n" in ended.err
