"""Custom::Database for real: stacks deployed with the code that stands in cfn/shared.yml, and what MySQL holds then."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lambdas.world import ONCE, World, after, database, failing, fresh, ref, until

RULE = "use 1 to 64 characters of A-Z a-z 0-9 _ $ -"
NOT_A_NAME = {
    "`; DROP DATABASE mysql": "'`; DROP DATABASE mysql' cannot be the name of a database: " + RULE,
    "it's": '"it\'s" cannot be the name of a database: ' + RULE,
    "a" * 65: f"'{'a' * 65}' cannot be the name of a database: {RULE}",
    "": f"'' cannot be the name of a database: {RULE}",
    "shop%": f"'shop%' cannot be the name of a database: {RULE}",
    "nothing:1": f"'nothing:1' cannot be the name of a database: {RULE}",
    "shop\n": f"'shop\\n' cannot be the name of a database: {RULE}",
    "mysql": "mysql cannot be the name of a database: it is reserved",
    "MySQL": "MySQL cannot be the name of a database: it is reserved",
    "sys": "sys cannot be the name of a database: it is reserved",
    "information_schema": "information_schema cannot be the name of a database: it is reserved",
    "aurora_tenants": "aurora_tenants cannot be the name of a database: it is reserved",
}


# What it makes


def test_database_is_made_and_says_its_name_and_its_server(world: World) -> None:
    stack, name = fresh("stack"), fresh("shop_dev$")
    outputs = {"Name": ref("Shop"), "Server": {"Fn::GetAtt": ["Shop", "Server"]}}
    ended = world.deploy(stack, {"Shop": database(name)}, outputs)
    server = world.cloudformation.describe_stacks(StackName="shared-global")["Stacks"][0]["Outputs"]
    arn = next(entry["OutputValue"] for entry in server if entry["OutputKey"] == "DatabaseServer")
    assert (ended.status, ended.outputs) == ("CREATE_COMPLETE", {"Name": name, "Server": arn})
    assert world.has_database(name)
    assert world.owner(name) == (stack, "Shop", 0, 0)


def test_number_is_a_name(world: World) -> None:
    stack = fresh("stack")
    assert world.deploy(stack, {"Shop": database(20250, OnRemove="drop")}).status == "CREATE_COMPLETE"
    assert world.has_database("20250")
    world.delete(stack)


def test_character_set_is_set_and_changed(world: World) -> None:
    stack, name = fresh("stack"), fresh("shop")
    query = f"SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '{name}'"
    world.deploy(stack, {"Shop": database(name, Charset="latin1")})
    assert world.sql(query) == [("latin1_swedish_ci",)]
    world.deploy(stack, {"Shop": database(name, Charset="utf8mb4", Collation="utf8mb4_bin")})
    assert world.sql(query) == [("utf8mb4_bin",)]


def test_empty_character_set_is_the_servers_own(world: World) -> None:
    """What a parameter without a value gives."""
    stack, name = fresh("stack"), fresh("shop")
    resource = database(name, Charset="", Collation="")
    assert world.deploy(stack, {"Shop": resource}).status == "CREATE_COMPLETE"
    resource["Properties"]["Revision"] = "2"
    assert world.deploy(stack, {"Shop": resource}).status == "UPDATE_COMPLETE"


def test_database_that_somebody_dropped_is_made_again(world: World) -> None:
    stack, name = fresh("stack"), fresh("shop")
    world.deploy(stack, {"Shop": database(name)})
    world.sql(f"DROP DATABASE `{name}`")
    assert world.deploy(stack, {"Shop": database(name, Revision="2")}).status == "UPDATE_COMPLETE"
    assert world.has_database(name)


# What it refuses


@pytest.mark.parametrize("name", NOT_A_NAME)
def test_name_that_cannot_be_is_refused(world: World, name: str) -> None:
    ended = world.deploy(fresh("stack"), {"Shop": database(name)})
    assert (ended.status, ended.failures) == ("ROLLBACK_COMPLETE", {"Shop": NOT_A_NAME[name]})


@pytest.mark.parametrize("name", [["a", "b"], {"a": "b"}])
def test_name_that_is_no_text_is_refused(world: World, name: Any) -> None:
    ended = world.deploy(fresh("stack"), {"Shop": database(name)})
    assert ended.failures == {"Shop": "Name must be a text, not a list or a mapping"}


def test_missing_name_is_refused(world: World) -> None:
    resource = database("")
    del resource["Properties"]["Name"]
    assert world.deploy(fresh("stack"), {"Shop": resource}).failures == {"Shop": NOT_A_NAME[""]}


@pytest.mark.parametrize("name", ["é" * 3000, "\U0001f600" * 1500, '"' * 4000, "\x01" * 3000, "x" * 9000])
def test_reason_fits_into_the_answer_whatever_it_quotes(world: World, name: str) -> None:
    """CloudFormation takes 4,096 bytes, and a character may take twelve of them in JSON."""
    ended = world.deploy(fresh("stack"), {"Shop": database(name)})
    assert ended.status == "ROLLBACK_COMPLETE"
    assert ended.failures["Shop"].startswith((f"'{name[:40]}", repr(name)[:40]))


@pytest.mark.parametrize(
    ("charset", "reason"),
    [
        ("klingon", "Unknown character set: 'klingon'"),
        ("x' COLLATE 'y", "Unknown character set: 'x' COLLATE 'y'"),
        ("utf8\\", "a literal cannot hold a backslash or a control character"),
        (["utf8mb4"], "Charset must be a text, not a list or a mapping"),
    ],
)
def test_character_set_that_cannot_be_is_refused(world: World, charset: Any, reason: str) -> None:
    name = fresh("shop")
    ended = world.deploy(fresh("stack"), {"Shop": database(name, Charset=charset)})
    assert (ended.status, ended.failures) == ("ROLLBACK_COMPLETE", {"Shop": reason})
    assert (world.has_database(name), world.owner(name)) == (False, None)


def test_resource_type_of_somebody_else_is_refused(world: World) -> None:
    resource = {**database("shop"), "Type": "Custom::Queue"}
    ended = world.deploy(fresh("stack"), {"Queue": resource})
    reason = "this function handles Custom::Database, Custom::DatabaseUser, Custom::DatabaseRole, not Custom::Queue"
    assert (ended.status, ended.failures) == ("ROLLBACK_COMPLETE", {"Queue": reason})


# What existed before


def test_existing_database_is_refused_and_survives_the_rollback(world: World) -> None:
    """CloudFormation deletes what it failed to create: an id with the database's name would drop it."""
    name = fresh("precious")
    world.make_database(name)
    ended = world.deploy(fresh("stack"), {"Shop": database(name, OnRemove="drop", AllowDrop=name)})
    reason = f"database {name} exists already and belongs to nobody; set adopt: true to take it over as it is"
    assert (ended.status, ended.failures) == ("ROLLBACK_COMPLETE", {"Shop": reason})
    assert (world.rows(name), world.owner(name)) == (2, None)


