"""Values of the file as far as they can be read: one of the wrong type reads as absent; the schema reports it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aurora_tenants.config.wording import KeyPath

STAGE = "{stage}"


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is a mapping, otherwise an empty one."""
    return value if isinstance(value, dict) else {}


def entries(body: Mapping[str, Any], key: str, path: KeyPath = ()) -> Iterator[tuple[KeyPath, object]]:
    """Every entry of the list under a key, with its path. path: of body."""
    value = body.get(key)
    return (((*path, key, at), entry) for at, entry in enumerate(value if isinstance(value, list) else ()))


def texts(body: Mapping[str, Any], key: str, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Every text in the list under a key, with its path."""
    value = body.get(key)
    if isinstance(value, list):
        yield from (((*path, key, at), entry) for at, entry in enumerate(value) if isinstance(entry, str))


def text_or_texts(body: Mapping[str, Any], key: str, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Every text under a key that takes one text or a list of them, with its path."""
    if isinstance(body.get(key), str):
        yield (*path, key), body[key]
    yield from texts(body, key, path)


def words(body: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Every text under a key that takes one text or a list of them."""
    value = body.get(key)
    if isinstance(value, str):
        return (value,)
    return tuple(entry for entry in value if isinstance(entry, str)) if isinstance(value, list) else ()


def text(body: Mapping[str, Any], key: str) -> str | None:
    value = body.get(key)
    return value if isinstance(value, str) else None


def flag(body: Mapping[str, Any], key: str) -> bool | None:
    value = body.get(key)
    return value if isinstance(value, bool) else None


def number(body: Mapping[str, Any], key: str) -> int | None:
    """A whole number; 30.0 is one to JSON Schema."""
    value = body.get(key)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def filled(text: str, stage: str | None) -> str:
    """A text with a stage in the place of `{stage}`; as it is without one."""
    return text if stage is None else text.replace(STAGE, stage)
