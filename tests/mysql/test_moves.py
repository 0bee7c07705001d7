"""What moves to another stack, or gets another name, in the rules that the provider and a plan share. Pure."""

from __future__ import annotations

import pytest

from aurora_tenants.mysql.changes import moves
from aurora_tenants.mysql.consent import consented, leftovers
from aurora_tenants.mysql.grants import Grant, Scope
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.one_name import check_name
from aurora_tenants.mysql.options import Options
from aurora_tenants.mysql.owners import Owner, claim, let_go, offered, received
from aurora_tenants.mysql.properties import other_stack
from aurora_tenants.mysql.resource import changes_of_all, is_new_to
from aurora_tenants.mysql.state import Database, Server, State, User

SERVER = Server("9.7.4", True, "caching_sha2_password")
GIVER = Owner("g", "DatabaseShop", stack_id="1")
RECEIVER = Owner("r", "DatabaseStore", stack_id="2")
THIRD = Owner("t", "DatabaseShop", stack_id="3")
OFFER = offered(GIVER, "r")
NEVER = "shop belongs to stack g, which offers it to stack r"


def test_an_offer_names_both_stacks_and_is_still_of_the_very_stack_that_makes_it():
    assert (OFFER.stack, OFFER.resource, OFFER.released, OFFER.giver) == ("r", "g/DatabaseShop", True, "g")
    assert (OFFER.is_of(GIVER), OFFER.is_of(RECEIVER)) == (True, False)
    assert not OFFER.is_of(GIVER._replace(stack_id="9"))
    assert (GIVER.giver, GIVER._replace(released=True).giver) == ("", "")


@pytest.mark.parametrize("adopted", [False, True])
@pytest.mark.parametrize(
    ("owner", "moved_from"),
    [
        (RECEIVER, "g"),
        (RECEIVER._replace(stack_id="made again"), "g"),
        (GIVER, ""),
        (GIVER, "x"),
    ],
)
def test_what_is_offered_becomes_the_receivers_or_the_givers_again_as_it_was(
    owner: Owner, moved_from: str, adopted: bool
):
    offer = offered(GIVER._replace(adopted=adopted, secret="s"), "r")
    taken = claim("shop", offer, owner, adopt=False, moved_from=moved_from)
    assert taken == owner._replace(adopted=adopted, secret="s", stack_id="")


@pytest.mark.parametrize(
    ("known", "owner", "moved_from", "adopt", "sentence"),
    [
        (OFFER, RECEIVER, "", False, f"{NEVER}; MovedFrom: g takes it over (moved_from in tenants.yaml)"),
        (OFFER, RECEIVER, "t", False, f"{NEVER}; MovedFrom: g takes it over (moved_from in tenants.yaml)"),
        (OFFER, THIRD, "g", False, NEVER),
        (OFFER, THIRD, "g", True, NEVER),
        (OFFER, GIVER._replace(resource="DatabaseOther"), "", False, NEVER),
        (OFFER, GIVER._replace(stack_id="made again"), "", False, NEVER),
        (GIVER, RECEIVER, "g", False, "shop belongs to stack g, which does not give it up"),
        (GIVER, RECEIVER, "g", True, "shop belongs to stack g, which does not give it up"),
        (GIVER, RECEIVER, "t", False, "shop belongs to stack g, resource DatabaseShop"),
        (
            None,
            RECEIVER,
            "g",
            False,
            "shop exists already and belongs to nobody; set adopt: true to take it over as it is",
        ),
        (
            GIVER._replace(released=True),
            RECEIVER,
            "g",
            False,
            "shop was kept when stack g, resource DatabaseShop let go of it; set adopt: true to take it over as it is",
        ),
        (
            offered(GIVER._replace(secret="s"), "r"),
            RECEIVER._replace(secret="other"),
            "g",
            False,
            "shop was created from secret s; another secret needs another user name",
        ),
    ],
)
def test_nobody_else_takes_it(known: Owner | None, owner: Owner, moved_from: str, adopt: bool, sentence: str):
    with pytest.raises(ValueError) as refused:
        claim("shop", known, owner, adopt=adopt, moved_from=moved_from)
    assert str(refused.value) == sentence


