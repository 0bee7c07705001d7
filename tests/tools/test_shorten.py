"""Code under shorter names: it does the same, and what others call by name keeps its name."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

import pytest

from tools.bundle import ENTRIES, source
from tools.flatten import CannotBundle, flatten
from tools.shorten import shorten

# For each thing that a name can be, code that would go wrong if it were renamed alone.
CODE = """
import json
from typing import NamedTuple
LIMIT = 2
ONCE = ("here", 'and "there"')
TWICE = 7
IN_TEXT = "a 'text'"
SHADOWED = "elsewhere"
LIST = [1]
KINDS = {"double": lambda number: number * LIMIT}
json_text = "unused"
class Told(NamedTuple):
    text: object = LIMIT
    words: object = ()
    def with_words(self, words, *, limit=LIMIT):
        return self._replace(words=tuple(word for word in words if len(word) > limit))
def followed(number, *, factor=LIMIT):
    return KINDS["double"](number) * factor
def handed_on(number, *, factor=3):
    return number * factor
def named_like_a_field(text):
    return Told(text=text)
def limit(LIMIT):
    return LIMIT
def shadowed(words):
    limit = [word for word in words]
    return [words for words in limit if (last := words)], last
def both(json_text):
    def inner(followed):
        return followed + a
    a = json_text
    return [inner(followed) for followed in (1, 2)], followed(5)
def caught(**options):
    try:
        raise KeyError(*options)
    except KeyError as error:
        return f"{type(error).__name__} {error} {options=}"
def literals(SHADOWED):
    LIST.append(TWICE + TWICE)
    return [ONCE, f"{IN_TEXT}", SHADOWED, LIST]
def late():
    from math import sqrt as root
    return root(4)
def call(function, value):
    return function(value, factor=7)
def main(event, *, context=None):
    told = Told().with_words(words=event["words"], limit=1)
    return [
        json.dumps(told._asdict()), followed(number=4, factor=3), call(handed_on, 2), limit(LIMIT=9), shadowed("ab"),
        both(1), literals("here"), caught(option=1), late(), named_like_a_field("x"), context, Told._fields,
        sorted("ba", key=lambda it: it),
    ]
"""


MEMBERS = """
import os
from typing import NamedTuple

class Gone(Exception):
    pass

class Person(NamedTuple):
    greeting: str
    place: str = "here"
    count: int = 3
    secret: str = ""
    sep: str = os.sep

    @property
    def is_known(self):
        return bool(self.greeting)

class Register:
    def __init__(self, *, limit):
        self.limit = limit
        self.asked = {}

    def ask(self, name):
        self.asked["name"] = self.limit
        return self.asked

def main(event, context):
    person = Person(greeting="ann")._replace(count=3)
    match person:
        case Person(greeting="ann", place="here"):
            said = person.greeting
    try:
        raise Gone("secret")
    except Gone as error:
        kinds = [type(error).__name__]
    register = Register(limit=7)
    return [(person.greeting, person.place, person.count, person.is_known), said, register.ask("x"), kinds]
"""


def answer(code: str) -> Any:
    names: dict[str, Any] = {}
    exec(code, names)
    return names["main"](event={"words": ["a", "bcd"]}, context="context")


def test_code_does_the_same_under_shorter_names() -> None:
    short, names = shorten(CODE, ["main"])
    assert re.sub(r"\w+", lambda found: names.get(found[0], found[0]), repr(answer(short))) == repr(answer(CODE))
    assert {"KINDS", "handed_on", "both", "shadowed"} <= {*names.values()}


def test_only_what_others_name_and_what_means_two_things_keeps_its_name() -> None:
    tree = ast.parse(shorten(CODE, ["main"])[0])
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert {name for name in functions if len(name) > 1} == {"main", "limit", "followed"}
    parameters = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    # Of the handler; of functions that are handed on, whose calls are not followed; of a method, likewise.
    kept = {"event", "context", "factor", "number", "words", "limit"}
    assert {name for name in parameters if len(name) > 1} == kept | {"LIMIT", "followed"}


def test_classes_and_members_have_other_names_and_no_other_meaning() -> None:
    short, names = shorten(MEMBERS, ["main"])
    made: dict[str, Any] = {}
    exec(short, made)
    assert made["main"](event={}, context=None) == [("ann", "here", 3, True), "ann", {"name": 7}, ["Gone"]]
    assert {"Person", "greeting", "place", "is_known", "asked"} <= {*names.values()}
    # A text, an attribute of a module, one of Python's, a parameter that a call names, and an error.
    assert {"secret", "sep", "count", "limit", "Gone"}.isdisjoint(names.values())


def test_functions_of_the_template_keep_their_texts_errors_and_what_may_mean_something_else() -> None:
    before = flatten(ENTRIES, source)
    after, names = shorten(before, ENTRIES)
    classes = [node for node in ast.parse(after).body if isinstance(node, ast.ClassDef)]
    assert {"DatabaseError", "AuroraTenantsError", "DeadlineReached"} <= {item.name for item in classes}
    assert {"code", "number", "user", "host", "password"}.isdisjoint(names.values())
    assert len(names) == len({*names.values()})

    def kept(code: str, names: Mapping[str, str]) -> list[str]:
        tree = ast.parse(code)
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        members = [node for item in classes for node in item.body if not isinstance(node, ast.Assign)]
        attributes = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
        texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        named = [str(getattr(node, "name", None) or ast.unparse(getattr(node, "target", node))) for node in members]
        here = [*(item.name for item in classes), *(name.partition(":")[0] for name in named), *attributes]
        return sorted([*(names.get(name, name) for name in here), *map(repr, texts)])

    assert kept(after, names) == kept(before, {})
    assert len(after) < len(before) * 0.75


@pytest.mark.parametrize(
    "code",
    [
        "def f():\n    global g\n    g = 1",
        "def f():\n    return locals()",
        "def f():\n    class Inner: pass",
        "def f(x):\n    match x:\n        case [y]: return y",
    ],
)
def test_code_whose_names_are_not_followed_is_refused(code: str) -> None:
    with pytest.raises(CannotBundle, match="names cannot be shortened beside"):
        shorten(code, [])
