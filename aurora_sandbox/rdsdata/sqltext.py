"""What the Data API itself does to the text of a statement, before MySQL sees it.

Named parameters become literals, outside of quotes and comments; a second statement is refused; AURORA_VERSION(),
which no plain MySQL knows, becomes a literal. Everything else is MySQL's business and passes unread.

    prepared("SELECT * FROM t WHERE a = :a -- :b", {"a": "'x'"}, aurora_version="3.10.0")
    SELECT * FROM t WHERE a = 'x' -- :b
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from aurora_sandbox.wire import ServiceError

_TOKEN = re.compile(
    r"""
    (?P<quoted> '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `(?:[^`]|``)*` )
  | (?P<comment> --(?=\s|\Z)[^\n]* | \#[^\n]* | /\*.*?\*/ )
  | (?<![:\w]):(?P<name>[A-Za-z_]\w*)
  | (?P<end>;)
  | (?P<version>\bAURORA_VERSION\s*\(\s*\)|@@(?:GLOBAL\.|SESSION\.)?AURORA_VERSION\b)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
# The body of a stored program holds semicolons of its own; there MySQL finds a second statement (1064).
_PROGRAM = re.compile(
    r"\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:DEFINER\s*=\s*\S+\s+)?(?:AGGREGATE\s+)?(?:PROCEDURE|FUNCTION|TRIGGER|EVENT)\b",
    re.IGNORECASE,
)
_VERSION = re.compile("AURORA_VERSION", re.IGNORECASE)
_QUERY = re.compile(r"[\s(]*(?:SELECT|WITH|TABLE|VALUES)\b", re.IGNORECASE)
_HINTS = {
    "DATE": re.compile(r"\d{4}-\d\d-\d\d"),
    "TIME": re.compile(r"\d\d:\d\d:\d\d(?:\.\d{1,6})?"),
    "TIMESTAMP": re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?"),
    "DECIMAL": re.compile(r"[+-]?\d+(?:\.\d+)?"),
}


def is_query(sql: str) -> bool:
    """Whether formatRecordsAs=JSON applies to the statement; it does not to SHOW."""
    return _QUERY.match(sql) is not None


def prepared(sql: str, literals: Mapping[str, str], *, aurora_version: str) -> str:
    """The text for MySQL. literals: SQL by parameter name.

    Without any parameters a `:name` is left alone. Raises ServiceError for a name that has no value and for a second
    statement.
    """
    if ";" in sql and not _PROGRAM.match(sql) and _has_second_statement(sql):
        raise ServiceError("ValidationException", "Multistatements aren't supported.")
    # Most texts have neither, and reading a long one token by token is what takes time.
    if (literals and ":" in sql) or _VERSION.search(sql):
        return token_by_token(sql, literals, aurora_version=aurora_version)
    return sql


def token_by_token(sql: str, literals: Mapping[str, str], *, aurora_version: str) -> str:
    """The same for a text that is one statement."""

    def replacement(token: re.Match[str]) -> str:
        if token["version"]:
            return f"'{aurora_version}'"
        if token["name"] and literals:
            if token["name"] not in literals:
                raise ServiceError("BadRequestException", f"Cannot find parameter: {token['name']}")
            return literals[token["name"]]
        return token[0]

    return _TOKEN.sub(replacement, sql)


def _has_second_statement(sql: str) -> bool:
    first_end = next((token.end() for token in _TOKEN.finditer(sql) if token["end"]), len(sql))
    return bool(_TOKEN.sub(lambda token: "" if token["comment"] or token["end"] else token[0], sql[first_end:]).strip())


def literals(parameters: list[dict[str, Any]], *, escape: Callable[[Any], str]) -> dict[str, str]:
    """SQL by name for the `parameters` of a call. escape: how the connection writes a str or bytes as a literal.

    Raises ServiceError for arrays, and for a value that is not of the form its typeHint promises.
    """
    return {parameter["name"]: _literal(parameter, escape) for parameter in parameters}


def _literal(parameter: dict[str, Any], escape: Callable[[Any], str]) -> str:
    value = parameter.get("value", {})
    if "arrayValue" in value:
        raise ServiceError("BadRequestException", "Array parameters are not supported.")
    if value.get("isNull") or not value:
        return "NULL"
    if "booleanValue" in value:
        return "TRUE" if value["booleanValue"] else "FALSE"
    if "longValue" in value:
        return str(int(value["longValue"]))
    if "doubleValue" in value:
        return repr(float(value["doubleValue"]))
    if "blobValue" in value:
        return escape(bytes(value["blobValue"]))
    text, hint = value["stringValue"], parameter.get("typeHint")
    if hint in _HINTS and not _HINTS[hint].fullmatch(text):
        raise ServiceError("BadRequestException", f"Cannot parse value of parameter {parameter['name']} as {hint}")
    return text if hint == "DECIMAL" else escape(text)
