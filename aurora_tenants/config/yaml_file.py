"""A YAML file as plain data, with the place of every value.

It is composed here, event by event, rather than by a YAML constructor: that is twice as fast, needs no second pass for
positions, and makes hostile texts (endless aliases, a hundred thousand brackets) harmless.
Scalars follow the core schema of YAML 1.2: `on`, `010` and `2024-01-01` are text, ten and text. Merge keys (`<<`) work.

    document = parse("tenants:\\n  shop: {}\\n", "tenants.yaml")
    document.data                          {"tenants": {"shop": {}}}
    document.key(("tenants", "shop"))      tenants.yaml:2:3
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ruamel.yaml import YAML, events
from ruamel.yaml.error import YAMLError
from ruamel.yaml.parser import Parser

from aurora_tenants.config.scalars import KNOWN_TAGS, is_merge, resolved, short_tag
from aurora_tenants.config.wording import KeyPath, context, kind, shown
from aurora_tenants.config.yaml_errors import location, location_after, syntax_problem
from aurora_tenants.errors import InvalidFile, Location, Problem

BYTE_ORDER_MARK = "\ufeff"
_MAX_LEVELS = 50
MOST_VALUES = 300_000
"""Those of 5,000 tenants with three users each; they are checked in some 3 s, and as long where all are wrong."""
MOST_BYTES = 10_000_000
_SURROGATE = re.compile("[\ud800-\udfff]")
_HALF = "it is one half of a surrogate pair, which means nothing alone"
_KEYS = "a key must be text"
_MERGES = "only mappings can be merged into a mapping"
# ValueError: a lone surrogate in the text; ValueError, OverflowError: an escape like "\UFFFFFFFF" in Python's parser.
PARSER_ERRORS = (YAMLError, ValueError, OverflowError)
_NO_KEY, _ITEM, _MERGE, _SKIPPED, _UNSEEN = object(), object(), object(), object(), object()


@dataclass(slots=True, eq=False)
class _Collection:
    """A mapping or a list, and the places of its members.

    places: for a list the place of each item; for a mapping, by key, the key's event and the place of its value. A
    place is a `_Collection` or a scalar's event. key: while it is being read, the key whose value comes next, _NO_KEY
    where a key comes next, and _ITEM in a list. size, height: how many values it contains and how many levels deep it
    is, counting every alias as if it were written out. merged: the mappings that are merged into it.
    """

    start: Any
    values: Any
    places: Any
    key: object = _NO_KEY
    key_event: Any = None
    merged: list[_Collection] | None = None
    size: int = 1
    height: int = 1


@dataclass(frozen=True, slots=True)
class Document:
    """The data of a YAML file: dict, list, str, int, float, bool and None. problems: YAML that is not allowed."""

    data: Any
    file: str
    problems: tuple[Problem, ...]
    top: Any

    def key(self, path: KeyPath) -> Location:
        """Where the key of this value is written, or the value itself when it is in a list."""
        key, _ = self._places(path)
        return location(self.file, _event(key).start_mark)

    def value(self, path: KeyPath) -> Location:
        """Where this value is written; its key's place when it is left empty."""
        key, value = map(_event, self._places(path))
        is_absent = isinstance(value, events.ScalarEvent) and not value.value and not value.style
        return location(self.file, (key if is_absent else value).start_mark)

    def size(self, path: KeyPath) -> int:
        """How many values there are in this one, itself among them, counting every alias as if it were written out."""
        _, place = self._places(path)
        return place.size if isinstance(place, _Collection) else 1

    def written(self, path: KeyPath) -> str:
        """The text of a scalar as it is written in the file, without its quotes."""
        return str(self._places(path)[1].value)

    def _places(self, path: KeyPath) -> tuple[Any, Any]:
        """The place of the key of this value, and of the value: the same for one in a list, and for the top."""
        key = place = self.top
        for step in path:
            member = place.places[step]
            key, place = member if type(member) is tuple else (member, member)
        return key, place


