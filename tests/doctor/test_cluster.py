"""Clusters as RDS describes them, of kinds that the sandbox does not have."""

from __future__ import annotations

from typing import Any

import pytest

from aurora_tenants.doctor.cluster import ClusterFacts, Instance, NoCluster, check_cluster
from aurora_tenants.doctor.finding import Verdict

FIT = ClusterFacts(
    identifier="mine",
    arn="arn:aws:rds:eu-west-1:123456789012:cluster:mine",
    engine="aurora-mysql",
    version="8.0.mysql_aurora.3.10.6",
    status="available",
    engine_mode="provisioned",
    has_data_api=True,
    has_iam=True,
    has_secret=True,
    least_acu=0.0,
    instances=(Instance("mine-1", "db.serverless", True),),
)
MODIFY = "run: aws rds modify-db-cluster --db-cluster-identifier mine "


def verdict(**changed: Any) -> Verdict:
    (found,) = check_cluster(FIT._replace(**changed))
    return found


def test_a_fit_cluster_is_one_line():
    assert verdict() == Verdict(
        "ok", "cluster mine: 8.0.mysql_aurora.3.10.6, Serverless v2 from 0 ACU, fit for tenants"
    )
    assert verdict(version="8.4.mysql_aurora.8.4.7").result == "ok"


def test_a_cluster_that_is_not_there_is_a_problem():
    (found,) = check_cluster(NoCluster("mine", "eu-west-1"))
    assert (found.result, found.found) == ("problem", "there is no cluster mine in eu-west-1")


@pytest.mark.parametrize(
    ("changed", "result", "found", "fix"),
    [
        ({"engine": "aurora-postgresql"}, "problem", "is aurora-postgresql", "name a cluster of Aurora MySQL"),
        ({"engine_mode": "serverless"}, "problem", "is Serverless v1", "upgrade it to Serverless v2"),
        ({"engine_mode": "parallelquery"}, "problem", "engine mode parallelquery", "restore a snapshot"),
        (
            {"version": "5.7.mysql_aurora.2.12.5"},
            "problem",
            "has engine version 5.7.mysql_aurora.2.12.5",
            MODIFY + "--engine-version VERSION --allow-major-version-upgrade --apply-immediately",
        ),
        (
            {"version": "8.0.mysql_aurora.3.06.1"},
            "problem",
            "has engine version 8.0.mysql_aurora.3.06.1",
            MODIFY + "--engine-version VERSION --apply-immediately",
        ),
        ({"version": "8.0.mysql_aurora.3.07.1"}, "warning", "3.07.1", MODIFY + "--engine-version VERSION"),
        ({"status": "stopped"}, "problem", "is stopped", "run: aws rds start-db-cluster --db-cluster-identifier mine"),
        ({"status": "stopping"}, "problem", "is stopping", "wait until it is stopped, then run: aws rds start-db-clus"),
        ({"status": "deleting"}, "problem", "is deleting", "name another cluster"),
        (
            {"status": "inaccessible-encryption-credentials-recoverable"},
            "problem",
            "is inaccessible-encryption-credentials-recoverable",
            "enable that key, then run: aws rds start-db-cluster",
        ),
        (
            {"status": "creating"},
            "warning",
            "is creating",
            "run: aws rds wait db-cluster-available --db-cluster-identifier mine, then try again",
        ),
        ({"status": "backing-up"}, "warning", "is backing-up", "wait until it is available"),
        ({"has_data_api": False}, "problem", "is off", f"run: aws rds enable-http-endpoint --resource-arn {FIT.arn}"),
        ({"has_secret": False}, "problem", "is not kept", MODIFY + "--manage-master-user-password"),
        ({"has_iam": False}, "warning", "no IAM", MODIFY + "--enable-iam-database-authentication"),
        ({"instances": ()}, "problem", "no instance that writes", "run: aws rds create-db-instance"),
        (
            {"instances": (Instance("mine-1", "db.t3.medium", True),)},
            "problem",
            "is a db.t3.medium",
            "run: aws rds modify-db-instance --db-instance-identifier mine-1 --db-instance-class db.serverless",
        ),
        (
            {"instances": (Instance("mine-1", "db.r6g.large", True),), "least_acu": None},
            "warning",
            "cluster mine is provisioned: mine-1 (db.r6g.large)",
            MODIFY + "--serverless-v2-scaling-configuration MinCapacity=0,MaxCapacity=2; then run: aws rds "
            "modify-db-instance --db-instance-identifier mine-1",
        ),
        (
            {"instances": (Instance("mine-1", "db.serverless", True), Instance("mine-2", "db.r6g.large", False))},
            "warning",
            "cluster mine is provisioned in part: mine-2 (db.r6g.large)",
            "run: aws rds modify-db-instance --db-instance-identifier mine-2 ",
        ),
    ],
)
def test_each_thing_that_is_wrong_has_the_command_that_mends_it(
    changed: dict[str, Any], result: str, found: str, fix: str
):
    told = verdict(**changed)
    assert (told.result, found in told.found) == (result, True)
    assert told.fix.startswith(fix)


def test_everything_wrong_is_told_at_once():
    found = [*check_cluster(FIT._replace(has_data_api=False, has_secret=False, has_iam=False))]
    assert [each.result for each in found] == ["problem", "problem", "warning"]
