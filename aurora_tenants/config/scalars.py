"""The value of a YAML scalar, by the core schema of YAML 1.2.

    resolved("on", None, "")     "on"        not a boolean since YAML 1.2
    resolved("010", None, "")    10
    resolved("010", None, '"')   "010"

Source: "Core Schema", YAML 1.2.2, section 10.3.
"""

from __future__ import annotations

import re

_PREFIX = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset({"!", _PREFIX + "str"})
_PLAIN_TAGS = frozenset({None, _PREFIX + "null", _PREFIX + "bool", _PREFIX + "int", _PREFIX + "float"})
KNOWN_TAGS = _TEXT_TAGS | _PLAIN_TAGS | {_PREFIX + "map", _PREFIX + "seq"}

_WORDS: dict[str, bool | None] = (
    dict.fromkeys(["", "~", "null", "Null", "NULL"])
    | dict.fromkeys(["true", "True", "TRUE"], True)
    | dict.fromkeys(["false", "False", "FALSE"], False)
)
_NUMBER_STARTS = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LONGEST_INTEGER = 100


def resolved(text: str, tag: str | None, style: str | None) -> str | int | float | bool | None:
    """The value of a scalar. style: the character that quotes or introduces it, empty or None for a plain one."""
    if style or tag not in _PLAIN_TAGS:
        return text
    if text in _WORDS:
        return _WORDS[text]
    return _number(text) if text[0] in _NUMBER_STARTS else text


def is_merge(text: str, tag: str | None, style: str | None) -> bool:
    """Whether a key asks for another mapping's keys to be merged in."""
    return text == "<<" and not style and tag is None


def short_tag(tag: str) -> str:
    """A tag as people write it: `!!set`."""
    return tag.replace(_PREFIX, "!!")


def _number(text: str) -> str | int | float:
    if len(text) <= _LONGEST_INTEGER:  # Python refuses to convert thousands of digits; as a float they are just large
        if _INTEGER.fullmatch(text):
            return int(text)
        if _OTHER_BASE.fullmatch(text):
            return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return float(text.lower().replace(".", "")) if _NOT_FINITE.fullmatch(text) else text
