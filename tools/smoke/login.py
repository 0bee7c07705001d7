"""Credentials that end: seen before a run, and noticed in the middle of one.

ends(profile="sandbox")                                 True: a session token that nothing renews
has_expired({"failed": "ClientError: … ExpiredToken"})  True: no answer of AWS's about anything else
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.credentials import RefreshableCredentials

from tools.smoke.world import EXPIRED

WHY = "the credentials have expired"
# The second is what the product makes of it.
_EXPIRED = re.compile(rf"\b(?:{'|'.join(sorted(EXPIRED))})\b|the AWS credentials have expired")


def ends(*, profile: str | None) -> bool:
    """Whether the credentials hold for a while that nobody can tell, and then no longer."""
    credentials = boto3.Session(profile_name=profile).get_credentials()
    return bool(credentials and credentials.token and not isinstance(credentials, RefreshableCredentials))


def has_expired(recorded: Mapping[str, Any]) -> bool:
    """Whether what a probe said says nothing but that the caller is nobody any more."""
    return bool(_EXPIRED.search(json.dumps(recorded, ensure_ascii=False, default=str)))
