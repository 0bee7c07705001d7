"""What a YAML parser's error means to whoever wrote the file. Only this module knows the parser's texts."""

from __future__ import annotations

import re
from typing import Any

from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from aurora_tenants.config.wording import escaped, shown
from aurora_tenants.errors import Location, Problem

_TOO_LARGE_ESCAPE = re.compile(r"\\U(?!000|0010)[0-9A-Fa-f]{8}")
_FIXES_BY_CHARACTER = {
    "\t": "indent with spaces: YAML allows no tabs there",
    "@": 'put the text in quotes: "@..."',
    "`": "put the text in quotes",
    "%": 'put the text in quotes: "%..."',
}


def syntax_problem(error: Exception, text: str, file: str) -> Problem:
    """The problem that stopped Python's YAML parser. text: the whole file, without a byte order mark."""
    if isinstance(error, ReaderError):
        return _character_problem(error, text, file)
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return _escape_problem(text, file)
    mark, context = error.problem_mark, error.context_mark
    at_end = mark.index >= len(text)
    where = location(file, context if at_end and context is not None else mark)
    why = f"{shown(error.context)} that begins at {location(file, context)}" if error.context and context else ""
    return Problem("invalid-yaml", f"this is not valid YAML: {shown(error.problem)}", why, _fix(error, text), where)


def _fix(error: Any, text: str) -> str:
    character = text[error.problem_mark.index : error.problem_mark.index + 1]
    begins = f"{error.context_mark.line + 1}:{error.context_mark.column + 1}" if error.context_mark else ""
    if character in _FIXES_BY_CHARACTER:
        return _FIXES_BY_CHARACTER[character]
    if "alias" in error.problem:
        return "define the anchor with & before its alias, or quote a text that begins with *"
    if "escape" in error.problem:
        return "write the backslash twice, or use single quotes"
    if "quoted scalar" in (error.context or ""):
        return f"close the quote that opens at {begins}"
    if "flow" in (error.context or ""):
        return f"close the bracket that opens at {begins}, and separate its entries with commas"
    if "mapping values" in error.problem:
        return "check the indentation of this line, or quote a text that contains a colon"
    return "check the indentation of this line and of the line above it"


def _character_problem(error: ReaderError, text: str, file: str) -> Problem:
    where = location_after(text[: error.position], file)
    what = f"the character {escaped(chr(error.character))} is not allowed in YAML"
    return Problem("invalid-yaml", what, "YAML allows printable characters only", "remove the character", where)


def _escape_problem(text: str, file: str) -> Problem:
    """The parser passes the number of every escape to chr(), whose error has no position."""
    escape = _TOO_LARGE_ESCAPE.search(text)
    where = location_after(text[: escape.start() if escape else 0], file)
    what = f"the escape {escape.group() if escape else ''} is not a character"
    return Problem("invalid-yaml", what, "U+10FFFF is the last character", "write the character itself", where)


def location_after(before: str, file: str) -> Location:
    """The place in a file that these characters come before."""
    return Location(file, before.count("\n") + 1, len(before) - before.rfind("\n"))


def location(file: str, mark: Any) -> Location:
    """The place of a parser's mark, which counts from 0."""
    return Location(file, mark.line + 1, mark.column + 1)
