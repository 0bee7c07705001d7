"""The functions' code in the template: current, nothing beside it, and refused when it could not be flattened."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis.strategies import text

from aurora_tenants.aws.code import build
from tools import bundle
from tools.bundle import (
    ENTRIES,
    TEMPLATE,
    StaleTemplate,
    bundled,
    check,
    generated,
    inlined,
    packed,
    source,
    unpacked,
)
from tools.flatten import CannotBundle, flatten

MODULES = {
    "aurora_tenants.main": '''
"""A module."""
from __future__ import annotations
import json
import os
from typing import Any, NamedTuple
from aurora_tenants.words import greeting, unused

class Event(NamedTuple):
    """Something."""
    name: str | None
    body: Any = None

def _said(text: str) -> str:
    """Never reached."""
    return text

def handler(event: dict[str, Any], context: Any) -> str:
    """Does it."""
    found: str = json.dumps(event)  # why
    if found:
        return greeting(Event(found).name)
    return ""
''',
    "aurora_tenants.words": """
import os
HELLO = "hello"
def greeting(name):
    return f"{HELLO} {_said(name)}"
def _said(name):
    return name
def unused():
    return os.getcwd()
""",
}
# What it means; how it is laid out is ast.unparse's affair.
FLAT = """\
from typing import NamedTuple
import json
HELLO = 'hello'
def greeting(name): return f'{HELLO} {_said(name)}'
def _said(name): return name
class Event(NamedTuple):
    name: str
    body: str = None
def main(event, context):
    found = json.dumps(event)
    if found: return greeting(Event(found).name)
    return ''
