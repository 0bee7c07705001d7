"""What the Data API does to a statement's text is the same whether or not it has to be read token by token."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_sandbox.rdsdata.sqltext import prepared, token_by_token
from aurora_sandbox.wire import ServiceError

PIECES = ("a", ":a", ":b", "::", ":", "'", '"', "`", "\\", "-- ", "#", "/*", "*/", "\n", " ", ";", "é", "SELECT 1")
VERSIONS = (
    "AURORA_VERSION()",
    "@@aurora_version",
    "aurora_vers\u0130on ( )",
    "AURORA_VER\u017fION()",
    "aurora_version",
)
LITERALS = ({}, {"a": "'one'"}, {"a": "1", "b": "NULL"})


def outcome(sql: str, literals: dict[str, str], *, quickly: bool) -> str:
    way = prepared if quickly else token_by_token
    try:
        return way(sql, literals, aurora_version="3.10.0")
    except ServiceError as error:
        return error.message


@settings(max_examples=2000, deadline=None)
@given(st.lists(st.sampled_from(PIECES + VERSIONS), max_size=12).map("".join), st.sampled_from(LITERALS))
def test_a_text_is_prepared_as_if_it_had_been_read_token_by_token(sql: str, literals: dict[str, str]) -> None:
    quickly = outcome(sql, literals, quickly=True)
    assert quickly in ("Multistatements aren't supported.", outcome(sql, literals, quickly=False))
    if ";" not in sql:
        assert quickly == outcome(sql, literals, quickly=False)
