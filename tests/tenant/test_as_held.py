"""Accounts that hold just what is desired need nobody's consent anew, which is seen without a look at each database."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aurora_tenants.mysql.grants import Grant, Scope
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.state import Database, State
from aurora_tenants.tenant.consent import Agreed, agreed, is_as_held

_MINE = Owner("s-shop", "")
_STACKS = ("s-shop", "s-billing")

_scopes = st.one_of(
    st.builds(Scope, st.just("DATABASE"), st.sampled_from(("shop", "billing"))),
    st.builds(
        Scope, st.just("COLUMN"), st.sampled_from(("shop", "billing")), st.just("t"), st.sampled_from(("a", "A", "İ"))
    ),
    st.just(Scope("ROLE", "%", "reader")),
)
_grants = st.frozensets(st.builds(Grant, st.just(Account("shop")), _scopes, st.just("SELECT")), max_size=4)
_stacks = st.frozensets(st.sampled_from(_STACKS))
_owners = st.none() | st.builds(Owner, st.sampled_from(_STACKS), st.just("Db"), released=st.booleans())
_databases = st.dictionaries(
    st.sampled_from(("shop", "billing")),
    st.builds(Database, st.just("shop"), owner=_owners, shared_with=_stacks, withdrawn_from=_stacks),
)


@given(_grants, st.data(), _databases, _databases)
def test_what_is_held_already_is_agreed_unless_it_is_withdrawn(desired, data, live, by_then):
    held = data.draw(st.just(desired) | _grants)
    state = State(grants=desired)
    losing = {stack for database in by_then.values() for stack in database.withdrawn_from}
    if is_as_held(desired, held) and _MINE.stack not in losing:
        assert agreed(state, held, live, by_then, _MINE) == Agreed(state)
