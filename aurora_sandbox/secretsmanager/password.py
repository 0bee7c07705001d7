"""Random passwords by Secrets Manager's rules, for GetRandomPassword and for a template's GenerateSecretString."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Mapping
from typing import Any

from aurora_sandbox.wire import ServiceError

DEFAULT_LENGTH = 32
CHARACTER_TYPES = {
    "ExcludeLowercase": string.ascii_lowercase,
    "ExcludeUppercase": string.ascii_uppercase,
    "ExcludeNumbers": string.digits,
    "ExcludePunctuation": string.punctuation,
}


def random_password(rules: Mapping[str, Any]) -> str:
    """A password by the parameters of GetRandomPassword: PasswordLength, ExcludeCharacters, ExcludePunctuation, …

    Unless RequireEachIncludedType is false it holds a character of every type that was not excluded.
    Raises InvalidParameterException when nothing is left to choose from or the length cannot hold every type.
    """
    length = int(rules.get("PasswordLength", DEFAULT_LENGTH))
    types = [characters for option, characters in CHARACTER_TYPES.items() if not rules.get(option)]
    types += [" "] if rules.get("IncludeSpace") else []
    excluded = set(rules.get("ExcludeCharacters", ""))
    types = ["".join(sorted(set(characters) - excluded)) for characters in types]
    types = [characters for characters in types if characters]
    required = types if rules.get("RequireEachIncludedType", True) else []
    if not types:
        raise ServiceError("InvalidParameterException", "The password can't be empty: every character is excluded.")
    if not max(1, len(required)) <= length <= 4096:
        raise ServiceError("InvalidParameterException", "The password length is out of range for the requested types.")
    everything = "".join(types)
    chosen = [secrets.choice(characters) for characters in required]
    chosen += [secrets.choice(everything) for _ in range(length - len(chosen))]
    secrets.SystemRandom().shuffle(chosen)
    return "".join(chosen)


def generated_secret(rules: Mapping[str, Any]) -> str:
    """The SecretString of a template's GenerateSecretString: a bare password, or the template with it under its key."""
    template, key = rules.get("SecretStringTemplate"), rules.get("GenerateStringKey")
    if (template is None) != (key is None):
        raise ServiceError("InvalidParameterException", "SecretStringTemplate and GenerateStringKey belong together.")
    password = random_password(rules)
    if template is None:
        return password
    try:
        content = json.loads(template)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise ServiceError("InvalidParameterException", "SecretStringTemplate must be a JSON object.")
    return json.dumps({**content, key: password})