@pytest.mark.parametrize("owner", [RECEIVER, GIVER._replace(stack_id="made again")])
def test_what_is_adopted_in_spite_of_an_offer_is_never_dropped(owner: Owner):
    assert claim("shop", OFFER, owner, adopt=True) == owner._replace(adopted=True)


def test_after_the_move_moved_from_means_nothing():
    assert claim("shop", RECEIVER, RECEIVER, adopt=False, moved_from="g") == RECEIVER


def test_what_a_rollback_deletes_can_be_taken_again_and_not_by_a_new_stack_of_the_givers_name():
    again = let_go(claim("shop", OFFER, RECEIVER, adopt=False, moved_from="g")._replace(stack_id="2"), "g")
    for stack_id in ("2", "made again"):
        receiver = RECEIVER._replace(stack_id=stack_id)
        assert claim("shop", again, receiver, adopt=False, moved_from="g") == RECEIVER._replace(stack_id="")
    with pytest.raises(ValueError, match=NEVER):
        claim("shop", again, GIVER._replace(resource=RECEIVER.resource), adopt=False)
    back = let_go(RECEIVER._replace(stack_id="2"), f"g/{GIVER.stack_id}")
    assert claim("shop", back, GIVER._replace(resource=RECEIVER.resource), adopt=False).stack == "g"
    with pytest.raises(ValueError, match=NEVER):
        claim("shop", back, GIVER._replace(resource=RECEIVER.resource, stack_id="made again"), adopt=False)
    assert let_go(GIVER) == GIVER._replace(released=True)


def test_a_user_that_moves_is_new_to_no_secret_of_its_own():
    known = offered(GIVER._replace(secret="s"), "r")
    assert not is_new_to(RECEIVER._replace(secret="s"), known)
    assert is_new_to(RECEIVER._replace(secret="other"), known)
    assert is_new_to(RECEIVER._replace(secret="s"), GIVER._replace(secret="s", released=True))


@pytest.mark.parametrize("stack", ["own", "a/b", "a'b", "9a", "a" * 129, "a b", "a\\"])
def test_only_the_name_of_another_stack_can_be_given_to_or_taken_from(stack: str):
    with pytest.raises(ValueError, match="MovedTo must be the name of another stack"):
        other_stack({"MovedTo": stack}, "MovedTo", "own")
    assert (other_stack({}, "MovedTo", "own"), other_stack({"MovedTo": "g-1"}, "MovedTo", "own")) == ("", "g-1")


# Names of users


def named(entry: Owner | None, mine: Owner, moved_from: str = "", *, adopts: bool = False) -> str:
    """What is said to a stack that makes an account beside one of the same name with this entry; empty for nothing."""
    known = {Account("shop"): received(entry, mine, moved_from)}
    try:
        check_name({Account("shop", "10.%")}, known, mine, lambda _: adopts)
    except ValueError as error:
        return str(error)
    return ""


def test_a_name_that_is_offered_is_the_receivers_alone_who_asks_for_it():
    user = offered(GIVER._replace(resource="UserShop"), "r")
    mine = RECEIVER._replace(resource="UserShop")
    said = "user shop belongs to stack g, which offers it to stack r, and a name to one stack; choose another name"
    assert named(user, mine, "g") == ""
    assert named(user, GIVER._replace(resource="UserShop")) == ""  # it takes it back
    assert named(user, GIVER._replace(resource="UserOther"), adopts=True) == said
    assert named(user, THIRD, "g", adopts=True) == said
    assert named(user, mine).startswith("there is a user shop already, which was made by stack g, which offers it")


# Databases

SELECT = Grant(Account("app"), Scope("DATABASE", "shop"), "SELECT")


