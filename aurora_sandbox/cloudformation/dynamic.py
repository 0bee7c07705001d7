"""Dynamic references: `{{resolve:secretsmanager:<secret>:SecretString:<json key>:<stage>:<version>}}`.

They are resolved at the last moment, for the call that makes a resource, and what they give is never kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from aurora_sandbox.cloudformation.types import ResourceFailed

# secret id, json key, stage, version (the last three may be empty)  ->  value
ResolveSecret = Callable[[str, str, str, str], str]
_REFERENCE = re.compile(r"\{\{resolve:([a-z-]+):([^}]+)\}\}")


def revealed(value: Any, resolve_secret: ResolveSecret) -> Any:
    """The same structure with every dynamic reference replaced by what it stands for.

    Raises ResourceFailed for a reference that the sandbox cannot resolve; resolve_secret's own errors pass through.
    """
    if isinstance(value, dict):
        return {key: revealed(item, resolve_secret) for key, item in value.items()}
    if isinstance(value, list):
        return [revealed(item, resolve_secret) for item in value]
    if not isinstance(value, str):
        return value
    return _REFERENCE.sub(lambda match: _secret(match[0], match[1], match[2], resolve_secret), value)


def _secret(text: str, service: str, reference: str, resolve_secret: ResolveSecret) -> str:
    if service != "secretsmanager":
        raise ResourceFailed(f"the sandbox does not imitate dynamic references to {service}")
    parts = reference.split(":")
    # A secret's ARN has six colons of its own: arn:aws:secretsmanager:region:account:secret:name
    length = 7 if parts[0] == "arn" else 1
    secret_id, rest = ":".join(parts[:length]), parts[length:]
    kind, json_key, stage, version = (*rest, *[""] * (4 - len(rest)))[:4]
    if len(rest) > 4 or kind not in ("", "SecretString"):
        raise ResourceFailed(f"Could not parse dynamic reference {text}")
    return resolve_secret(secret_id, json_key, stage, version)
