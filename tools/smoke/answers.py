"""The file of raw answers, and the one place where what nobody should read is taken out of them.

    answers = Answers(path, {"name": "smoke-1a2b3c4d", …}, secrets={"the password"})
    answers.record("error-text", {"answer": …})      {"answer": …} without secrets, in the file from now on
    load(path)["answers"]["error-text"]

It is written after every answer, for its owner alone, so that what a killed run has seen is there.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Json = Any
VERSION = 1
HIDDEN = "REDACTED"
_HIDDEN_ACCOUNT = "000000000000"
_SECRET_KEYS = re.compile(
    r"password|secret_?string|secret_?binary|session_?token|secret_?access_?key|access_?key_?id|authentication_string"
    r"|auth_?token|^token$|client_?request_?token|credential",
    re.IGNORECASE,
)
_SECRET_TEXTS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?<=identified by )'(?:[^'\\]|\\.)*'",
        r"(?<= by )'(?:[^'\\]|\\.)*'(?= (?:retain|replace))",
        r"(?<= as )'[$*](?:[^'\\]|\\.)*'",  # a hash, in SHOW CREATE USER
        r"(?<=\"password\": )\"(?:[^\"\\]|\\.)*\"",
        r"(?<=\"password\":)\"(?:[^\"\\]|\\.)*\"",
        r"(?<=x-amz-signature=)\w+",
        r"(?<=x-amz-security-token=)[^&\s\"]+",
        r"(?<=x-amz-credential=)[^&\s\"]+",
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        r"\*[0-9A-F]{40}\b",  # mysql_native_password
        r"\$A\$\d{3}\$\S+",  # caching_sha2_password
    )
)


class UnusableAnswers(Exception):
    """A file that holds no answers; its text is a sentence."""


class Answers:
    """Of one run. facts: about the run itself. secrets: values that are known to be secret; more may be added."""

    def __init__(
        self, path: Path, facts: Mapping[str, Json], *, secrets: set[str], hides_account: bool = False
    ) -> None:
        self.path, self.secrets = path, secrets
        self._account = str(facts.get("account", "")) if hides_account else ""
        self.recorded: dict[str, Json] = {}
        self._facts = self._clean(dict(facts))

    def begin(self) -> None:
        """Writes a file without answers. Raises OSError: better now than when there is something to lose."""
        self._write()

    def record(self, name: str, raw: Json) -> Json:
        """The answer as it may be kept and shown; it is in the file afterwards."""
        self.recorded[name] = self._clean(raw)
        self._write()
        return self.recorded[name]

    def clean(self, text: str) -> str:
        """A text as it may be shown."""
        return str(self._clean(text))

    def _clean(self, raw: Json) -> Json:
        cleaned = redacted(raw, self.secrets)
        if self._account:
            cleaned = json.loads(json.dumps(cleaned).replace(self._account, _HIDDEN_ACCOUNT))
        return cleaned

    def _write(self) -> None:
        document = {"version": VERSION, **self._facts, "answers": self.recorded}
        new = self.path.with_name(f".{self.path.name}.new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1, ensure_ascii=False)
            file.write("\n")
        new.replace(self.path)


def redacted(value: Json, secrets: set[str]) -> Json:
    """A value without these secrets, without what stands under a secret's name, and without what looks like one."""
    if isinstance(value, Mapping):
        return {
            str(key): HIDDEN if _SECRET_KEYS.search(str(key)) and isinstance(inner, str) else redacted(inner, secrets)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [redacted(inner, secrets) for inner in value]
    if isinstance(value, str):
        for secret in sorted(secrets - {""}, key=len, reverse=True):
            value = value.replace(secret, HIDDEN)
        for pattern in _SECRET_TEXTS:
            value = pattern.sub(HIDDEN, value)
        return value
    if value is None or isinstance(value, bool | int | float):
        return value
    return redacted(str(value), secrets)  # a date, bytes: whatever JSON has no form for


def load(path: Path) -> dict[str, Json]:
    """A file of answers. Raises UnusableAnswers."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnusableAnswers(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("answers"), dict):
        raise UnusableAnswers(f"{path} holds no answers of script/smoke")
    if document.get("version") != VERSION:
        raise UnusableAnswers(f"{path} has version {document.get('version')}; this program reads version {VERSION}")
    return document
