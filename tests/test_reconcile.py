"""The loop as its operator meets it: what is shown, asked and told, and in which order. In the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from aurora_tenants.apply import Step
from aurora_tenants.errors import Refused
from aurora_tenants.plan import Proposal
from aurora_tenants.propose import Request, preview
from aurora_tenants.reconcile import Outcome, reconcile
from aurora_tenants.rollout import PlannedGroup
from aurora_tenants.safety import Allowed
from aurora_tenants.tenant.busy import Waiting
from tests.cloud import Cloud
from tests.endpoint import set_environment
from tests.quick import look_often

HEAD = "version: 1\ncluster: {stack: shared-global}\ntenants:"
SHOP = f"{HEAD}\n  shop: {{databases: {{shop: {{on_remove: drop}}}}, users: {{shop: }}}}\n"
OTHER = f"{HEAD}\n  other: {{databases: {{other: }}}}\n"
DONE = ["show", "confirm", "watch", "ended shop", "watched"]


class Recorder:
    """An operator that writes down what it meets. fails_at: where it gives up."""

    def __init__(self, *, fails_at: str = "") -> None:
        self.met: list[str] = []
        self._fails_at = fails_at

    def show(self, proposal: Proposal) -> None:
        self._meet("show")

    def confirm(self, proposal: Proposal) -> None:
        self._meet("confirm")

    @contextmanager
    def watching(self, proposal: Proposal) -> Iterator[Callable[[Step], None]]:
        self._meet("watch")
        yield lambda step: self.met.append(f"ended {step.stack.part}") if step.result else None
        self._meet("watched")

    @contextmanager
    def waiting(self, those: Sequence[Waiting]) -> Iterator[Callable[[Mapping[str, str]], None]]:
        self._meet(f"wait for {', '.join(each.name for each in those)}")
        yield lambda busy: None

    def goes_on(self, group: PlannedGroup, had_changes: bool) -> bool:
        self._meet(f"goes on after {group.name}")
        return True

    def _meet(self, what: str) -> None:
        self.met.append(what)
        if what == self._fails_at:
            raise KeyboardInterrupt


@pytest.fixture
def file(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    set_environment(monkeypatch, cloud.environment)
    look_often(monkeypatch)
    yield tmp_path / "tenants.yaml"
    cloud.clean()


def run(file: Path, text: str, operator: Recorder, **more: object) -> Outcome:
    file.write_text(text)
    return reconcile(Request(file, **more), operator)


def test_what_is_shown_is_confirmed_deployed_and_found_there_afterwards(file: Path, cloud: Cloud):
    operator = Recorder()
    outcome = run(file, SHOP, operator)
    assert (operator.met, outcome.problems, outcome.left) == (DONE, (), None)
    assert [result.stack.part for result in outcome.results] == ["shop"]
    assert preview(Request(file)).plan.stacks == ()


def test_nobody_is_asked_when_nothing_is_to_be_done(file: Path):
    run(file, SHOP, Recorder())
    operator = Recorder()
    outcome = run(file, SHOP, operator)
    assert (operator.met, outcome.results, outcome.problems) == (["show"], (), ())


def test_what_is_refused_is_shown_first_and_asked_of_nobody(file: Path, cloud: Cloud):
    """A database that would be dropped without its flag."""
    run(file, SHOP, Recorder())
    without = SHOP.replace("databases: {shop: {on_remove: drop}}, ", "")
    operator = Recorder()
    with pytest.raises(Refused) as caught:
        run(file, without, operator)
    assert (operator.met, [problem.code for problem in caught.value.problems]) == (["show"], ["drops-database"])
    assert ("shop",) in cloud.sql("SHOW DATABASES")


def test_nothing_begins_before_the_operator_watches(file: Path, cloud: Cloud):
    for at in ("show", "confirm", "watch"):
        with pytest.raises(KeyboardInterrupt):
            run(file, SHOP, Recorder(fails_at=at))
        assert cloud.stacks() == {}


def test_a_tenant_that_was_removed_by_name_is_not_looked_for_afterwards(file: Path, cloud: Cloud):
    run(file, SHOP, Recorder())
    run(file, OTHER, Recorder(), only=("other",))
    outcome = run(file, OTHER, Recorder(), only=("shop",), allowed=Allowed(drops=("shop",)))
    assert (outcome.problems, cloud.stacks()) == ((), {"shared-global-other": "CREATE_COMPLETE"})
