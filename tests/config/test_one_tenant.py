"""What is read for one tenant alone: its entry, and the whole file where that is not enough."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aurora_tenants import config
from aurora_tenants.errors import InvalidFile
from aurora_tenants.model import Configuration
from tests.tenants_file import HEAD

SHOP = "  shop: {databases: {shop: }, users: {shop: {privileges: [{permission: ALL, database: shop}]}}}\n"
WRONG = "  other: {databases: {other: {charset: 5}}, uesrs: {}}\n"


def loaded(path: Path, text: str, tenant: str) -> Configuration:
    path.write_text(text, encoding="utf-8")
    return config.load_for(path, tenant)


def codes(path: Path, text: str, tenant: str) -> list[str]:
    with pytest.raises(InvalidFile) as caught:
        loaded(path, text, tenant)
    return [problem.code for problem in caught.value.problems]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tenants.yaml"


def test_what_is_wrong_with_another_tenant_does_not_matter(file: Path):
    found = loaded(file, HEAD + SHOP + WRONG, "shop")
    assert [tenant.name for tenant in found.tenants] == ["shop"]
    alone = config.parse(HEAD + SHOP, str(file))
    assert found == alone
    assert found.tenants[0].users[0].where == alone.tenants[0].users[0].where


def test_what_is_wrong_with_ignore_and_rollout_does_not_matter(file: Path):
    assert loaded(file, "ignore: 5\nrollout: {groups: [{name: a, tenants: [nobody]}]}\n" + HEAD + SHOP, "shop").tenants


@pytest.mark.parametrize(
    "text",
    [
        HEAD + SHOP + WRONG + "  more: {databases: {a.b: }}\n",
        HEAD.replace("shared", "sha_red") + SHOP,
        HEAD.replace("version: 1", "version: 2") + SHOP,
        HEAD + SHOP + SHOP,
        HEAD + "  shop: {users: {shop: {privileges: [{permission: ALL, database: nobodys}]}}}\n",
        "defaults: {on_remove: never}\n" + HEAD + SHOP,
        HEAD + SHOP.replace("shop: }", "shop: !!set {}}"),
        HEAD,
    ],
)
def test_what_is_wrong_with_the_tenant_or_with_all_is_told_as_ever(file: Path, text: str):
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidFile) as whole:
        config.load(file)
    with pytest.raises(InvalidFile) as one:
        config.load_for(file, "more" if "more" in text else "shop")
    assert one.value.problems == whole.value.problems


def test_a_text_that_is_not_yaml_is_refused_wherever_that_is(file: Path):
    assert codes(file, HEAD + SHOP + "  other: [", "shop") == ["invalid-yaml"]


def test_an_entry_that_is_about_others_has_the_whole_file_checked(file: Path):
    shared = "  billing: {databases: {billing: {shared_with: [shop]}}}\n"
    shop = SHOP.replace("]}}}", ", {permission: SELECT, database: billing}]}}}")
    assert [tenant.name for tenant in loaded(file, HEAD + shop + shared, "shop").tenants] == ["shop", "billing"]
    assert codes(file, HEAD + shop + shared.replace("shared_with: [shop]", ""), "shop") == [
        "database-of-another-tenant"
    ]
    assert codes(file, HEAD + shop + shared + WRONG, "shop") == ["wrong-type", "unknown-key"]


def test_an_entry_with_stages_gives_all_of_them(file: Path):
    text = HEAD + "  a: {stages: [dev, prod], databases: {'a-{stage}': }}\n" + WRONG
    assert [tenant.name for tenant in loaded(file, text, "a-prod").tenants] == ["a-dev", "a-prod"]
    assert "unknown-key" in codes(file, text, "a")


def test_a_name_that_two_entries_stand_for_is_told(file: Path):
    text = HEAD + "  a: {stages: [dev]}\n  a-dev: {}\n"
    assert codes(file, text, "a-dev") == ["duplicate-tenant"]


def test_of_a_tenant_that_is_not_there_all_others_are_known(file: Path):
    assert [tenant.name for tenant in loaded(file, HEAD + SHOP + "  b: {}\n", "c").tenants] == ["shop", "b"]


ENTRIES = [
    "databases: {n: }, users: {n: {privileges: [{permission: ALL, database: n}]}}",
    "databases: {n: {shared_with: [a, b]}}",
    "databases: {n: {on_remove: drop}}, users: {n: {privileges: [{permission: SELECT, database: a}]}}",
    "stages: [dev, prod], databases: {'n-{stage}': {shared_with: ['a-{stage}', b]}}",
    "stages: [dev], users: {'n-{stage}': {roles: [a]}}",
    "roles: {n-r: }, users: {n: {roles: [n-r], comment: five}}",
    "users: {n: {host: [10.0.0.1, app.example.com], require: SSL, moved_from: b}}",
    "databases: {n: {charset: 5}}",
    "users: {n: {renamed_from: a}}",
    "users: {n: {renamed_from: old}}",
    "databases: {A: }",
    "roles: {a-dev: }",
    "databases: {n: }, users: {a-dev: }",
    "databases: {'n n': }",
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=st.lists(st.sampled_from(ENTRIES), min_size=1, max_size=4))
def test_a_tenant_is_the_same_as_in_the_whole_file(file: Path, entries: list[str]):
    """Or refused, where a problem of the whole file is one of its own entry."""
    lines = [f"  {name}: {{{entry}}}\n" for name, entry in zip("abcd", entries, strict=False)]
    lines = [line.replace("n:", f"{line[2]}:").replace("n-", f"{line[2]}-") for line in lines]
    text = HEAD + "".join(lines)
    try:
        whole = config.parse(text, str(file))
        wrong = set[int]()
    except InvalidFile as error:
        whole = None
        wrong = {problem.where.line - 4 for problem in error.problems if problem.where}
    for at, line in enumerate(lines):
        name = line[2] + ("-dev" if "stages" in line else "")
        if at in wrong:
            with pytest.raises(InvalidFile):
                loaded(file, text, name)
        elif whole:
            (expected,) = (tenant for tenant in whole.tenants if tenant.name == name)
            assert expected in loaded(file, text, name).tenants