def test_database_of_another_stack_is_refused_with_its_owner(world: World) -> None:
    stack, name = fresh("stack"), fresh("shop")
    world.deploy(stack, {"Shop": database(name)})
    for adopt in (False, True):
        ended = world.deploy(fresh("stack"), {"Shop": database(name, OnRemove="drop", Adopt=adopt)})
        assert ended.failures == {"Shop": f"database {name} belongs to stack {stack}, resource Shop"}
    assert (world.has_database(name), world.owner(name)) == (True, (stack, "Shop", 0, 0))


def test_adopted_database_keeps_its_data_and_is_never_dropped(world: World) -> None:
    stack, name = fresh("stack"), fresh("legacy")
    world.make_database(name)
    resource = database(name, Adopt=True, OnRemove="drop", AllowDrop=name)
    assert world.deploy(stack, {"Shop": resource}).status == "CREATE_COMPLETE"
    assert world.owner(name) == (stack, "Shop", 1, 0)
    assert world.delete(stack).status == "DELETE_COMPLETE"
    assert (world.rows(name), world.owner(name)) == (2, (stack, "Shop", 1, 1))


def test_adopted_database_stays_adopted_when_it_comes_back(world: World) -> None:
    stack, name = fresh("stack"), fresh("legacy")
    world.make_database(name)
    world.deploy(stack, {"Shop": database(name, Adopt=True)})
    world.delete(stack)
    world.deploy(stack, {"Shop": database(name, OnRemove="drop", Adopt=True)})
    world.deploy(stack, {"Shop": database(name, OnRemove="drop", AllowDrop=name)})
    assert world.delete(stack).status == "DELETE_COMPLETE"
    assert world.rows(name) == 2


