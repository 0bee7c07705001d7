"""The sandbox's cluster: when it pauses, and how a paused one wakes up."""

from __future__ import annotations

import pytest

from aurora_sandbox.cluster import Cluster, Clusters, State
from aurora_sandbox.scaling import Scaling

AWAKE, ASLEEP = Scaling(0.5, 4), Scaling(0, 2, 300)
ARN = "arn:aws:rds:eu-west-1:123456789012:cluster:shop"


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def new_cluster(clusters: Clusters, scaling: Scaling = AWAKE) -> Cluster:
    return clusters.create(
        identifier="shop",
        arn=ARN,
        engine="aurora-mysql",
        engine_version="8.0.mysql_aurora.3.10.0",
        master_username="admin",
        master_secret_arn="arn:aws:secretsmanager:eu-west-1:123456789012:secret:master",
        http_endpoint_enabled=True,
        scaling=scaling,
        host="127.0.0.1",
        port=3306,
    )


def test_first_call_wakes_a_paused_cluster_and_must_wait_as_all_others(clock: Clock) -> None:
    cluster = new_cluster(Clusters(clock=clock))
    cluster.pause(15)
    clock.now += 3600
    assert cluster.state() is State.PAUSED
    assert cluster.touch() is State.RESUMING
    clock.now += 14
    assert cluster.touch() is State.RESUMING
    clock.now += 1
    assert cluster.touch() is State.AVAILABLE


def test_idle_cluster_pauses_when_its_minimum_is_zero(clock: Clock) -> None:
    cluster = new_cluster(Clusters(clock=clock, time_scale=10), ASLEEP)
    clock.now += 299
    assert cluster.touch() is State.AVAILABLE
    clock.now += 299
    assert cluster.state() is State.AVAILABLE
    clock.now += 1
    assert cluster.touch() is State.RESUMING
    clock.now += 1.5
    assert cluster.state() is State.AVAILABLE


def test_cluster_with_a_minimum_never_pauses_by_itself(clock: Clock) -> None:
    cluster = new_cluster(Clusters(clock=clock), AWAKE)
    clock.now += 100_000
    assert cluster.state() is State.AVAILABLE


def test_new_scaling_range_wakes_a_paused_cluster(clock: Clock) -> None:
    clusters = Clusters(clock=clock)
    cluster = new_cluster(clusters)
    cluster.pause()
    clusters.modify("shop", scaling=ASLEEP)
    assert cluster.state() is State.RESUMING
    assert cluster.scaling == ASLEEP


def test_what_happened_while_nobody_looked_is_made_up_for_each_change_at_its_moment(clock: Clock) -> None:
    """It slept, was woken by a new range, and slept again: nobody asked for its state in between."""
    clusters = Clusters(clock=clock)
    cluster = new_cluster(clusters, ASLEEP)
    clock.now += 10_000
    clusters.modify("shop", scaling=AWAKE)  # at 11,000 it wakes, which takes 15 s
    clock.now += 5_000
    clusters.modify("shop", scaling=ASLEEP)
    clock.now += 5_000
    assert cluster.state() is State.PAUSED
    moments = (999, 1000, 1299, 1300, 10_999, 11_000, 16_000, 16_299, 16_300)
    assert [cluster.capacity(at) for at in moments] == [None, 0.5, 0.5, 0, 0, 0.5, 0.5, 0.5, 0]


def test_a_cluster_that_woke_long_ago_pauses_again_at_its_time(clock: Clock) -> None:
    cluster = new_cluster(Clusters(clock=clock), ASLEEP)
    cluster.pause(15)
    cluster.touch()
    clock.now += 15 + 299
    assert cluster.capacity(clock.now) == 0.5
    clock.now += 1
    assert cluster.state() is State.PAUSED


def test_there_is_one_cluster_by_arn_or_identifier_until_it_is_deleted() -> None:
    clusters = Clusters()
    cluster = new_cluster(clusters)
    assert clusters.get(ARN) is clusters.get("SHOP") is cluster
    assert clusters.get("other") is None
    with pytest.raises(ValueError, match="the sandbox has one cluster"):
        new_cluster(clusters)
    clusters.delete("shop")
    assert clusters.all() == ()
