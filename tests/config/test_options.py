"""What a user's account needs: read for each user that says anything of it, and once for all others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aurora_tenants import data
from aurora_tenants.config import options, schema

USER = schema.flattened(json.loads(data.text(schema.FILE)))["properties"]["tenants"]["additionalProperties"]
KEYS: dict[str, Any] = USER["properties"]["users"]["additionalProperties"]["properties"]


@pytest.mark.parametrize("auth", ["password", "iam"])
@pytest.mark.parametrize(("key", "value"), [(key, value) for key, of in KEYS.items() for value in of["examples"]])
def test_no_key_of_a_user_is_overlooked(key: str, value: Any, auth: Any):
    body = {key: value}
    assert options.declared(body, "dev", auth=auth, max_user_connections=7) == options.read(body, 7, auth, "dev")


def test_options_are_of_no_other_keys():
    assert KEYS.keys() > options.KEYS
