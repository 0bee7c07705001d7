"""Quoting and the spelling of database names."""

from __future__ import annotations

import pytest

from aurora_tenants.mysql.names import (
    Account,
    identifier,
    is_reserved_database,
    is_reserved_user,
    key,
    literal,
    pattern,
    unescaped,
)


def test_a_backtick_in_an_identifier_is_doubled():
    assert identifier("a`; DROP DATABASE x; --") == "`a``; DROP DATABASE x; --`"


def test_an_account_is_quoted_on_both_sides_of_the_at_sign():
    assert str(Account("o'brien", "10.0.%")) == "`o'brien`@`10.0.%`"


def test_a_quote_in_a_literal_is_doubled():
    assert literal("it's") == "'it''s'"


@pytest.mark.parametrize("value", ["a\\", "a\nb", "a\0"])
def test_a_literal_that_depends_on_the_sql_mode_is_refused_without_being_shown(value: str):
    with pytest.raises(ValueError, match="cannot hold a backslash") as refused:
        literal(value)
    assert value not in str(refused.value)


def test_a_nul_is_no_identifier():
    with pytest.raises(ValueError, match="NUL"):
        identifier("a\0b")


def test_a_database_is_escaped_unless_partial_revokes_makes_names_literal():
    assert pattern("shop_a%", partial_revokes=False) == "shop\\_a\\%"
    assert pattern("shop_a%", partial_revokes=True) == "shop_a%"


def test_both_spellings_of_a_database_were_meant_for_the_same_one():
    assert unescaped("shop\\_a") == unescaped("shop_a") == "shop_a"


def test_a_key_holds_any_string_as_hexadecimal_digits():
    assert key("é'\\") == "_utf8mb4 X'c3a9275c'"


@pytest.mark.parametrize("name", ["mysql.sys", "rdsadmin", "rds_superuser_role", "AWS_LAMBDA_ACCESS", "root", ""])
def test_the_servers_own_users_are_reserved(name: str):
    assert is_reserved_user(name)


def test_a_tenants_names_are_not_reserved():
    assert not is_reserved_user("shop")
    assert not is_reserved_database("shop")
    assert is_reserved_database("MySQL")