def test_failed_adoption_leaves_nothing_behind(world: World) -> None:
    """Or nobody else could ever adopt it: the stack that failed is gone, and never lets go of anything."""
    name = fresh("legacy")
    world.make_database(name)
    ended = world.deploy(fresh("stack"), {"Shop": database(name, Adopt=True, Charset="klingon")})
    assert ended.failures == {"Shop": "Unknown character set: 'klingon'"}
    assert (world.rows(name), world.owner(name)) == (2, None)


def test_resource_goes_on_with_a_database_that_lost_its_entry(world: World) -> None:
    """Refused, it would refuse the rollback to its old properties too, and the stack would be stuck."""
    stack, name = fresh("stack"), fresh("shop")
    world.deploy(stack, {"Shop": database(name)})
    world.make_table(name)
    world.sql(f"DELETE FROM aurora_tenants.`databases` WHERE name = '{name}'")
    assert world.deploy(stack, {"Shop": database(name, OnRemove="drop")}).status == "UPDATE_COMPLETE"
    assert world.owner(name) == (stack, "Shop", 1, 0)
    world.delete(stack)
    assert world.rows(name) == 2


# What stays of it


def test_removed_database_is_kept_and_let_go_of(world: World) -> None:
    stack, name = fresh("stack"), fresh("shop")
    world.deploy(stack, {"Shop": database(name)})
    assert world.delete(stack).status == "DELETE_COMPLETE"
    assert (world.has_database(name), world.owner(name)) == (True, (stack, "Shop", 0, 1))


def test_empty_database_is_dropped_when_its_removal_says_so(world: World) -> None:
    stack, name = fresh("stack"), fresh("shop")
    world.deploy(stack, {"Shop": database(name, OnRemove="drop")})
    assert world.delete(stack).status == "DELETE_COMPLETE"
    assert (world.has_database(name), world.owner(name)) == (False, None)


@pytest.mark.parametrize(
    "content",
    [
        "CREATE TABLE t (id INT)",
        "CREATE VIEW v AS SELECT 1 AS one",
        "CREATE PROCEDURE p() SELECT 1",
        "CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1",
        "CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DO SELECT 1",
    ],
)
def test_database_that_holds_anything_is_kept(world: World, content: str) -> None:
    stack, name = fresh("stack"), fresh("shop")
    world.deploy(stack, {"Shop": database(name, OnRemove="drop")})
    world.sql(f"USE `{name}`", content)
    assert world.delete(stack).status == "DELETE_COMPLETE"
    assert (world.has_database(name), world.owner(name)) == (True, (stack, "Shop", 0, 1))


def test_full_database_is_dropped_when_its_name_was_said(world: World) -> None:
    stack, name = fresh("stack"), fresh("shop")
    world.deploy(stack, {"Shop": database(name, OnRemove="drop")})
    world.make_table(name)
    world.deploy(stack, {"Shop": database(name, OnRemove="drop", AllowDrop=name)})
    assert world.delete(stack).status == "DELETE_COMPLETE"
    assert (world.has_database(name), world.owner(name)) == (False, None)


@pytest.mark.parametrize("allowed", ["shop", "true", "*", ""])
def test_full_database_is_kept_when_another_name_was_said(world: World, allowed: str) -> None:
    stack, name = fresh("stack"), fresh("shop")
    world.deploy(stack, {"Shop": database(name, OnRemove="drop", AllowDrop=allowed)})
    world.make_table(name)
    world.delete(stack)
    assert world.rows(name) == 2


def test_name_alone_allows_no_drop(world: World) -> None:
    stack, name = fresh("stack"), fresh("shop")
    world.deploy(stack, {"Shop": database(name, AllowDrop=name)})
    world.delete(stack)
    assert world.has_database(name)


