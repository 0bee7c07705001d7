"""The access keys of a sandbox: random, one for its owner and one for each function. Who holds one is let in by it.

    key = new_key()
    key.id, key.secret            "AKIASANDBOX…", "…"
    key.basic                     the header Authorization that the sandbox's own endpoints take

A signature is not verified, so the id alone is a credential to AWS's services: it is as hard to guess as the secret.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field

# By this a key of a sandbox can be told from one of AWS, which is never to be shown to whatever listens here.
PREFIX = "AKIASANDBOX"
_ALPHABET = string.ascii_uppercase + "234567"
_RANDOM_LETTERS = 26  # of 32, so 130 bits
_ASSUMED = re.compile(
    rb"<AssumeRoleResponse.*<AccessKeyId>([^<]+)</AccessKeyId>.*<SessionToken>([^<]+)</SessionToken>"
    rb".*<AssumedRoleUser>.*<Arn>([^<]+)</Arn>",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key id and its secret; neither appears where a value is printed."""

    id: str = field(repr=False)
    secret: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The value of a header Authorization, by HTTP's scheme Basic."""
        return "Basic " + base64.b64encode(f"{self.id}:{self.secret}".encode()).decode()

    def has_id(self, given: str) -> bool:
        return _same(self.id, given)

    def is_basic(self, given: str) -> bool:
        """Whether a header Authorization holds this id and this secret."""
        return _same(self.basic, given)


def new_key() -> AccessKey:
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LETTERS))
    return AccessKey(PREFIX + letters, secrets.token_urlsafe(30))


def key_in(environ: Mapping[str, str]) -> AccessKey | None:
    """The key that these variables hold, if it is one of a sandbox."""
    key_id, secret = environ.get("AWS_ACCESS_KEY_ID", ""), environ.get("AWS_SECRET_ACCESS_KEY", "")
    return AccessKey(key_id, secret) if key_id.startswith(PREFIX) and secret else None


class Sessions:
    """The temporary keys that the owner has got by AssumeRole, each with its session token.

    moto makes only a part of such a key by chance, and gives the same one to everybody who calls GetSessionToken; but
    the token that comes with an assumed role is random, and whoever has it is let in.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}
        self._arns: dict[str, str] = {}

    def note(self, answer: bytes) -> None:
        """Remembers the key in an answer of STS, if it has one."""
        if found := _ASSUMED.search(answer):
            key_id, token, arn = (part.decode() for part in found.groups())
            self._tokens[key_id], self._arns[key_id] = token, arn

    def arn(self, key_id: str) -> str:
        """The session's, arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION; empty for any other key."""
        return self._arns.get(key_id, "")

    def has(self, key_id: str, token: str) -> bool:
        known = self._tokens.get(key_id)
        return known is not None and _same(known, token)


def _same(ours: str, given: str) -> bool:
    """In a time that does not tell how much of it is right."""
    return hmac.compare_digest(ours.encode(), given.encode(errors="replace"))
