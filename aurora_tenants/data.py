"""The files of other languages of the program: the JSON Schemas and the templates that are shipped as they are.

In the wheel they lie beside this module; in a checkout where people look for them, in `schema/` and `cfn/`.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent
_IN_CHECKOUT = {
    "tenants.schema.json": "schema",
    "plan.schema.json": "schema",
    "apply.schema.json": "schema",
    "status.schema.json": "schema",
    "shared.yml": "cfn",
    "cluster.yml": "cfn",
    "hosted-rotation.yml": "cfn",
}


def text(name: str) -> str:
    """The whole text of one of these files, by its name. Raises KeyError for any other."""
    in_checkout = _PACKAGE.parent / _IN_CHECKOUT[name] / name
    in_wheel = _PACKAGE / name
    return (in_wheel if in_wheel.exists() else in_checkout).read_text(encoding="utf-8")