@pytest.mark.parametrize("now", ["of another stack", "of nobody", "of another resource"])
def test_database_that_is_no_longer_its_own_is_left_alone(world: World, now: str) -> None:
    stack, name = fresh("stack"), fresh("shop")
    world.deploy(stack, {"Shop": database(name, OnRemove="drop", AllowDrop=name)})
    change = {
        "of another stack": "UPDATE aurora_tenants.`databases` SET stack = 'other'",
        "of nobody": "DELETE FROM aurora_tenants.`databases`",
        "of another resource": "UPDATE aurora_tenants.`databases` SET resource = 'Other'",
    }
    world.sql(f"{change[now]} WHERE name = '{name}'")
    owner = world.owner(name)
    assert world.delete(stack).status == "DELETE_COMPLETE"
    assert (world.has_database(name), world.owner(name)) == (True, owner)


def test_kept_database_comes_back_to_its_stack(world: World) -> None:
    stack, name = fresh("stack"), fresh("shop")
    world.deploy(stack, {"Shop": database(name), "Other": database(fresh("other"))})
    world.make_table(name)
    world.deploy(stack, {"Other": database(fresh("other"))})
    assert world.owner(name) == (stack, "Shop", 0, 1)
    assert world.deploy(stack, {"Store": database(name)}).status == "UPDATE_COMPLETE"
    assert (world.rows(name), world.owner(name)) == (2, (stack, "Store", 0, 0))


def test_another_stack_of_the_same_name_has_to_adopt_a_kept_database(world: World) -> None:
    """Whoever may deploy stacks can choose a name that somebody else has had."""
    stack, name = fresh("stack"), fresh("shop")
    world.deploy(stack, {"Shop": database(name)})
    world.make_table(name)
    world.delete(stack)
    reason = f"database {name} was kept when stack {stack}, resource Shop let go of it; "
    ended = world.deploy(stack, {"Shop": database(name)})
    assert ended.failures == {"Shop": reason + "set adopt: true to take it over as it is"}
    world.delete(stack)
    world.deploy(stack, {"Shop": database(name, Adopt=True)})
    world.deploy(stack, {"Shop": database(name, OnRemove="drop", AllowDrop=name)})
    world.delete(stack)
    assert (world.rows(name), world.owner(name)) == (2, (stack, "Shop", 1, 1))


def test_what_an_earlier_stack_did_not_give_up_has_to_be_adopted(world: World) -> None:
    """With DeletionPolicy: Retain a stack is deleted without a word to the provider."""
    stack, name = fresh("stack"), fresh("shop")
    world.deploy(stack, {"Shop": {**database(name), "DeletionPolicy": "Retain"}})
    world.make_table(name)
    world.delete(stack)
    assert world.owner(name) == (stack, "Shop", 0, 0)
    ended = world.deploy(stack, {"Shop": database(name)})
    reason = f"database {name} belongs to an earlier stack {stack}, which did not give it up; "
    assert ended.failures == {"Shop": reason + "set adopt: true to take it over as it is"}
    world.delete(stack)
    assert world.deploy(stack, {"Shop": database(name, Adopt=True, OnRemove="drop")}).status == "CREATE_COMPLETE"
    assert (world.rows(name), world.owner(name)) == (2, (stack, "Shop", 1, 0))


def test_another_stack_has_to_adopt_a_kept_database(world: World) -> None:
    stack, other, name = fresh("stack"), fresh("stack"), fresh("shop")
    world.deploy(stack, {"Shop": database(name)})
    world.make_table(name)
    world.delete(stack)
    ended = world.deploy(fresh("stack"), {"Shop": database(name)})
    reason = f"database {name} was kept when stack {stack}, resource Shop let go of it; "
    assert ended.failures == {"Shop": reason + "set adopt: true to take it over as it is"}
    assert world.deploy(other, {"Shop": database(name, Adopt=True)}).status == "CREATE_COMPLETE"
    assert (world.rows(name), world.owner(name)) == (2, (other, "Shop", 1, 0))


def test_kept_database_is_not_dropped_by_the_rollback_of_its_return(world: World) -> None:
    """A leave to drop that stands in a template from the start would hold for what the failed stack never made."""
    stack, name = fresh("stack"), fresh("shop")
    world.deploy(stack, {"Shop": database(name)})
    world.make_table(name)
    world.delete(stack)
    resources = {"Shop": database(name, OnRemove="drop", AllowDrop=name), "Bad": failing("Shop")}
    assert world.deploy(stack, resources).status == "ROLLBACK_COMPLETE"
    assert world.rows(name) == 2