@pytest.mark.parametrize(
    ("owner", "shared_with", "mine", "may_use"),
    [
        (OFFER, (), GIVER, True),
        (OFFER, (), RECEIVER, False),
        (OFFER._replace(stack_id=""), (), RECEIVER, False),
        (OFFER, ("t",), THIRD, True),
        (OFFER, (), THIRD, False),
        (OFFER, (), GIVER._replace(stack_id="made again"), False),
        (RECEIVER, (), GIVER, False),
        (RECEIVER, ("g",), GIVER, True),
    ],
)
def test_until_a_database_is_taken_it_is_used_as_before(
    owner: Owner, shared_with: tuple[str, ...], mine: Owner, may_use: bool
):
    database = Database("shop", owner=owner, shared_with=frozenset(shared_with))
    consent = consented({SELECT}, (), {"shop": database}, mine)
    assert consent.grants == ({SELECT} if may_use else frozenset())
    if not may_use and owner.giver:
        assert consent.refused == (f"nothing can be granted on database shop: it belongs to {owner}",)


def test_with_a_database_come_the_accounts_that_its_giver_offers_and_no_others():
    owners = {
        "along@%": offered(Owner("g", "UserAlong"), "r"),
        "stays@%": Owner("g", "UserStays"),
        "elsewhere@%": offered(Owner("g", "UserElsewhere"), "t"),
        "planted@%": offered(Owner("evil", "UserPlanted"), "r"),
        "shared@%": Owner("s", "UserShared"),
        "hidden@%": offered(Owner("evil", "UserHidden"), "s"),
        "own@%": Owner("r", "UserOwn"),
    }
    grants = {SELECT._replace(account=Account(entry.partition("@")[0])) for entry in owners}
    found = leftovers("shop", grants, owners, {"s"}, RECEIVER, "g")
    assert {grant.account.user for grant in found} == {"stays", "elsewhere", "planted", "hidden"}
    back = leftovers("shop", grants, owners, {"s"}, GIVER)
    assert {grant.account.user for grant in back} == {"planted", "hidden", "own"}


# Renames


def state(*accounts: Account, owner: Owner | None) -> State:
    users = {it: User(it, owner, Options(plugin="caching_sha2_password")) for it in accounts}
    return State(users=users, grants=frozenset(SELECT._replace(account=it) for it in accounts))


USER = Owner("g", "UserOld", "secret")


def test_accounts_of_a_resource_with_another_name_are_renamed_and_nothing_else_happens():
    old, new = ([Account(name, host) for host in ("%", "10.%")] for name in ("old", "new"))
    todo = changes_of_all(state(*new, owner=USER), state(*old, owner=USER), server=SERVER)
    assert [change.statement for change in todo if change.action != "record"] == [
        "RENAME USER `old`@`%` TO `new`@`%`",
        "RENAME USER `old`@`10.%` TO `new`@`10.%`",
    ]
    assert {change.subject for change in todo} == {"user new", "user new@10.%"}
    records = [change.statement for change in todo if change.action == "record"]
    assert [statement.split(" ")[0] for statement in records] == ["REPLACE", "REPLACE", "DELETE", "DELETE"]


def test_hosts_stay_with_their_accounts_whatever_else_changes():
    old, new = [Account("old", host) for host in ("a", "b", "c")], [Account("new", host) for host in ("b", "c", "d")]
    expected = {Account("new", "b"): old[1], Account("new", "c"): old[2], Account("new", "d"): old[0]}
    assert moves(state(*new, owner=USER), state(*old, owner=USER)) == expected
    half = [Account("new", "b"), *old[:1], *old[2:]]
    del expected[Account("new", "b")]
    assert moves(state(*new, owner=USER), state(*half, owner=USER)) == expected


def test_no_account_of_another_resource_is_renamed():
    for owner in (None, Owner("g", "UserOther"), Owner("r", "UserOld"), USER._replace(released=True)):
        assert moves(state(Account("new"), owner=USER), state(Account("old"), owner=owner)) == {}
