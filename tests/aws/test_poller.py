"""Which stacks are looked at, and how many calls that costs: by a clock and a CloudFormation of the test's own.

No sandbox can show what fifty lanes cost in minutes; the calls themselves are tried in tests/test_apply.py.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aurora_tenants.aws.poller import Poller, Watched

LONGEST = 1.3


class Region:
    """Stacks that take so many seconds each, one after the other in each lane; time passes from round to round.

    lag: so much later the list tells what has happened. looks: how often a stack's events were read.
    """

    def __init__(self, lanes: int, seconds: float, *, lag: float = 0.0, denied: bool = False) -> None:
        self.now, self.lists, self.looks, self._made = 0.0, 0, 0, 0
        self.late: list[float] = []
        self._seconds, self._lag, self._denied = seconds, lag, denied
        self.poller = Poller(self.list_stacks, now=lambda: self.now)
        self._lanes: list[tuple[Watched, float, ExitStack]] = []
        for lane in range(lanes):
            self._begin(began=-lane * seconds / lanes)

    def list_stacks(self, **asked: Any) -> dict[str, Any]:
        self.lists += 1
        if self._denied:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "ListStacks")
        assert "UPDATE_IN_PROGRESS" in asked["StackStatusFilter"]
        then = self.now - self._lag
        found = [it for it, began, _ in self._lanes if began <= then < began + self._seconds]
        return {"StackSummaries": [{"StackId": f"arn:aws:x:stack/name/{it.id}"} for it in found]}

    def _begin(self, began: float) -> None:
        end = ExitStack()
        self._made += 1
        watched = end.enter_context(self.poller.watching(f"arn:aws:x:stack/name/{self._made}"))
        self._lanes.append((watched, began, end))

    def run(self, seconds: float) -> None:
        while self.now < seconds:
            self.now += LONGEST
            self.poller.round()
            for watched, began, end in [*self._lanes]:
                if not watched.is_due:
                    continue
                self.looks += 1
                watched.is_due, watched.looked = False, self.now
                if self.now >= began + self._seconds:
                    self.late.append(self.now - began - self._seconds)
                    end.close()
                    self._lanes.remove((watched, began, end))
                    self._begin(self.now)


@pytest.mark.parametrize(("lanes", "calls_a_second"), [(1, 0.8), (2, 1.6), (3, 1.2), (20, 1.6), (50, 2.2)])
def test_an_end_is_noticed_in_time_with_few_calls(lanes: int, calls_a_second: float):
    region = Region(lanes, 45.0)
    region.run(450.0)
    assert len(region.late) > 8 * lanes
    assert max(region.late) < 2.0
    assert (region.lists + region.looks) / 450 < calls_a_second


def test_at_twenty_lanes_a_stack_costs_less_than_four_calls_to_follow():
    region = Region(20, 45.0)
    region.run(450.0)
    assert (region.lists + region.looks) / len(region.late) < 3.6


def test_what_a_list_does_not_tell_of_yet_is_not_taken_to_have_ended():
    region = Region(20, 45.0, lag=4.0)
    region.run(450.0)
    assert max(region.late) < 4.0 + 2 * LONGEST
    assert (region.lists + region.looks) / len(region.late) < 6


def test_where_lists_are_denied_stacks_are_looked_at_in_turn():
    region = Region(20, 45.0, denied=True)
    region.run(450.0)
    assert region.lists == 1
    assert region.looks / 450 < 2.4
    assert max(region.late) < 12


def test_a_stack_that_goes_on_is_looked_at_now_and_then_to_say_what_happens():
    region = Region(20, 300.0)
    region.run(290.0)
    assert 40 <= region.looks - len(region.late) <= 290 / 4 + 20
