"""Single values of a shape: what a text stands for, and by which name it goes."""

from __future__ import annotations

import base64
from typing import Any

from botocore.model import Shape
from botocore.utils import parse_timestamp


def from_text(shape: Shape, text: str) -> Any:
    """The value that a form field, or a part of a path, stands for. Raises ValueError."""
    if shape.type_name == "boolean":
        return text == "true"
    if shape.type_name in ("integer", "long"):
        return int(text)
    if shape.type_name in ("float", "double"):
        return float(text)
    if shape.type_name == "timestamp":
        return parse_timestamp(text)
    if shape.type_name == "blob":
        return base64.b64decode(text, validate=True)
    return text


def name_of(shape: Shape, default: str) -> str:
    """The name by which a shape goes on the wire."""
    return str(shape.serialization.get("name", default))