def read(path: Path) -> str:
    """The text of a UTF-8 file. Raises InvalidFile when it cannot be read, is not UTF-8, or is far too large."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)  # what is named may be endless, such as /dev/zero
    except FileNotFoundError as error:
        fix = "name the file with --file, or start from the first example in README.md"
        raise InvalidFile(Problem("file-not-found", f"{path} does not exist", fix=fix)) from error
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL character
        why = getattr(error, "strerror", None) or str(error)
        problem = Problem("file-not-readable", f"{path} cannot be read", why, "name a readable file with --file")
        raise InvalidFile(problem) from error
    if len(content) > MOST_BYTES:
        what, why = f"{path} is too large", f"at most {MOST_BYTES:,} bytes are read"
        raise InvalidFile(Problem("too-large", what, why, "name the right file with --file"))
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        where = location_after(content[: error.start].decode(), str(path))
        what = f"byte 0x{content[error.start]:02x} is not UTF-8"
        why = "the file must be UTF-8"
        raise InvalidFile(Problem("not-utf-8", what, why, "save the file as UTF-8", where)) from error


def parse(text: str, file: str) -> Document:
    """What a text with one YAML document says.

    Raises InvalidFile when it is not YAML, is empty, contains several documents, or is far too deep or too large.
    """
    text = text.removeprefix(BYTE_ORDER_MARK)
    # The C parser and Python's agree on what is YAML except in corner cases; Python's explains errors better.
    with contextlib.suppress(*PARSER_ERRORS):
        return _Composer(file).compose(_events(text, pure=False))
    try:
        return _Composer(file).compose(_events(text, pure=True))
    except PARSER_ERRORS as error:
        raise InvalidFile(syntax_problem(error, text, file)) from error


def _events(text: str, *, pure: bool) -> Iterator[Any]:
    """The events of a text; the C parser's straight from it: YAML.parse() asks it about each one before it takes it.

    Python's parser needs what YAML.parse() prepares for it (test_directives).
    """
    yaml = YAML(typ="safe", pure=pure)
    if yaml.Parser is Parser:
        return iter(yaml.parse(text))
    _, parser = yaml.get_constructor_parser(text)
    return iter(parser.get_event, None)


def _event(place: Any) -> Any:
    return place.start if isinstance(place, _Collection) else place


def _ignore(event: Any) -> None:
    """The stream begins or ends, or a document ends."""


class _Composer:
    """Composes the events of one YAML text on a stack of its own, so that no text can exhaust Python's or C's."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.anchors: dict[str, Any] = {}
        self.plain: dict[str, Any] = {}  # what each plain scalar means: most are there many times
        self.documents = _Collection(None, [], [], _ITEM)
        self.open = [self.documents]

    def compose(self, stream: Iterator[Any]) -> Document:
        """The document that a stream of events describes. Raises InvalidFile, and what the stream raises."""
        handlers = {
            events.DocumentStartEvent: self._start_document,
            events.ScalarEvent: self._scalar,
            events.AliasEvent: self._alias,
            events.MappingStartEvent: self._start_mapping,
            events.SequenceStartEvent: self._start_list,
            events.MappingEndEvent: self._end,
            events.SequenceEndEvent: self._end,
        }
        handler_of = handlers.get
        for event in stream:
            handler_of(type(event), _ignore)(event)
        if self.documents.values in ([], [None]):
            fix = "write version, cluster and tenants, as in the first example in README.md"
            raise InvalidFile(Problem("empty-file", "the file is empty", "", fix, Location(self.file, 1, 1)))
        return Document(self.documents.values[0], self.file, tuple(self.problems), self.documents.places[0])

    def _start_document(self, event: Any) -> None:
        if self.documents.values:
            what, fix = "a second YAML document begins here", "remove the line --- and what belongs in another file"
            self._stop(event, "several-documents", what, "the file must be one document", fix)

    def _scalar(self, event: Any) -> None:
        """Adds a scalar. Nearly all events are scalars, so the usual case is here from end to end."""
        if event.anchor:
            self.anchors[event.anchor] = event
        value = _UNSEEN if event.style or event.ctag is not None else self.plain.get(event.value, _UNSEEN)
        if value is _UNSEEN:
            value = self._value(event)
        parent = self.open[-1]
        parent.size += 1
        if parent.size > MOST_VALUES:
            self._stop_too_large(event)
        key = parent.key
        if key is _ITEM:
            parent.values.append(value)
            parent.places.append(event)
        elif key is _NO_KEY:
            is_usual = type(value) is str and value != "<<" and value not in parent.values
            parent.key, parent.key_event = value if is_usual else self._key(parent, value, event), event
        elif type(key) is str:
            parent.values[key], parent.places[key] = value, (parent.key_event, event)
            parent.key = _NO_KEY
        else:
            self._add_member(parent, value, event)

    def _value(self, event: Any) -> Any:
        """What a scalar means that was not there before. Refuses a tag and a character that cannot be."""
        text, tag = event.value, event.tag
        if tag not in KNOWN_TAGS:
            self._refuse_tag(event)
        if not text.isascii() and _SURROGATE.search(text):
            what = "this text contains half a character"
            self._stop(event, "invalid-yaml", what, _HALF, "write the character itself")
        value = resolved(text, tag, event.style)
        if tag is None and not event.style:
            self.plain[text] = value
        return value

    def _start_mapping(self, event: Any) -> None:
        self._start(event, _Collection(event, {}, {}))

    def _start_list(self, event: Any) -> None:
        self._start(event, _Collection(event, [], [], _ITEM))

    def _start(self, event: Any, collection: _Collection) -> None:
        if event.ctag is not None and event.tag not in KNOWN_TAGS:
            self._refuse_tag(event)
        self._limit_depth(event, 1)
        if event.anchor:
            self.anchors[event.anchor] = collection
        self.open.append(collection)

    def _end(self, event: Any) -> None:
        collection = self.open.pop()
        for merged in collection.merged or ():
            for key in merged.values:
                if key not in collection.values:
                    collection.values[key], collection.places[key] = merged.values[key], merged.places[key]
        self._add(collection.values, collection)

    def _alias(self, event: Any) -> None:
        name = shown(event.anchor)
        target = self.anchors.get(event.anchor)
        if target is None:
            fix = f"define &{name} above it, or quote a text that begins with *"
            why = "an alias repeats an anchor that comes before it"
            self._stop(event, "unknown-alias", f"the alias *{name} has no anchor", why, fix)
        if target in self.open:
            why = "it is inside the anchor that it repeats, which would never end"
            self._stop(event, "endless-alias", f"the alias *{name} contains itself", why, "write out what is meant")
        if isinstance(target, _Collection):
            self._limit_depth(event, target.height)
            self._add(target.values, target)
        else:
            self._add(resolved(target.value, target.tag, target.style), target)

    def _add(self, value: Any, place: Any) -> None:
        """Adds a collection, or a scalar by its alias, to what it is in."""
        parent = self.open[-1]
        if isinstance(place, _Collection):
            parent.size += place.size
            parent.height = max(parent.height, place.height + 1)
        else:
            parent.size += 1
        if parent.size > MOST_VALUES:
            self._stop_too_large(_event(place))
        if parent.key is _ITEM:
            parent.values.append(value)
            parent.places.append(place)
        elif parent.key is _NO_KEY:
            parent.key, parent.key_event = self._key(parent, value, place), _event(place)
        else:
            self._add_member(parent, value, place)

    def _stop_too_large(self, event: Any) -> NoReturn:
        why = f"at most {MOST_VALUES:,} are read, counting every alias in full"
        self._stop(event, "too-large", "the file contains too many values", why, "use fewer aliases")

    def _add_member(self, parent: _Collection, value: Any, place: Any) -> None:
        """Adds the value whose key was read before it."""
        if parent.key is _MERGE:
            sources = place.places if isinstance(value, list) else [place]
            if all(isinstance(source, _Collection) and isinstance(source.values, dict) for source in sources):
                parent.merged = parent.merged or []
                parent.merged.extend(sources)
            else:
                fix = "write <<: *name, where &name marks a mapping"
                self._refuse(_event(place), "invalid-merge", "<< merges something that is not a mapping", _MERGES, fix)
        elif parent.key is not _SKIPPED:
            parent.values[parent.key] = value
            parent.places[parent.key] = (parent.key_event, place)
        parent.key = _NO_KEY

    def _key(self, parent: _Collection, value: Any, place: Any) -> object:
        """The key that a value of the file stands for; a fault is reported, and the closest key used."""
        if isinstance(place, _Collection):
            self._refuse(place.start, "invalid-key", f"this key is {kind(value)}", _KEYS, "use a name as the key")
            return _SKIPPED
        key = place.value
        if is_merge(place.value, place.tag, place.style):
            return _MERGE
        if not isinstance(value, str):
            what = f"the key {shown(key)} is {kind(value)}" if key else "this key is empty"
            self._refuse(place, "invalid-key", what, _KEYS, f'quote it: "{shown(key)}"' if key else "write a name")
        if key in parent.values:
            why = f"the first one is at {location(self.file, parent.places[key][0].start_mark)}"
            fix = "remove one of them, or rename it"
            self._refuse(place, "duplicate-key", f"the key {shown(key)} appears twice", why, fix)
            return _SKIPPED
        return key

    def _limit_depth(self, event: Any, levels: int) -> None:
        if len(self.open) + levels > _MAX_LEVELS:
            why = f"at most {_MAX_LEVELS} levels are read"
            self._stop(event, "too-deep", "this is nested too deeply", why, "check for brackets that are never closed")

    def _refuse_tag(self, event: Any) -> None:
        what = f"unknown tag {shown(short_tag(event.tag))}"
        self._refuse(event, "unknown-tag", what, "this file needs no tags", "remove the tag")

    def _refuse(self, event: Any, code: str, what: str, why: str, fix: str) -> None:
        steps = [len(part.values) if isinstance(part.values, list) else part.key_event for part in self.open[1:]]
        path = tuple(step if isinstance(step, int) else getattr(step, "value", "") for step in steps)
        inside = path[:-1] if self.open[-1].key in (_NO_KEY, _ITEM) else path
        self.problems.append(Problem(code, what, why, fix, location(self.file, event.start_mark), context(inside)))

    def _stop(self, event: Any, code: str, what: str, why: str, fix: str) -> NoReturn:
        self._refuse(event, code, what, why, fix)
        raise InvalidFile(*self.problems)
