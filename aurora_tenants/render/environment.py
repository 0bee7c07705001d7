"""What a service is told, as text: shell, dotenv, JSON or one URL. Pure.

export DATABASE_NAME=shop           shell
DATABASE_NAME=shop                  dotenv
mysql://shop@host:3306/shop         url: without a password, and without options, which every driver spells its own way
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from urllib.parse import quote

from aurora_tenants.errors import AwsError, InvalidUsage, Problem

Values = Mapping[str, str]

# What no parser of such files takes for a quote, a comment, a variable or an end.
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,-]*\Z")
_ESCAPED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "$": "\\$"}
_OF_URL = ("DATABASE_USER", "DATABASE_HOST", "DATABASE_PORT", "DATABASE_NAME")


def writer(form: str) -> Callable[[Values], str]:
    """What writes values in a form. Raises InvalidUsage for another one."""
    writers = {"shell": _shell, "dotenv": _dotenv, "json": _json, "url": _url}
    if form not in writers:
        fix = "use shell, dotenv, json or url"
        raise InvalidUsage(Problem("unknown-format", f"--format cannot be {form}", fix=fix))
    return writers[form]


def _shell(values: Values) -> str:
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())


def _dotenv(values: Values) -> str:
    return "\n".join(f"{name}={_quoted(value)}" for name, value in values.items())


def _quoted(value: str) -> str:
    """A value as it is where every parser reads it so; else in single quotes, between which nothing stands for
    anything else; with one of these or an end of line in it in double quotes, so that it never takes a second line.
    """
    if _PLAIN.match(value):
        return value
    if not re.search(r"['\\\r\n]", value):
        return f"'{value}'"
    return f'"{"".join(_ESCAPED.get(character, character) for character in value)}"'


def _json(values: Values) -> str:
    return json.dumps(values, indent=2)


def _url(values: Values) -> str:
    """Raises AwsError where the address is not known: with the sentence beside it that says why."""
    if lacking := [name for name in _OF_URL if name not in values]:
        why = f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not known"
        raise AwsError(Problem("no-url", "a URL cannot be written", why, "deploy the shared stack again"))
    user, host, port, name = (values[part] for part in _OF_URL)
    return f"mysql://{quote(user, safe='')}@{host}:{port}/{quote(name, safe='')}"