"""


def reading(modules: Mapping[str, str]) -> Callable[[str], str]:
    return lambda name: modules[name]


def flat(changes: Mapping[str, str]) -> str:
    return flatten({"main": "aurora_tenants.main"}, reading(MODULES | changes))


def test_template_holds_the_code_of_the_modules() -> None:
    check(TEMPLATE.read_text())


def test_only_what_the_handler_reaches_is_kept_under_its_own_names() -> None:
    assert ast.dump(ast.parse(flat({}))) == ast.dump(ast.parse(FLAT))


def test_private_name_of_two_modules_gets_its_module_in_front() -> None:
    main = MODULES["aurora_tenants.main"].replace("Event(found).name", "_said(Event(found).name)")
    names: dict[str, Callable[..., str]] = {}
    exec(flat({"aurora_tenants.main": main}), names)
    assert {"_said", "_main_said"} <= names.keys()
    assert names["main"]({"a": 1}, None) == 'hello {"a": 1}'


def test_same_modules_give_the_same_text() -> None:
    """In a process that iterates over sets in another order, too."""
    command = [sys.executable, "-c", "from tools.bundle import generated; print(generated())"]
    environment = os.environ | {"PYTHONHASHSEED": "1"}
    done = subprocess.run(command, cwd=TEMPLATE.parents[1], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == f"{generated()}\n"


def test_code_of_the_template_compiles_and_holds_no_docstring_or_annotation() -> None:
    tree = ast.parse(inlined(TEMPLATE.read_text()))
    definitions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert [node.name for node in definitions if ast.get_docstring(node) is not None] == []
    functions = [node for node in definitions if isinstance(node, ast.FunctionDef)]
    arguments = [argument for node in functions for argument in ast.walk(node.args) if isinstance(argument, ast.arg)]
    assert [node.name for node in functions if node.returns] == []
    assert [argument.arg for argument in arguments if argument.annotation] == []
    assert set(ENTRIES) <= {node.name for node in functions}


def test_change_in_a_module_makes_the_template_stale() -> None:
    def changed(module: str) -> str:
        return source(module).replace("a MySQL identifier cannot", "an identifier cannot")

    with pytest.raises(StaleTemplate, match=r"run: script/bundle$"):
        check(TEMPLATE.read_text(), changed)


def test_comments_and_layout_do_not_make_the_template_stale() -> None:
    def changed(module: str) -> str:
        return source(module).replace("\ndef identifier(", "\n# Another comment.\n\n\ndef identifier(")

    check(TEMPLATE.read_text(), changed)


STALE = r"^cfn/shared\.yml does not hold the code of .*; run: script/bundle$"


def test_code_inside_that_was_changed_by_hand_is_stale() -> None:
    """What is in the template parses and unpacks, and is not what the modules make."""
    template = TEMPLATE.read_text()
    by_hand = inlined(template).replace("a MySQL identifier cannot", "an identifier cannot")
    with pytest.raises(StaleTemplate, match=STALE):
        check(bundled(template, by_hand))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    import bz2,", "    import os, bz2,"),  # another program around the code
        ("    exec(compile(", "    print(code)\n    exec(compile("),
        ('    """.split()', '    """.split()[1:]'),
        ("# <<< functions\n", "    print(1)\n# <<< functions\n"),
        ("# <<< functions\n", "   Other: 1\n# <<< functions\n"),  # another code beside it
        ('join("""\n', 'join("""\n    c-'),  # other bytes: nothing to unpack
        ('join("""\n', 'join("""\n    +""" + """\n'),
    ],
)
def test_anything_around_the_code_that_was_changed_by_hand_is_stale(old: str, new: str) -> None:
    template = TEMPLATE.read_text()
    assert template.count(old) == 1
    with pytest.raises(StaleTemplate, match=STALE):
        check(template.replace(old, new))


def test_writing_replaces_the_code_alone() -> None:
    template = TEMPLATE.read_text()
    code = "def provider(event, context): pass\n"
    changed = bundled(template, code)
    assert inlined(changed) == code
    assert changed.split("# >>> functions")[0] == template.split("# >>> functions")[0]
    assert changed.split("# <<< functions")[1] == template.split("# <<< functions")[1]


@given(text())
def test_packed_code_is_unpacked_again(code: str) -> None:
    assert unpacked(packed(code)) == code


def test_packed_code_runs_under_its_names() -> None:
    names: dict[str, Callable[..., str]] = {}
    exec(packed(flat({})), names)
    assert names["main"]({"a": 1}, None) == 'hello {"a": 1}'


def test_traceback_shows_the_line_of_the_unpacked_code(tmp_path: Path) -> None:
    """As Lambda does it: the file index.py is imported, and what a handler raises is told by `traceback`."""
    code = "def within():\n    raise KeyError(1)\n\ndef handler(event, context):\n    within()\n"
    (tmp_path / "index.py").write_text(packed(code))
    runtime = (
        "import index, traceback\ntry:\n    index.handler({}, None)\nexcept KeyError:\n    traceback.print_exc()\n"
    )
    done = subprocess.run([sys.executable, "-c", runtime], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr.endswith(
        '  File "provider.py", line 5, in handler\n    within()\n'
        '  File "provider.py", line 2, in within\n    raise KeyError(1)\nKeyError: 1\n'
    )


def test_template_has_room_for_code_that_packs_a_little_worse() -> None:
    """CloudFormation takes 51,200 bytes of a template that comes without a bucket; bz2 differs between machines."""
    template = TEMPLATE.read_text()
    assert len(template.encode()) + len(packed(inlined(template))) // 200 < 51_200


def test_template_without_markers_is_a_sentence() -> None:
    with pytest.raises(StaleTemplate, match="has lost the lines"):
        check("Resources: {}\n")


def test_what_runs_can_be_shown_and_a_stale_template_is_told(tmp_path: Path) -> None:
    """In a copy of the checkout, whose template is then made stale."""
    for package in ("aurora_tenants", "tools"):
        shutil.copytree(TEMPLATE.parents[1] / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "cfn").mkdir()
    copy = tmp_path / "cfn" / "shared.yml"
    code = inlined(TEMPLATE.read_text())
    by_hand = code.replace("a MySQL identifier cannot", "an identifier cannot")
    copy.write_text(bundled(TEMPLATE.read_text(), by_hand))

    def shown(code: str) -> str:
        return f"{ast.unparse(ast.parse(code))}\n"

    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        command = [sys.executable, "-S", "-m", "tools.bundle", *arguments]  # -S: nothing that is installed
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, input=stdin)
        return done.returncode, done.stdout, done.stderr

    sentence = "cfn/shared.yml does not hold the code of aurora_tenants/lambdas; run: script/bundle\n"
    assert run("--check") == (1, "", sentence)
    assert run("--show") == (0, shown(by_hand), "")
    assert run("--show", str(TEMPLATE)) == (0, shown(code), "")
    assert run("--show", "-", stdin=copy.read_text()) == (0, shown(by_hand), "")
    assert run("--show", "-", stdin=copy.read_text().replace("exec(", "print(")) == (1, "", sentence)
    assert run("--show", "none.yml") == (1, "", "[Errno 2] No such file or directory: 'none.yml'\n")
    assert run() == (0, "", "")
    assert run("--check") == (0, "", "")
    short = {long: short for short, long in map(str.split, run("--names")[1].splitlines())}
    assert f"\ndef {short['converge']}(" in code
    archive = build()
    assert run("--hash") == (0, f"SHA-256     {archive.sha256}\nCodeSha256  {archive.checksum}\n", "")


def test_template_that_is_current_is_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine's bz2 and ast.unparse may write other bytes for the same code."""
    other = tmp_path / "shared.yml"
    other.write_text(bundled(TEMPLATE.read_text(), "# written elsewhere\n" + generated()))
    before = other.read_text()
    monkeypatch.setattr(bundle, "TEMPLATE", other)
    bundle.main([])
    assert other.read_text() == before


@pytest.mark.parametrize(
    ("module", "old", "new", "sentence"),
    [
        (
            "main",
            'return ""',
            'return HELLO\nHELLO = ""',
            "HELLO, defined in .*main, is also defined or imported by another",
        ),
        ("words", "HELLO", "json", "json, defined in .*words, is also defined or imported by another"),
        ("words", "HELLO", "print", "would hide Python's own print"),
        ("words", "def unused", "if HELLO: pass\ndef unused", "line 8: only imports and definitions can be bundled"),
        ("words", "HELLO =", "HELLO = BYE =", "only imports and definitions can be bundled"),
        ("main", "greeting, unused", "greeting as hello, unused", "imports from .*words under another name"),
        ("main", "import os", "import aurora_tenants.words", "write `from aurora_tenants.x import name`"),
        ("main", "def handler", "def handle", "main defines no handler"),
        ("main", "name: str | None", "name: ClassVar[str]", "means something to dataclass"),
    ],
)
def test_what_cannot_be_flattened_is_refused(module: str, old: str, new: str, sentence: str) -> None:
    text = MODULES[f"aurora_tenants.{module}"]
    assert old in text
    with pytest.raises(CannotBundle, match=sentence):
        flat({f"aurora_tenants.{module}": text.replace(old, new)})


def test_import_of_a_name_that_is_not_there_is_refused() -> None:
    words = MODULES["aurora_tenants.words"].replace("def greeting", "def farewell")
    with pytest.raises(CannotBundle, match=r"^aurora_tenants\.main imports greeting from aurora_tenants\.words, which"):
        flat({"aurora_tenants.words": words})


def test_one_name_imported_from_two_places_is_refused() -> None:
    words = (
        MODULES["aurora_tenants.words"].replace("import os", "from tomllib import json").replace("{HELLO}", "{json}")
    )
    with pytest.raises(CannotBundle, match=r"^json means `.*` in one module and `.*` in aurora_tenants\.words$"):
        flat({"aurora_tenants.words": words})


def test_string_that_spans_lines_keeps_its_value() -> None:
    words = MODULES["aurora_tenants.words"].replace("return name", 'return f"""{name}\n    end"""')
    names: dict[str, Callable[..., str]] = {}
    exec(flat({"aurora_tenants.words": words}), names)
    assert names["main"]({}, None) == "hello {}\n    end"


def test_what_only_plans_say_is_left_out_with_all_that_makes_it() -> None:
    words = MODULES["aurora_tenants.words"].replace("{_said(name)}", "{name}")
    words = words.replace("    return f", "    why = for_people(_said(name))\n    return why + f")
    words += "def for_people(why):\n    return why\n"
    expected = FLAT.replace("def _said(name): return name\n", "").replace("{_said(name)}", "{name}")
    expected = expected.replace(
        "def greeting(name): return f'{HELLO} {name}'",
        "def greeting(name):\n  why = ''\n  return why + f'{HELLO} {name}'",
    )
    assert ast.dump(ast.parse(flat({"aurora_tenants.words": words}))) == ast.dump(ast.parse(expected))
