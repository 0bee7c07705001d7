"""A place in the file is found for every grant, and it is that of the entry which asks for it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_tenants import config
from aurora_tenants.errors import InvalidFile, Location
from aurora_tenants.mysql.grants import Grant
from aurora_tenants.mysql.properties import wanted_role, wanted_user
from aurora_tenants.mysql.state import Live, Server
from aurora_tenants.stack import Template
from aurora_tenants.tenant.places import places_of
from tests.tenant.test_template import PRIVILEGES_OF_THE_FILE, USERS
from tests.values import EMPTY, planned


@settings(max_examples=300, deadline=None)
@given(USERS, st.lists(PRIVILEGES_OF_THE_FILE, max_size=2), st.booleans(), st.booleans())
def test_the_first_entry_that_asks_for_a_grant_is_its_place(
    user: dict[str, Any], privileges: list[dict[str, Any]], partial_revokes: bool, lower_case_names: bool
):
    """As the template's entries say it, read as the provider reads them, one after the other."""
    shop = {"databases": {"shop": {}}, "roles": {"r": {"privileges": privileges}}, "users": {"shop": user}}
    try:
        made = config.parse(json.dumps({"version": 1, "cluster": {"stack": "shared"}, "tenants": {"shop": shop}}), "f")
    except InvalidFile:
        return
    (tenant,) = made.tenants
    marked = [
        tuple(replace(it, where=Location("f", number, 1)) for number, it in enumerate(entry.privileges, 10 * at))
        for at, entry in enumerate(tenant.users_and_roles, 1)
    ]
    tenant = replace(
        tenant,
        users=(replace(tenant.users[0], privileges=marked[0], roles=()),),
        roles=(replace(tenant.roles[0], privileges=marked[1]),),
    )
    server = Server("9.7.4", partial_revokes, "caching_sha2_password", lower_case_names=lower_case_names)
    (plan,) = planned(tenant, live=Live(server, EMPTY.state)).tenants
    assert isinstance(plan.stack.template, Template)
    expected: dict[Grant, Location] = {}
    for account, owned in plan.desired.users.items():
        assert owned.owner
        properties = plan.stack.template.resources[owned.owner.resource]["Properties"]
        of_template = properties.get("Privileges", ())
        for listed, entry in zip(of_template, marked[owned.is_role], strict=True):
            alone = {**properties, "Privileges": [listed]}
            state = (
                wanted_role(alone, server) if owned.is_role else wanted_user(alone, "shop", server, may_reach_all=True)
            )
            for grant in state.grants:
                if grant.account == account and grant.scope.level != "ROLE":
                    expected.setdefault(grant, entry.where or Location("f", 0, 0))
    found = places_of(tenant, plan, server)
    assert {grant: where for grant, where in found.items() if isinstance(grant, Grant)} == expected