def test_entry_of_a_database_that_is_gone_goes_with_its_resource(world: World) -> None:
    """Or a database of that name that somebody makes by hand would be taken for the stack's own."""
    stack, name = fresh("stack"), fresh("shop")
    world.deploy(stack, {"Shop": database(name)})
    world.sql(f"DROP DATABASE `{name}`")
    assert world.delete(stack).status == "DELETE_COMPLETE"
    assert world.owner(name) is None


# Another name


def test_rename_makes_the_new_database_and_keeps_the_old(world: World) -> None:
    stack, old, new = fresh("stack"), fresh("shop"), fresh("shop")
    world.deploy(stack, {"Shop": database(old, OnRemove="drop")})
    world.make_table(old)
    ended = world.deploy(stack, {"Shop": database(new, OnRemove="drop")}, {"Name": ref("Shop")})
    assert (ended.status, ended.outputs) == ("UPDATE_COMPLETE", {"Name": new})
    assert (world.rows(old), world.owner(old)) == (2, (stack, "Shop", 0, 1))
    assert (world.has_database(new), world.owner(new)) == (True, (stack, "Shop", 0, 0))


def test_rename_drops_an_empty_old_database_when_its_removal_says_so(world: World) -> None:
    stack, old, new = fresh("stack"), fresh("shop"), fresh("shop")
    world.deploy(stack, {"Shop": database(old, OnRemove="drop")})
    assert world.deploy(stack, {"Shop": database(new)}).status == "UPDATE_COMPLETE"
    assert (world.has_database(old), world.has_database(new)) == (False, True)


def test_rename_there_and_back_ends_with_all_data(world: World) -> None:
    stack, old, new = fresh("stack"), fresh("shop"), fresh("shop")
    world.deploy(stack, {"Shop": database(old)})
    world.make_table(old)
    world.deploy(stack, {"Shop": database(new)})
    assert world.deploy(stack, {"Shop": database(old)}).status == "UPDATE_COMPLETE"
    assert (world.rows(old), world.owner(old)) == (2, (stack, "Shop", 0, 0))


def test_move_to_another_resource_needs_adopt_and_is_never_dropped(either_world: World) -> None:
    """The rollback of such a move deletes the new resource, while the old one goes on without an event."""
    world = either_world
    stack, name = fresh("stack"), fresh("shop")
    world.deploy(stack, {"Shop": database(name)})
    world.make_table(name)
    moved = database(name, OnRemove="drop", AllowDrop=name)
    ended = world.deploy(stack, {"Store": moved})
    assert ended.failures == {"Store": f"database {name} belongs to stack {stack}, resource Shop"}
    moved["Properties"]["Adopt"] = True
    assert world.deploy(stack, {"Store": moved, "Bad": failing("Store")}).status == "UPDATE_ROLLBACK_COMPLETE"
    assert world.rows(name) == 2
    assert world.deploy(stack, {"Store": moved}).status == "UPDATE_COMPLETE"
    assert (world.rows(name), world.owner(name)[:2]) == (2, (stack, "Store"))


# Events that come twice, late or into a crash


def test_every_event_may_come_twice(world: World) -> None:
    stack, first, second = fresh("stack"), fresh("shop"), fresh("shop")
    world.fault("twice")
    try:
        assert world.deploy(stack, {"Shop": database(first)}).status == "CREATE_COMPLETE"
        assert world.deploy(stack, {"Shop": database(second, OnRemove="drop")}).status == "UPDATE_COMPLETE"
        assert world.delete(stack).status == "DELETE_COMPLETE"
    finally:
        world.fault(None)
    assert (world.owner(first), world.has_database(second)) == ((stack, "Shop", 0, 1), False)


def test_crash_is_repeated_by_lambda(world: World) -> None:
    stack, name, crashes = fresh("stack"), fresh("shop"), world.log().count("Runtime exited")
    world.fault("crash")
    try:
        world.begin(stack, {"Shop": database(name)})
        until(lambda: world.log().count("Runtime exited") > crashes)
    finally:
        world.fault(None)
    assert world.ended(stack).status == "CREATE_COMPLETE"
    assert world.owner(name) == (stack, "Shop", 0, 0)


