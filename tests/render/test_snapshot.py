"""A plan that drops something says that the cluster is saved first, and how much is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aurora_tenants.model import Configuration
from aurora_tenants.mysql.state import Contents
from aurora_tenants.plan import Proposal, make_plan
from aurora_tenants.render.plan import closing_text
from aurora_tenants.render.plan_json import plan_data
from aurora_tenants.render.plan_markdown import plan_markdown
from tests.render.test_plan_schema import check
from tests.values import CLUSTER, deployed, live_after, tenant

OLD, ONE = tenant("old", on_remove="drop"), "because of database old."
FULL, EMPTY = Contents(12, 3_412_345, 1_234_567_890), Contents(0, 0, 0)


def dropping(contents: dict[str, Contents], *, saves: bool = True, on_remove: str = "drop") -> Proposal:
    """What is proposed for a file without tenants, where `old` is deployed."""
    live = live_after(OLD)
    live = live._replace(state=replace(live.state, contents=contents))
    configuration = Configuration(replace(CLUSTER, snapshot_before_drop=saves), ())
    return Proposal(make_plan(configuration, live, deployed(tenant("old", on_remove=on_remove))), live)


@pytest.mark.parametrize("contents", [{"old": FULL}, {}])
def test_a_database_with_something_in_it_has_the_cluster_saved_first(contents: dict[str, Contents]):
    """Where nobody could look how much there is, there may be something."""
    made = dropping(contents)
    sentence = f"Before anything is changed, a snapshot of the cluster is made, {ONE} AWS bills it per GB and month"
    assert sentence in closing_text(made).plain
    assert sentence in plan_markdown(made, file="tenants.yaml")
    assert plan_data(made)["snapshot"] == {"databases": ["old"]}


def test_without_the_key_or_a_table_or_a_drop_none_is_made():
    for made in (
        *(dropping({"old": FULL}, saves=False), dropping({"old": EMPTY})),
        dropping({"old": FULL}, on_remove="retain"),
    ):
        assert "snapshot" not in closing_text(made).plain + plan_markdown(made, file="tenants.yaml")
        assert plan_data(made)["snapshot"] is None


def test_a_program_is_told_the_numbers_that_text_rounds():
    for contents, told in ((FULL, (12, 3_412_345, 1_234_567_890)), (EMPTY, (0, 0, 0)), (None, (None, None, None))):
        data = plan_data(dropping({"old": contents} if contents else {}))
        check(data)
        (gone,) = data["tenants"]
        assert (gone["drops"], gone["dropped"]) == (
            ["old"],
            [{"database": "old", **dict(zip(("tables", "rows", "bytes"), told, strict=True))}],
        )
