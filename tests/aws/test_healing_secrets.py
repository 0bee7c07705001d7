"""What is said where a secret cannot be made again."""

from __future__ import annotations

from typing import Any

import pytest

from aurora_tenants.aws import changesets, stacks
from aurora_tenants.aws.healing_secrets import Healer
from aurora_tenants.errors import AwsError, Problem
from aurora_tenants.stack import Stack, StackPlan
from aurora_tenants.tenant.secrets import SecretDrift
from aurora_tenants.tenant.template import template
from tests.values import CLUSTER, SHOP, SHOP_STACK

GONE = SecretDrift("shop", "/shared/database/shop", "", ("remake",))


@pytest.mark.parametrize(
    ("own_fix", "fix"),
    [
        ("", "take shop out of the file, apply, and put back: the user and its secret are then made anew"),
        ("allow cloudformation:CreateChangeSet", "allow cloudformation:CreateChangeSet"),
    ],
)
def test_a_refused_change_set_says_what_to_do(monkeypatch: pytest.MonkeyPatch, own_fix: str, fix: str):
    """The sandbox takes every drift-aware change set, so the refusal is made up here."""

    def refuse(*_: Any, **options: Any) -> None:
        assert options == {"reverts_drift": True}
        raise AwsError(Problem("aws-refused", "could not deploy stack shared-shop: no", fix=own_fix))

    monkeypatch.setattr(stacks, "read_stack", lambda *_: Stack(SHOP_STACK, "UPDATE_COMPLETE"))
    monkeypatch.setattr(changesets, "make", refuse)
    aws: Any = None  # is not asked
    plan = StackPlan(SHOP_STACK, "shop", "tenant shop", "update", "drift", template(CLUSTER, SHOP))
    healer = Healer(aws, CLUSTER, "", {SHOP_STACK: (GONE,)})
    with pytest.raises(AwsError) as caught:
        healer.deploy(None, plan, tell=lambda event: None)
    (problem,) = caught.value.problems
    assert (problem.what, problem.fix) == ("could not deploy stack shared-shop: no", fix)
    assert "a drift-aware change set (DeploymentMode REVERT_DRIFT), which was refused" in problem.why
