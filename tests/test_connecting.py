"""docs/connecting.md names every export, every variable and every parameter that there is; its code parses."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from aurora_tenants import config
from aurora_tenants.naming import logical_id
from aurora_tenants.tenant.parameters import TYPE
from aurora_tenants.tenant.template import template
from tests.test_service import BY_IAM, BY_PASSWORD
from tests.test_shared_template import template as shared_template
from tests.values import CLUSTER, SHOP

TEXT = (Path(__file__).parents[1] / "docs" / "connecting.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)


def first_cells(heading: str) -> list[str]:
    """The names in the first cells of the tables below a heading, up to the next one."""
    section = re.split(r"^## ", TEXT.partition(f"## {heading}\n")[2], flags=re.MULTILINE)[0]
    cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(.*?)`", cell)]


def exports(outputs: dict[str, dict[str, object]]) -> set[str]:
    """The names of the exports, as they are written: without the stack that they begin with."""
    named = [str(it["Export"]) for it in outputs.values() if "Export" in it]
    return {re.sub(r".*?\$\{AWS::StackName\}(-[\w-]+).*", r"\1", name) for name in named}


def test_every_export_is_in_it_and_no_other():
    iam = replace(SHOP.users[0], name="signed", auth="iam", rotate_after_days=0)
    tenant = template(CLUSTER, replace(SHOP, users=(*SHOP.users, iam)), keeps_server=True).body["Outputs"]
    of_tenant = {re.sub("(?<=[a-z])(Shop|Signed)$", "<Name>", name) for name in exports(tenant)}
    of_shared = exports(shared_template()["Outputs"])
    assert set(first_cells("Exports")) == {
        *(f"<stack>{name}" for name in of_shared),
        *(f"<stack>-<tenant>{name}" for name in of_tenant),
    }


def test_what_it_says_of_ids_is_so():
    assert [logical_id("Secret", name) for name in ("shop-dev", "shop_dev")] == [
        "SecretShopDev",
        "SecretShopDevB357C096",
    ]


def test_every_variable_is_in_it_and_no_other():
    assert set(first_cells("What it has to know")) == BY_PASSWORD.keys() | BY_IAM.keys()


def test_every_parameter_of_its_example_is_in_it_and_no_other():
    (example,) = [text for kind, text in BLOCKS if kind == "yaml" and "outputs: ssm" in text]
    parsed = config.parse(f"version: 1\ncluster: {{stack: shared-global}}\n{example}", "tenants.yaml")
    made = template(parsed.cluster, parsed.tenants[0]).resources.values()
    found = {it["Properties"]["Name"] for it in made if it["Type"] == TYPE}
    named = first_cells("Parameters of Systems Manager")
    whole, directory = set[str](), ""
    for name in named:  # `…/X` stands for X below the name before it
        directory = name.rpartition("/")[0] if name.startswith("/") else directory
        whole.add(f"{directory}/{name.rpartition('/')[2]}")
    others = {name for name in found if re.search("/users/shop/|/databases/shop/", name)}
    assert whole == found - others
    assert len(others) == 3


@pytest.mark.parametrize("code", [text for kind, text in BLOCKS if kind == "python"])
def test_its_python_parses(code: str):
    ast.parse(code)


@pytest.mark.parametrize("text", [text for kind, text in BLOCKS if kind == "yaml"])
def test_its_yaml_parses(text: str):
    class Loader(yaml.SafeLoader):
        """Takes tags of others, such as !ImportValue, for nothing."""

    Loader.add_multi_constructor("!", lambda loader, suffix, node: f"{suffix} {node.value}")
    assert yaml.load(text, Loader)
