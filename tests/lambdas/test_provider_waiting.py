"""Grants with WhenMissing: skip: what is not there yet fails nothing, and everything else is granted as always."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lambdas.world import World, fresh, on, role, user


@pytest.fixture
def shop(world: World) -> str:
    """A database with a table `t`, which has the column `id` alone."""
    world.make_database(name := fresh("shop"))
    return name


def later(name: str, permission: Any, **what: Any) -> dict[str, Any]:
    return {"Permission": permission, "Database": name, "WhenMissing": "skip", **what}


REFUSED = {"Refused": {"Fn::GetAtt": ["App", "Refused"]}}


def test_what_is_not_there_yet_waits_and_the_rest_is_granted(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    asked = [
        later(shop, ["SELECT", "UPDATE"], Table="t", Columns=["ID", "later"]),
        later(shop, ["SELECT", "INSERT"], Table="orders"),
        later(shop, "EXECUTE", Procedure="report"),
        later(shop, "EXECUTE", Function="f"),
        on(shop, "DELETE", Table="t"),
    ]
    ended = world.deploy(stack, {"App": user(arn, *asked)}, REFUSED)
    assert (ended.status, ended.failures) == ("CREATE_COMPLETE", {})
    assert world.grants(name) == {f"GRANT SELECT (`ID`), UPDATE (`ID`), DELETE ON `{shop}`.`t` TO `{name}`@`%`"}
    for missing in ("'later' in 't'", f"'{shop}.orders'", "PROCEDURE report", "FUNCTION f"):
        assert ended.outputs["Refused"].count(missing) == 1, ended.outputs

    world.sql(
        f"USE `{shop}`",
        "ALTER TABLE t ADD later INT",
        "CREATE TABLE orders (id INT)",
        "CREATE PROCEDURE report() SELECT 1",
        "CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1",
    )
    ended = world.deploy(stack, {"App": user(arn, *asked, Revision="2")}, REFUSED)
    assert (ended.status, ended.outputs) == ("UPDATE_COMPLETE", {"Refused": "none"})
    assert world.grants(name) == {
        f"GRANT SELECT (`ID`, `later`), UPDATE (`ID`, `later`), DELETE ON `{shop}`.`t` TO `{name}`@`%`",
        f"GRANT SELECT, INSERT ON `{shop}`.`orders` TO `{name}`@`%`",
        f"GRANT EXECUTE ON PROCEDURE `{shop}`.`report` TO `{name}`@`%`",
        f"GRANT EXECUTE ON FUNCTION `{shop}`.`f` TO `{name}`@`%`",
    }


def test_an_account_at_another_host_gets_what_is_there_before_it_has_its_name(world: World, shop: str) -> None:
    """Until it is complete it stands at a host that no client has, and is granted one column after the other there."""
    stack, name = fresh("stack"), fresh("app")
    arn, asked = world.secret(name), later(shop, "SELECT", Table="t", Columns=["id", "later"])
    world.deploy(stack, {"App": user(arn)})
    assert world.deploy(stack, {"App": user(arn, asked, Hosts=["%", "10.%"])}).status == "UPDATE_COMPLETE"
    for host in ("%", "10.%"):
        rows = {row[0] for row in world.sql(f"SHOW GRANTS FOR `{name}`@`{host}`")}
        assert f"GRANT SELECT (`id`) ON `{shop}`.`t` TO `{name}`@`{host}`" in rows
    assert set(world.accounts(name)) == {"%", "10.%"}


def test_a_role_and_the_same_event_twice(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("reader")
    asked = [later(shop, "SELECT", Table="t", Columns=["id", "later"]), later(shop, "SELECT", Table="orders")]
    world.fault("twice")
    try:
        ended = world.deploy(stack, {"App": role(name, *asked)}, REFUSED)
    finally:
        world.fault(None)
    assert (ended.status, "orders" in ended.outputs["Refused"]) == ("CREATE_COMPLETE", True)
    assert world.grants(name) == {f"GRANT SELECT (`id`) ON `{shop}`.`t` TO `{name}`@`%`"}


@pytest.mark.parametrize(
    ("strict", "reason"),
    [
        ({"Permission": "INSERT", "Table": "orders"}, "Table '{shop}.orders' doesn't exist"),
        ({"Permission": "SELECT", "Table": "orders", "WhenMissing": "fail"}, "Table '{shop}.orders' doesn't exist"),
        ({"Permission": "SELECT", "Table": "orders", "Columns": ["id"]}, "Table '{shop}.orders' doesn't exist"),
        ({"Permission": "INSERT", "Table": "t", "Columns": ["later"]}, "Unknown column 'later' in 't'"),
        ({"Permission": "SELECT", "Table": "t", "Columns": ["LATER"]}, "Unknown column 'later' in 't'"),
    ],
)
def test_what_an_entry_without_skip_asks_for_fails_as_always(
    world: World, shop: str, strict: dict[str, Any], reason: str
) -> None:
    stack, name = fresh("stack"), fresh("app")
    waiting = [later(shop, "SELECT", Table="orders"), later(shop, "SELECT", Table="t", Columns=["id", "later"])]
    ended = world.deploy(stack, {"App": user(world.secret(name), *waiting, {"Database": shop, **strict})})
    assert (ended.status, ended.failures) == ("ROLLBACK_COMPLETE", {"App": reason.format(shop=shop)})
    assert not world.has_user(name)


def test_another_refusal_fails_as_always(world: World, shop: str) -> None:
    name, table = fresh("app"), "t" * 65
    ended = world.deploy(fresh("stack"), {"App": user(world.secret(name), later(shop, "SELECT", Table=table))})
    assert (ended.status, ended.failures["App"]) == ("ROLLBACK_COMPLETE", f"Identifier name '{table}' is too long")