def test_create_goes_on_where_one_before_it_died(world: World) -> None:
    stack, name = fresh("stack"), fresh("shop")
    world.record(name, stack, "Shop")
    assert world.deploy(stack, {"Shop": database(name)}).status == "CREATE_COMPLETE"
    assert (world.has_database(name), world.owner(name)) == (True, (stack, "Shop", 0, 0))


def test_create_goes_on_after_one_whose_answer_was_lost(world: World) -> None:
    stack, name = fresh("stack"), fresh("shop")
    world.record(name, stack, "Shop")
    world.make_database(name)
    assert world.deploy(stack, {"Shop": database(name)}).status == "CREATE_COMPLETE"
    assert (world.rows(name), world.owner(name)) == (2, (stack, "Shop", 0, 0))


def test_of_two_stacks_that_ask_at_once_one_has_the_database(world: World) -> None:
    for _ in range(3):
        name, stacks = fresh("shop"), [fresh("stack") for _ in range(3)]
        for stack in stacks:
            world.begin(stack, {"Shop": database(name)})
        ended = {stack: world.ended(stack) for stack in stacks}
        (winner,) = [stack for stack in stacks if ended[stack].status == "CREATE_COMPLETE"]
        reason = f"database {name} belongs to stack {winner}, resource Shop"
        assert [each.failures for each in ended.values() if each.failures] == [{"Shop": reason}] * 2
        assert world.owner(name) == (winner, "Shop", 0, 0)


def test_name_that_stood_twice_in_a_template_can_be_used_again(world: World) -> None:
    """Of two resources of one stack that ask at the same time either may have it, and both may be told so."""
    stack, name = fresh("stack"), fresh("shop")
    world.deploy(stack, {"Shop": database(name), "Store": database(name)})
    assert world.delete(stack).status == "DELETE_COMPLETE"
    assert world.deploy(stack, {"Store": database(name)}).status == "CREATE_COMPLETE"
    assert world.owner(name) == (stack, "Store", 0, 0)


def test_kept_database_that_somebody_dropped_is_made_anew(world: World) -> None:
    stack, name = fresh("stack"), fresh("shop")
    world.deploy(stack, {"Shop": database(name)})
    world.delete(stack)
    world.sql(f"DROP DATABASE `{name}`")
    stack = fresh("stack")
    assert world.deploy(stack, {"Shop": database(name, AllowDrop=name)}).status == "CREATE_COMPLETE"
    assert (world.has_database(name), world.owner(name)) == (True, (stack, "Shop", 0, 0))


def test_database_that_another_stack_is_about_to_make_is_refused(world: World) -> None:
    """Its entry comes first, so that of two stacks that ask at the same time one has it."""
    name = fresh("shop")
    world.record(name, "other", "Shop")
    ended = world.deploy(fresh("stack"), {"Shop": database(name)})
    assert ended.failures == {"Shop": f"database {name} belongs to stack other, resource Shop"}
    assert (world.has_database(name), world.owner(name)) == (False, ("other", "Shop", 0, 0))


@ONCE
def test_log_tells_events_apart_and_nothing_else(world: World) -> None:
    stack, since = fresh("stack"), len(world.log())
    world.deploy(stack, {"Shop": database(fresh("shop"))})
    stack_id = world.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
    assert world.log()[since:] == f"Create Custom::Database Shop of {stack_id}\n"


@ONCE
def test_function_that_hangs_ends_in_a_failure_that_says_so(world: World) -> None:
    stack, name = fresh("stack"), fresh("shop")
    world.fault("hang")
    try:
        ended = world.deploy(stack, {"Shop": database(name, ServiceTimeout=60)})
    finally:
        world.fault(None)
    assert ended.status == "ROLLBACK_FAILED"
    assert ended.failures["Shop"].startswith("CloudFormation did not receive a response from your Custom Resource.")
    assert world.delete(stack).status == "DELETE_COMPLETE"


def test_databases_of_one_stack_may_be_made_one_after_another(world: World) -> None:
    names = [fresh("shop") for _ in range(5)]
    resources = {"D0": database(names[0])}
    resources |= {f"D{i}": after(database(names[i]), f"D{i - 1}") for i in range(1, 5)}
    assert world.deploy(fresh("stack"), resources).status == "CREATE_COMPLETE"
    assert all(world.has_database(name) for name in names)
