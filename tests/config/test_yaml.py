"""Hostile, broken and unusual YAML: always a document or a problem with a place, never anything else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from aurora_tenants import config
from aurora_tenants.config import yaml_file
from aurora_tenants.errors import InvalidFile, Location, Problem

FILE = "f"
VALID = "version: 1\ncluster: {stack: shared}\ntenants:\n  shop: {databases: {shop: {}}, users: {shop: {}}}\n"


def data(text: str) -> object:
    document = yaml_file.parse(text, FILE)
    assert document.problems == ()
    return document.data


def problems(text: str) -> list[Problem]:
    """What is wrong with the YAML itself."""
    try:
        return list(yaml_file.parse(text, FILE).problems)
    except InvalidFile as error:
        return list(error.problems)


def briefly(text: str) -> list[str]:
    return [f"{p.where.line}:{p.where.column} {p.code}: {p.what}" for p in problems(text) if p.where]


# What scalars mean


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("on", "on"), ("yes", "yes"), ("No", "No"), ("true", True), ("False", False), ("tRUE", "tRUE")),
        *(("~", None), ("null", None), ("", None), ("''", ""), ('"null"', "null"), ("! 5", "5"), ("!!str 5", "5")),
        *(("010", 10), ("-7", -7), ("0o17", 15), ("0x1F", 31), ("1_000", "1_000"), ("12:30", "12:30")),
        *(
            ("1.5", 1.5),
            ("1e3", 1000.0),
            ("-.inf", float("-inf")),
            (".5", 0.5),
            (".", "."),
            ("+", "+"),
            ("1.2.3", "1.2.3"),
        ),
        *(("2024-01-01", "2024-01-01"), ("=", "="), ("9" * 101, 1e101), ("9" * 5000, float("inf"))),
        *(("!!int x", "x"), ("|\n  a\n  b\n", "a\nb\n"), ('"\\u00e9\\n"', "é\n"), ("[a, {b: c}]", ["a", {"b": "c"}])),
    ],
)
def test_a_scalar_means_what_yaml_1_2_says(text: str, value: object):
    assert repr(data(f"- {text}\n")) == repr([value])


def test_a_directive_does_not_bring_yaml_1_1_back():
    assert data("%YAML 1.1\n---\n- on\n- 010\n") == ["on", 10]


def test_a_byte_order_mark_and_windows_line_ends_are_nothing_special():
    assert data("\ufeffa: 1\r\nb: 2\r\n") == {"a": 1, "b": 2}


def test_merged_keys_come_after_the_own_ones_and_the_first_source_wins():
    text = "- &a {x: 1, y: 1}\n- &b {y: 2, z: 2}\n- {<<: [*a, *b], x: 0}\n- {<<: *b}\n- {'<<': text}\n"
    expected = [{"x": 1, "y": 1}, {"y": 2, "z": 2}, {"x": 0, "y": 1, "z": 2}, {"y": 2, "z": 2}, {"<<": "text"}]
    assert repr(data(text)) == repr(expected)


# Where things are


def test_every_value_knows_its_place_and_its_text():
    document = yaml_file.parse("é: {b: [0x1, 'q']}\nempty:\nalso: &a {x: y}\nalias: *a\n", FILE)
    assert document.key(()) == document.value(()) == Location(FILE, 1, 1)
    assert (document.key(("é", "b")), document.value(("é", "b"))) == (Location(FILE, 1, 5), Location(FILE, 1, 8))
    assert document.key(("é", "b", 1)) == document.value(("é", "b", 1)) == Location(FILE, 1, 14)
    assert (document.written(("é", "b", 0)), document.written(("é", "b", 1))) == ("0x1", "q")
    assert document.value(("empty",)) == Location(FILE, 2, 1)
    assert document.value(("alias", "x")) == Location(FILE, 3, 14)


# What is not YAML


@pytest.mark.parametrize(
    ("text", "expected", "fix"),
    [
        (
            "a: 'x\n",
            "1:4 invalid-yaml: this is not valid YAML: found unexpected end of stream",
            "close the quote that opens at 1:4",
        ),
        (
            "a:\n\t- b\n",
            "2:1 invalid-yaml: this is not valid YAML: found character '\\t' that cannot start any token",
            "indent with spaces: YAML allows no tabs there",
        ),
        (
            "a: x\n b: 1\n",
            "2:3 invalid-yaml: this is not valid YAML: mapping values are not allowed here",
            "check the indentation of this line, or quote a text that contains a colon",
        ),
        (
            "a: [1, 2\nb: 1\n",
            "2:2 invalid-yaml: this is not valid YAML: expected ',' or ']', but got ':'",
            "close the bracket that opens at 1:4, and separate its entries with commas",
        ),
        (
            "- a\nb: c\n",
            "2:1 invalid-yaml: this is not valid YAML: expected <block end>, but found '?'",
            "check the indentation of this line and of the line above it",
        ),
        (
            "a: @x\n",
            "1:4 invalid-yaml: this is not valid YAML: found character '@' that cannot start any token",
            'put the text in quotes: "@..."',
        ),
        (
            'a: "\\q"\n',
            "1:6 invalid-yaml: this is not valid YAML: found unknown escape character 'q'",
            "write the backslash twice, or use single quotes",
        ),
        (
            'a: "\\UFFFFFFFF"\n',
            "1:5 invalid-yaml: the escape \\UFFFFFFFF is not a character",
            "write the character itself",
        ),
        ('a: "\\ud800"\n', "1:4 invalid-yaml: this text contains half a character", "write the character itself"),
        ("é: \x07\n", "1:4 invalid-yaml: the character U+0007 is not allowed in YAML", "remove the character"),
        ("a: \ud800\n", "1:4 invalid-yaml: the character U+D800 is not allowed in YAML", "remove the character"),
        (
            "a: 1\n---\nb: 2\n",
            "2:1 several-documents: a second YAML document begins here",
            "remove the line --- and what belongs in another file",
        ),
        (
            "a: *x\n",
            "1:4 unknown-alias: the alias *x has no anchor",
            "define &x above it, or quote a text that begins with *",
        ),
        *(
            (
                text,
                "1:1 empty-file: the file is empty",
                "write version, cluster and tenants, as in the first example in README.md",
            )
            for text in ("", "\n\n", "# only a comment\n", "---\n", "~", "\ufeff")
        ),
    ],
)
def test_what_is_not_one_yaml_document_is_one_problem(text: str, expected: str, fix: str):
    assert (briefly(text), [problem.fix for problem in problems(text)]) == ([expected], [fix])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\n'a': 2\n", ["2:1 duplicate-key: the key a appears twice"]),
        ("true: 1\n010: 2\n~: 3\n: 4\n", [
            "1:1 invalid-key: the key true is the YAML boolean true",
            "2:1 invalid-key: the key 010 is the number 10",
            "3:1 invalid-key: the key ~ is empty",
            "4:1 invalid-key: this key is empty",
        ]),
        ("? [a]\n: 1\n? {b: c}\n: 2\n", [
            "1:3 invalid-key: this key is a list",
            "3:3 invalid-key: this key is a mapping",
        ]),
        ("a: !!set {x}\nb: !foo y\n", [
            "1:4 unknown-tag: unknown tag !!set",
            "2:4 unknown-tag: unknown tag !foo",
        ]),
        ("a: {<<: 1}\nb: {<<: [{}, x]}\n", [
            "1:9 invalid-merge: << merges something that is not a mapping",
            "2:9 invalid-merge: << merges something that is not a mapping",
        ]),
    ],
)  # fmt: skip
def test_what_yaml_allows_and_a_file_of_names_does_not_is_told_in_full(text: str, expected: list[str]):
    assert briefly(text) == expected


def test_a_problem_of_the_yaml_says_which_tenant_it_is_in():
    text = VALID.replace("users: {shop: {}}", "users: {shop: {adopt: true, adopt: false}}")
    assert [(problem.code, problem.context) for problem in problems(text)] == [
        ("duplicate-key", "tenant shop, user shop")
    ]


# What would do harm


@pytest.mark.parametrize("text", ["- &a [*a]", "&a {b: *a}", "- &a [{x: [*a, *a]}]", "- &a {<<: *a}"])
def test_an_alias_inside_of_its_own_anchor_is_refused(text: str):
    assert [problem.code for problem in problems(text)] == ["endless-alias"]


def test_aliases_that_multiply_to_billions_are_refused_at_once():
    lines = ["- &a0 [x, x, x, x, x, x, x, x, x, x]"] + [
        f"- &a{i + 1} [{', '.join([f'*a{i}'] * 10)}]" for i in range(12)
    ]
    assert [problem.code for problem in problems("\n".join(lines))] == ["too-large"]


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 10_000 + "x", "{a: " * 10_000, "? " * 10_000])
def test_a_hundred_thousand_levels_are_refused_at_once(text: str):
    assert [problem.code for problem in problems(text)] == ["too-deep"]


def test_levels_that_aliases_pile_up_are_refused():
    lines = ["- &a0 [x]"] + [f"- &a{i + 1} [*a{i}]" for i in range(100)]
    assert [problem.code for problem in problems("\n".join(lines))] == ["too-deep"]


# Random texts

FEW = settings(max_examples=60, deadline=None)
PIECES = st.sampled_from([
    *("a", "b: ", ": ", "- ", "? ", "\n", "\n  ", "\n    ", "{", "}", "[", "]", ", ", "'", '"', "|", ">-", "#", "\t"),
    *("&x ", "*x", "<<: ", "!!str ", "!y ", "---\n", "...\n", "%YAML 1.1\n", "\\", "\\u12", "\ufeff", "\x00", "\x85"),
    *("\ud800", "\r", "version: 1\n", "cluster: {stack: s}\n", "tenants:\n  ", "stages: [x]\n", "{stage}", "users:"),
    *("permission: ", "010", "~"),
])  # fmt: skip


def check(text: str) -> None:
    """The text is a Configuration, or problems that are each complete, printable, placed and told once."""
    try:
        config.parse(text, FILE)
    except InvalidFile as error:
        found = error.problems
        assert all(problem.where and problem.what and problem.fix for problem in found)
        assert all(f"{p.what}{p.why}{p.fix}{p.context}".isprintable() for p in found)
        assert len(set(found)) == len(found)
        places = [problem.where for problem in found if problem.where]
        assert places == sorted(places)


@FEW
@given(st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join)))
def test_any_text_is_a_configuration_or_an_invalid_file(text: str):
    check(text)


@FEW
@given(st.integers(0, len(VALID)), st.integers(0, 12), st.lists(PIECES, max_size=3).map("".join))
def test_a_damaged_file_is_a_configuration_or_an_invalid_file(at: int, length: int, instead: str):
    check(VALID[:at] + instead + VALID[at + length :])


KEYS = st.sampled_from([
    *("version", "cluster", "stack", "defaults", "rotate_after_days", "on_remove", "ignore", "tenants", "shop"),
    *("stages", "databases", "users", "shared_with", "charset", "privileges", "permission", "database", "table"),
    *("columns", "a-{stage}", "procedure", "function", "grant_option", "roles", "role", "admin_option"),
    *("default_roles", "host", "auth", "plugin", "require", "subject", "issuer", "cipher", "locked", "comment"),
    *("max_queries_per_hour", "max_user_connections", "password_history", "password_expire_after_days"),
])  # fmt: skip
SCALARS = st.sampled_from([
    *(None, True, 0, 1, 1.5, 2**32, -1, "", "shop", "ALL", "SELECT", "EXECUTE", "PROCESS", "{stage}", "a-{stage}"),
    *("dev", "*", "retain", "%", "10.0.0.1/8", "::1", "a:b", "/", "-", "10.0.0.0/", "iam", "password", "SSL", "NONE"),
    *("/CN=a", "\\", "'", "\x01", "ü", "AWS_LAMBDA_ACCESS", "AWS_", "x" * 300),
])  # fmt: skip
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4))


@FEW
@given(st.dictionaries(st.sampled_from(["stages", "databases", "users", "roles", "x"]), VALUES))
def test_a_tenant_of_any_shape_is_a_configuration_or_an_invalid_file(tenant: dict[str, object]):
    check(json.dumps({"version": 1, "cluster": {"stack": "s"}, "tenants": {"shop": tenant}}))


@FEW
@given(st.dictionaries(KEYS, VALUES, max_size=6), st.dictionaries(KEYS, VALUES, max_size=4), st.booleans())
def test_a_user_and_a_role_of_any_shape_are_a_configuration_or_an_invalid_file(
    user: dict[str, object], role: dict[str, object], has_stages: bool
):
    tenant = {"databases": {"shop": {}}, "users": {"shop": user}, "roles": {"a-{stage}": role}}
    check(
        json.dumps(
            {
                "version": 1,
                "cluster": {"stack": "s"},
                "tenants": {"shop": tenant | ({"stages": ["dev"]} if has_stages else {})},
            }
        )
    )


@FEW
@given(VALUES)
def test_a_file_of_any_shape_is_a_configuration_or_an_invalid_file(value: object):
    check(json.dumps(value))


# Files


def test_a_file_is_loaded_by_its_path(tmp_path: Path):
    path = tmp_path / "tenants.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + VALID.encode())
    assert config.load(path) == config.parse(VALID, FILE)


def refused(path: Path) -> Problem:
    with pytest.raises(InvalidFile) as caught:
        config.load(path)
    (problem,) = caught.value.problems
    return problem


def test_a_missing_file_says_how_to_name_or_write_one(tmp_path: Path):
    fix = "name the file with --file, or start from the first example in README.md"
    assert refused(tmp_path / "none") == Problem("file-not-found", f"{tmp_path}/none does not exist", fix=fix)


def test_a_directory_is_not_a_file(tmp_path: Path):
    fix = "name a readable file with --file"
    assert refused(tmp_path) == Problem("file-not-readable", f"{tmp_path} cannot be read", "Is a directory", fix)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "file/below"])
def test_a_path_that_cannot_be_is_refused(tmp_path: Path, name: str):
    (tmp_path / "file").touch()
    assert refused(tmp_path / name).code == "file-not-readable"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path):
    path = tmp_path / "tenants.yaml"
    path.touch(mode=0o200)
    assert refused(path).why == "Permission denied"


def test_a_file_that_is_not_utf_8_says_where(tmp_path: Path):
    path = tmp_path / "tenants.yaml"
    path.write_bytes("# ü\n# über".encode() + "é\n".encode("latin-1"))
    assert refused(path) == Problem(
        "not-utf-8",
        "byte 0xe9 is not UTF-8",
        "the file must be UTF-8",
        "save the file as UTF-8",
        Location(str(path), 2, 7),
    )


def test_the_example_reads_as_ruamel_yaml_itself_reads_it():
    text = (Path(__file__).parents[2] / "examples" / "tenants.yaml").read_text(encoding="utf-8")
    assert data(text) == YAML(typ="safe", pure=True).load(text)


# Directives, which Python's parser reads with what YAML.parse() prepares


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "%YAML 9.9\n---\n",
            ["1:1 invalid-yaml: this is not valid YAML: found incompatible YAML document (version 1.* is required)"],
        ),
        (
            "%YAML 1.2\n%YAML 1.2\n---\n",
            ["2:1 invalid-yaml: this is not valid YAML: found duplicate YAML directive"],
        ),
        ("%TAG ! tag:x,2000:\n---\na: !b c", ["3:4 unknown-tag: unknown tag tag:x,2000:b"]),
        ("%YAML 1.1\n---\na: on", []),
        ("%FOO\n--- a\n", []),
    ],
)
def test_directives(text: str, told: list[str]):
    assert briefly(text) == told


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [*"abc:-?{}[],&*!|>'\"%@#\n\n  ", "a: b\n", "- ", "<<: *a\n", "&a ", "---\n", "%YAML 1.2\n", "\t"]
        ),
        max_size=20,
    ).map("".join)
)
def test_events_straight_from_the_parser_are_those_that_the_library_gives(text: str):
    def told(events: object) -> list[str] | str:
        try:
            return [repr(event) for event in events]  # type: ignore[attr-defined]
        except yaml_file.PARSER_ERRORS as error:
            return str(error)

    assert told(yaml_file._events(text, pure=False)) == told(YAML(typ="safe", pure=False).parse(text))
