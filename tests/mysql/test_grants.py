"""The algebra of grants: expansion, normal form, and the statements between two sets."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from aurora_tenants.mysql.grants import (
    DATABASE_PRIVILEGES,
    Grant,
    Scope,
    expand,
    normalise,
    privilege_names,
    role_scope,
    statements,
)
from aurora_tenants.mysql.names import Account

APP = Account("app")
ON_SHOP = Scope("DATABASE", "shop")
ON_ORDERS = Scope("TABLE", "shop", "orders")


def on_column(column: str) -> Scope:
    return Scope("COLUMN", "shop", "orders", column)


def asked(*permissions: str, database: str = "shop", **rest: object) -> frozenset[Grant]:
    return expand(APP, permissions, database=database, partial_revokes=False, **rest)


def sql(to_grant: Collection[Grant], to_revoke: Collection[Grant]) -> tuple[str, ...]:
    return tuple(statement.sql for statement in statements(to_grant, to_revoke))


def test_all_on_a_database_is_its_eighteen_privileges():
    assert asked("ALL") == asked(*DATABASE_PRIVILEGES)
    assert len(asked("ALL")) == 18


def test_all_on_a_table_is_its_twelve_privileges():
    assert len(asked("all privileges", table="orders")) == 12


def test_a_permission_may_be_a_list_in_one_string_in_any_case():
    assert privilege_names(" select,  create   view ") == ("SELECT", "CREATE VIEW")
    assert asked("select, insert") == asked("SELECT", "INSERT")


def test_usage_asks_for_nothing():
    assert asked("USAGE") == frozenset()


def test_an_underscore_is_escaped_in_a_database_but_not_in_front_of_a_table():
    assert asked("SELECT", database="a_b") == {Grant(APP, Scope("DATABASE", "a\\_b"), "SELECT")}
    assert asked("SELECT", database="a_b", table="t") == {Grant(APP, Scope("TABLE", "a_b", "t"), "SELECT")}


def test_the_grant_option_of_a_column_belongs_to_its_table():
    assert asked("SELECT", table="orders", columns=("Id",), grant_option=True) == {
        Grant(APP, on_column("Id"), "SELECT"),
        Grant(APP, ON_ORDERS, "GRANT OPTION"),
    }


@pytest.mark.parametrize(
    ("permission", "rest"),
    [("SELEC", {}), ("LOCK TABLES", {"table": "t"}), ("DELETE", {"table": "t", "columns": ("a",)}), ("", {})],
)
def test_a_privilege_that_its_level_does_not_have_is_refused(permission: str, rest: dict[str, object]):
    with pytest.raises(ValueError, match="is not a privilege"):
        asked(permission, **rest)


def test_all_on_the_whole_server_and_on_columns_is_refused():
    with pytest.raises(ValueError, match="ALL is not a privilege"):
        asked("ALL", database="*")
    with pytest.raises(ValueError, match="ALL is not a privilege"):
        asked("ALL", table="t", columns=("a",))


def test_columns_without_a_table_are_refused():
    with pytest.raises(ValueError, match="one table"):
        asked("SELECT", columns=("a",))


def test_a_column_grant_is_absorbed_by_the_same_privilege_on_its_table():
    table, column = Grant(APP, ON_ORDERS, "SELECT"), Grant(APP, on_column("id"), "SELECT")
    other = Grant(APP, on_column("id"), "UPDATE")
    assert normalise({table, column, other}) == {table, other}


def test_grants_come_before_revokes_and_one_statement_holds_a_whole_row():
    wanted = asked("SELECT", "INSERT") | asked("SELECT", table="orders", columns=("a", "b"))
    assert sql(wanted, asked("DROP")) == (
        "GRANT INSERT, SELECT ON `shop`.* TO `app`@`%`",
        "GRANT SELECT (`a`, `b`) ON `shop`.`orders` TO `app`@`%`",
        "REVOKE DROP ON `shop`.* FROM `app`@`%`",
    )


def test_a_column_whose_table_loses_the_privilege_is_granted_late():
    assert sql({Grant(APP, on_column("id"), "SELECT")}, {Grant(APP, ON_ORDERS, "SELECT")}) == (
        "REVOKE SELECT ON `shop`.`orders` FROM `app`@`%`",
        "GRANT SELECT (`id`) ON `shop`.`orders` TO `app`@`%`",
    )


def test_grant_option_alone_is_granted_with_usage():
    assert sql({Grant(APP, ON_SHOP, "GRANT OPTION")}, set()) == (
        "GRANT USAGE ON `shop`.* TO `app`@`%` WITH GRANT OPTION",
    )


def test_all_with_grant_option_is_revoked_by_name_because_mysql_has_no_syntax_for_it():
    (statement,) = sql(set(), asked("ALL", grant_option=True))
    assert "GRANT OPTION" in statement
    assert "ALL PRIVILEGES" not in statement


def test_a_hostile_name_stays_one_name():
    scope = Scope("TABLE", "shop", "t` TO `evil`@`%`; --")
    assert sql({Grant(APP, scope, "SELECT")}, set()) == (
        "GRANT SELECT ON `shop`.`t`` TO ``evil``@``%``; --` TO `app`@`%`",
    )


def test_a_role_or_a_dynamic_privilege_goes_with_its_option():
    """RELOAD is there for error 3879, see test_a_master_like_auroras_can_take_away_what_it_has_given."""
    role, dynamic = role_scope(Account("reader")), Scope("DYNAMIC", name="FLUSH_STATUS")
    everything = {
        Grant(APP, role, "MEMBER"),
        Grant(APP, role, "ADMIN OPTION"),
        Grant(APP, dynamic, "FLUSH_STATUS"),
        Grant(APP, dynamic, "GRANT OPTION"),
    }
    assert sql(set(), everything) == (
        "REVOKE RELOAD, FLUSH_STATUS ON *.* FROM `app`@`%`",
        "REVOKE `reader`@`%` FROM `app`@`%`",
    )
    assert sql(everything, set()) == (
        "GRANT FLUSH_STATUS ON *.* TO `app`@`%` WITH GRANT OPTION",
        "GRANT `reader`@`%` TO `app`@`%` WITH ADMIN OPTION",
    )


def test_an_option_alone_goes_only_with_its_role_or_its_dynamic_privilege_which_comes_back_at_once():
    role, dynamic = role_scope(Account("reader")), Scope("DYNAMIC", name="FLUSH_STATUS")
    assert sql(set(), {Grant(APP, role, "ADMIN OPTION"), Grant(APP, dynamic, "GRANT OPTION")}) == (
        "REVOKE RELOAD, FLUSH_STATUS ON *.* FROM `app`@`%`",
        "GRANT FLUSH_STATUS ON *.* TO `app`@`%`",
        "REVOKE `reader`@`%` FROM `app`@`%`",
        "GRANT `reader`@`%` TO `app`@`%`",
    )
