"""Versions of Aurora MySQL: those that AWS had when the installed cfn-lint was made, and what each of them can.

versions("aurora-mysql")         ("5.7.mysql_aurora.2.11.1", …, "8.0.mysql_aurora.3.10.6", …)
described(version)               a DBEngineVersion, as DescribeDBEngineVersions gives it

Source of what they can: "Aurora Serverless v2 capacity", Aurora User Guide.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib.resources import files
from typing import Any

ENGINE = "aurora-mysql"
SERVERLESS = "db.serverless"
_FULL = re.compile(r"(\d+\.\d+)\.mysql_aurora\.(\d+)\.(\d+)")
_PAUSES, _TO_256, _SERVERLESS_FROM = (3, 8), (3, 6), (3, 2)


@lru_cache
def versions() -> tuple[str, ...]:
    """Full names alone: `8.0` would be whatever is newest."""
    data = files("cfnlint") / "data" / "schemas" / "extensions" / "aws_rds_dbcluster" / "engine_version.json"
    rules = json.loads(data.read_text())["allOf"]
    of_engine = (rule for rule in rules if rule["if"]["properties"].get("Engine", {}).get("const") == ENGINE)
    names = next(of_engine)["then"]["properties"]["EngineVersion"]["enum"]
    return tuple(name for name in names if _FULL.match(name))


def refusal(version: str) -> str:
    """RDS's sentence for a version that it does not have; empty for one that it has, and for a beginning such as `8.0`.

    Source of the sentence: issue 302 of terraform-aws-modules/terraform-aws-rds-aurora.
    """
    is_there = any(name == version or name.startswith(f"{version}.") for name in versions())
    return "" if is_there else f"Cannot find version {version} for {ENGINE}"


def described(version: str) -> dict[str, Any]:
    """What RDS says of a version, as far as it is known here."""
    found = _FULL.match(version)
    assert found is not None
    description: dict[str, Any] = {
        "Engine": ENGINE,
        "EngineVersion": version,
        "MajorEngineVersion": found[1],
        "DBParameterGroupFamily": f"{ENGINE}{found[1]}",
        "DBEngineDescription": "Aurora MySQL",
        "DBEngineVersionDescription": f"Aurora MySQL {found[2]}.{found[3]} (compatible with MySQL {found[1]})",
        "SupportedEngineModes": ["provisioned"],
        "Status": "available",
    }
    if is_serverless(version):
        number = _number(version)
        least = 0.0 if number >= _PAUSES else 0.5
        description["ServerlessV2FeaturesSupport"] = {
            "MinCapacity": least,
            "MaxCapacity": 256.0 if number >= _TO_256 else 128.0,
        }
    return description


def is_serverless(version: str) -> bool:
    """Whether instances of a cluster of this version may be db.serverless."""
    return _number(version) >= _SERVERLESS_FROM


def orderable(version: str) -> dict[str, Any]:
    """An OrderableDBInstanceOption of db.serverless, the one class that the sandbox has a server for."""
    return {
        "Engine": ENGINE,
        "EngineVersion": version,
        "DBInstanceClass": SERVERLESS,
        "LicenseModel": "general-public-license",
        "Vpc": True,
        "SupportedEngineModes": ["provisioned"],
    }


def _number(version: str) -> tuple[int, int]:
    found = _FULL.match(version)
    return (int(found[2]), int(found[3])) if found else (0, 0)
