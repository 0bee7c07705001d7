"""docs/tenants-yaml.md describes every key with its default, and its examples are valid and mean what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from aurora_tenants import config, data
from aurora_tenants.config.yaml_text import flow
from aurora_tenants.model import WHOLE_SERVER
from aurora_tenants.mysql.grants import TENANT_GLOBAL
from aurora_tenants.mysql.options import Options, clauses
from tests.tenants_file import tenants

TEXT = (Path(__file__).parents[2] / "docs" / "tenants-yaml.md").read_text()
SCHEMA = json.loads(data.text("tenants.schema.json"))
# Each table as its header and its rows.
TABLES = [
    [[cell.strip() for cell in line[1:-1].split("|")] for line in block.splitlines()]
    for block in re.findall(r"^\|.*?(?=\n\n|\Z)", TEXT, re.DOTALL | re.MULTILINE)
]
ROWS = [row for table in TABLES for row in table]
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


def tables() -> list[dict[str, str]]:
    """Every table of keys, as its keys and their defaults."""
    return [
        {row[0].strip("`"): row[1].strip("`") for row in rows if row[0]}
        for header, _, *rows in TABLES
        if header[:2] == ["key", "default"]
    ]


def definitions() -> list[dict[str, Any]]:
    """The definitions of the schema in the document's order."""
    defined = SCHEMA["$defs"]
    pause = defined["pause_schedule"]
    names = ("defaults", "ignore", "rollout", "group", "tenant", "database", "privilege", "role", "role_grant", "user")
    of_cluster = (defined["cluster"], pause, defined["window"], pause["properties"]["asleep"])
    return [SCHEMA, *of_cluster, *(defined[name] for name in names)]


def test_every_key_is_described():
    described, known = [set(table) for table in tables()], [set(it["properties"]) for it in definitions()]
    assert described == known


def test_the_defaults_are_the_schemas():
    for table, definition in zip(tables(), definitions(), strict=True):
        for key, part in definition["properties"].items():
            part = SCHEMA["$defs"].get(part.get("$ref", "").removeprefix("#/$defs/"), {}) | part
            if "default" in part:
                assert table[key] == flow(part["default"]), key
            assert (table[key] == "needed") == (key in definition.get("required", [])), key


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_file_or_the_tenants_of_one(example: str):
    head = "" if "version:" in example else "version: 1\ncluster: {stack: shared-global}\n"
    assert config.parse(head + example, "f").cluster.stack == "shared-global"


def test_what_a_users_options_become_in_mysql_is_said_as_it_is():
    shown = [(row[2], row[3]) for row in ROWS if len(row) == 4 and re.match("`(REQUIRE|WITH|PASSWORD|ACCOUNT)", row[3])]
    assert len(shown) == 13
    for example, sql in shown:
        (tenant,) = tenants(f"  a: {{users: {{a: {{{example.strip('`')}}}}}}}")
        assert clauses(tenant.users[0].options, Options()).strip() == sql.strip("`")


def test_the_privileges_on_the_whole_server_are_all_named():
    (row,) = [cells for cells in ROWS if cells[0] == f'`database: "{WHOLE_SERVER}"`']
    assert row[2].split(", ") == sorted(TENANT_GLOBAL)
