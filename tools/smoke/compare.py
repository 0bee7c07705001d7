"""Two files of answers, apart from what must differ between an account and a sandbox.

    differences(of_account, of_sandbox)      [Difference("error-text", "$.error.message", "…", "…")]

What must differ: the account, the region and the run's own name; ids, ARNs and addresses; versions; times, and how
long something took (keys that end in _seconds).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Json = Any
_MEASURED = re.compile(r".*_(seconds|per_second|at)\Z")
_SAME = (
    (re.compile(r"arn:aws[\w-]*:([\w-]+):[^\s\"',)]*"), r"ARN of \1"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "ID"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?"), "TIME"),
    (re.compile(r"\b\d{1,3}(\.\d{1,3}){3}\b"), "ADDRESS"),
    (re.compile(r"\bip-\d+-\d+-\d+-\d+(\.[\w.-]+)?"), "ADDRESS"),
    (re.compile(r"\b\d+\.\d+(\.mysql_aurora)?(\.\d+){1,4}(-\w+)?\b"), "VERSION"),
    (re.compile(r"\b\d+\.\d+ ?s\b"), "N s"),
    (re.compile(r"\b[0-9a-f]{16,}\b"), "ID"),
)


class Difference(NamedTuple):
    """One place of one answer. of_account, of_sandbox: what each of them has there, as JSON."""

    probe: str
    path: str
    of_account: str
    of_sandbox: str

    def __str__(self) -> str:
        return f"{self.probe} {self.path}: the account has {self.of_account}, the sandbox has {self.of_sandbox}"


def differences(of_account: Mapping[str, Json], of_sandbox: Mapping[str, Json]) -> list[Difference]:
    """Of the probes that were answered in both; documents as answers.load gives them."""
    found = []
    for probe in common(of_account, of_sandbox):
        left, right = (normalised(it["answers"][probe], it) for it in (of_account, of_sandbox))
        found += [Difference(probe, *place) for place in _places(left, right, "$")]
    return found


def common(of_account: Mapping[str, Json], of_sandbox: Mapping[str, Json]) -> list[str]:
    """The probes that can be compared: neither file says "not run" of them."""
    left, right = of_account["answers"], of_sandbox["answers"]
    return [name for name in left if name in right and not {"not_run"} & (left[name].keys() | right[name].keys())]


def normalised(value: Json, run: Mapping[str, Json]) -> Json:
    """An answer in which what must differ has one name everywhere. run: what its file says of the run."""
    if isinstance(value, Mapping):
        # Keys may be names of the run's own, too.
        return {
            _text(key, run): "MEASURED" if _MEASURED.match(key) and inner is not None else normalised(inner, run)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [normalised(inner, run) for inner in value]
    return _text(value, run) if isinstance(value, str) else value


def _text(text: str, run: Mapping[str, Json]) -> str:
    name = str(run.get("name") or "")
    if name:
        text = re.sub(rf"{re.escape(name)}-(?:cluster-)?(databaseserver|databaseinstance)-\w+", r"NAME-\1-ID", text)
        text = text.replace(name, "NAME")
    for pattern, word in _SAME:
        text = pattern.sub(word, text)
    for key in ("account", "region"):
        if run.get(key):
            text = text.replace(str(run[key]), key.upper())
    return text


def _places(left: Json, right: Json, path: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(left.keys() | right.keys()):
            if key not in left or key not in right:
                yield f"{path}.{key}", _shown_at(left, key), _shown_at(right, key)
            else:
                yield from _places(left[key], right[key], f"{path}.{key}")
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for number, pair in enumerate(zip(left, right, strict=True)):
            yield from _places(*pair, f"{path}[{number}]")
    elif left != right:
        yield path, _shown(left), _shown(right)


def _shown_at(value: Mapping[str, Json], key: str) -> str:
    return _shown(value[key]) if key in value else "nothing"


def _shown(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
