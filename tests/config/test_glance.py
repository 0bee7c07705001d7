"""What a glance at the head of a file tells is what the whole file says, or nothing."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_tenants import config
from aurora_tenants.config.glance import glance, is_same_place
from aurora_tenants.errors import InvalidFile
from aurora_tenants.model import Cluster
from tests.tenants_file import HEAD

SHOP = "  shop: {databases: {shop: {}}, users: {shop: {}}}\n"
PIECES = st.sampled_from(
    [
        *("cluster:", "stack:", "region:", "account:", " ", "\n", "  ", "{", "}", "[", "]", ": ", ", ", "&a ", "*a"),
        *("<<: ", "---\n", "...\n", "# x\n", '"', "'", "!!str ", "%YAML 1.1\n", "? ", "eu-west-1", "123456789012"),
        *("x", "null"),
    ]
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD + SHOP, Cluster("shared")),
        (
            "cluster: {stack: s, region: eu-west-1, account: '012345678901'}\n",
            Cluster("s", "eu-west-1", None, "012345678901"),
        ),
        ("# words\n---\nversion: 1\ncluster:\n  pause_schedule: {a: [b, {c: d}]}\n  stack: s\n", Cluster("s")),
        ("defaults: {a: [b]}\ncluster:\n  stack: s\ntenants: [\n", Cluster("s")),
        ("cluster: &c {stack: s}\n", Cluster("s")),
    ],
)
def test_a_glance(text: str, expected: Cluster):
    found = glance(text)
    assert found is not None and is_same_place(found, expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version: 1\n",
        "- cluster: {stack: s}\n",
        "cluster: s\n",
        "cluster: *c\n",
        "cluster: {region: eu-west-1}\n",
        "cluster: {<<: {stack: s}}\n",
        "? [a]\n: b\ncluster: {stack: s}\n",
        "cluster: {stack: s\n",
        "cluster: {stack: 5}\n",
        "tenants:\n" + SHOP * 2000 + "cluster: {stack: s}\n",
    ],
)
def test_what_takes_more_than_a_glance(text: str):
    assert glance(text) is None


TEXT = "version: 1\ncluster: {stack: shared, region: eu-west-1}\ntenants:\n" + SHOP


@given(st.integers(0, len(TEXT)), st.integers(0, 12), st.lists(PIECES, max_size=3).map("".join))
def test_a_valid_file_says_the_same_or_the_glance_is_thrown_away(at: int, length: int, instead: str):
    text = TEXT[:at] + instead + TEXT[at + length :]
    found = glance(text)  # raises nothing, whatever the text is
    with suppress(InvalidFile):
        whole = config.parse(text, "tenants.yaml").cluster
        assert found is None or found.stack == whole.stack
