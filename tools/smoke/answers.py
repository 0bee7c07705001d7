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
from urllib.parse import quote

Json = Any
VERSION = 1
HIDDEN = "REDACTED"
_HIDDEN_ACCOUNT = "000000000000"
_SECRET_KEYS = re.compile(
    r"passw(?:or)?d|secret_?string|secret_?binary|(?:session|access|refresh|id|auth|security)_?token"
    r"|secret_?access_?key|access_?key_?id|authentication_string|^token$|client_?request_?token|credential|signature"
    r"|^authorization$",
    re.IGNORECASE,
)
# What a text in quotes is: 'a''b', "a\"b", and each of them inside JSON, where the quotes have backslashes before them.
_QUOTED = (
    r"""(?:'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|(?P<deep>\\+)"(?:(?!(?<!\\)(?P=deep)").)*(?<!\\)(?P=deep)")"""
)
_HASH = r"(?:0x[0-9a-f]+|[xX]'[0-9a-f]+')"
_NAMES = (
    r"\w*passw(?:or)?d|secret_?string|(?:session|access|refresh|id|auth|security)_?token|secret_?access_?key"
    r"|authentication_string"
)
_SECRET_TEXTS = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        rf"(?P<kept>\bidentified\s+(?:with\s+\S+\s+)?by\s+(?:password\s+)?){_QUOTED}",
        rf"(?P<kept>\s(?:by|replace)\s+){_QUOTED}",
        rf"(?P<kept>\bidentified\s+with\s+\S+\s+as\s+)(?!'RDS'){_QUOTED}",
        rf"(?P<kept>\s(?:as|by)\s+)(?:{_HASH}|[\"'][$*](?:[^'\"\\]|\\.)*[\"'])",  # a hash, in SHOW CREATE USER
        rf"(?P<kept>\bset\s+password\b[^=;]*=\s*(?:password\s*\(\s*)?){_QUOTED}",
        rf"(?P<kept>\\*[\"']?\b(?:{_NAMES})\b\\*[\"']?\s*[:=]\s*){_QUOTED}",
        rf"(?P<kept>\b(?:{_NAMES})=)[^\s&,;'\"\\]+",
        r"(?P<kept>\b(?:x-amz-)?(?:signature|security-token|credential)=)[^\s&,;'\"\\]+",
        r"(?P<kept>\bawsaccesskeyid=)[^\s&,;'\"\\]+",
        r"(?P<kept>\bauthorization['\"]?\s*[:=]\s*['\"]?(?:bearer|basic)\s+)[^\s,;'\"\\]+",
        r"\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*",  # a JWT
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        r"(?P<kept>:assumed-role/[^/\s]+/)[\w+=,.@-]+",  # the name of a session, which often is somebody's
        r"\*[0-9A-F]{40}\b",  # mysql_native_password
        r"\$A\$\d{3}\$\S+",  # caching_sha2_password
        r"\b0x(?:2441243030|2A)[0-9A-F]{20,}",  # either, as SHOW CREATE USER prints it
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
            cleaned = _replaced(cleaned, self._account, _HIDDEN_ACCOUNT)
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
            _text(str(key), secrets): _hidden(inner) if _SECRET_KEYS.search(str(key)) else redacted(inner, secrets)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [redacted(inner, secrets) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _text(str(value), secrets)  # text; or a date, bytes: whatever JSON has no form for


def _hidden(value: Json) -> Json:
    """What stands under a secret's name, of which its form may be known."""
    if isinstance(value, Mapping):
        return {str(key): _hidden(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(inner) for inner in value]
    return value if value is None or isinstance(value, bool) else HIDDEN


def _text(text: str, secrets: set[str]) -> str:
    forms = {form for it in secrets - {""} for form in (it, json.dumps(it)[1:-1], quote(it, safe=""))}
    for secret in sorted(forms, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    for pattern in _SECRET_TEXTS:
        text = pattern.sub(lambda found: (found.groupdict().get("kept") or "") + HIDDEN, text)
    return text


def _replaced(value: Json, old: str, new: str) -> Json:
    """A value with another text in each of its texts, those of keys too; numbers stay as they are."""
    if isinstance(value, dict):
        return {key.replace(old, new): _replaced(inner, old, new) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, old, new) for inner in value]
    return value.replace(old, new) if isinstance(value, str) else value


def require_new(path: Path) -> None:
    """Raises UnusableAnswers if there is a file of this name: it may be all that is left of another run."""
    if path.exists():
        raise UnusableAnswers(f"{path} is there already: name another file for the answers")


def load(path: Path) -> dict[str, Json]:
    """A file of answers. Raises UnusableAnswers."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UnusableAnswers(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("answers"), dict):
        raise UnusableAnswers(f"{path} holds no answers of script/smoke")
    if document.get("version") != VERSION:
        raise UnusableAnswers(f"{path} has version {document.get('version')}; this program reads version {VERSION}")
    for key in ("name", "account", "region"):
        if not isinstance(document.get(key), str) or not document[key]:
            raise UnusableAnswers(f"{path} does not say the {key} that its answers are of")
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", document["region"]):
        raise UnusableAnswers(f"{path} has {document['region']} for a region")
    for name, recorded in document["answers"].items():
        if not isinstance(recorded, dict) or len(recorded.keys() & {"answer", "not_run", "failed"}) != 1:
            raise UnusableAnswers(f"{path}: {name} has neither an answer nor why there is none")
    return document
