"""What CloudFormation alone knows of a tenant's things: secrets, rotations, what becomes of what is removed. Pure.

MySQL shows none of it, so the template that is deployed is compared with the one that is to be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from aurora_tenants.model import OWN
from aurora_tenants.naming import REVISION
from aurora_tenants.rotations.function import Rotation, function_in_words, rotation_in
from aurora_tenants.rotations.rules import NEVER, Rules
from aurora_tenants.tenant import parameters
from aurora_tenants.tenant.rights import NONE, Part, name

Resources = Mapping[str, Mapping[str, Any]]

KINDS_OF_RESOURCES: Mapping[str, str] = {
    "Custom::Database": "database",
    "Custom::DatabaseRole": "role",
    "Custom::DatabaseUser": "user",
}
_SECRET, _ROTATION = "AWS::SecretsManager::Secret", "AWS::SecretsManager::RotationSchedule"
# What the properties are called in the file. Those of the first are told apart in MySQL too, and told from there.
_IN_MYSQL = {
    "Charset": "charset",
    "Collation": "collation",
    "SharedWith": "shared_with",
    "Hosts": "host",
    "Auth": "auth",
    "Plugin": "plugin",
    "Require": "require",
    "MaxQueriesPerHour": "max_queries_per_hour",
    "MaxUpdatesPerHour": "max_updates_per_hour",
    "MaxConnectionsPerHour": "max_connections_per_hour",
    "MaxUserConnections": "max_user_connections",
    "Locked": "locked",
    "PasswordExpireAfterDays": "password_expire_after_days",
    "PasswordHistory": "password_history",
    "PasswordReuseAfterDays": "password_reuse_after_days",
    "PasswordRequireCurrent": "password_require_current",
    "Comment": "comment",
    "Roles": "roles",
    "DefaultRoles": "default_roles",
    "Privileges": "privileges",
}
_WORDS = {"MovedFrom": "moved_from", "RenamedFrom": "renamed_from"}
_TOLD = frozenset(("Adopt", "OnRemove", "SecretId", "UserName", "Name", *_WORDS))


class Settings(NamedTuple):
    """Of one database, role or user. has_secret, rotation, rotated_by: of a user; the last two as in `Rotation`. skips:
    on what its rights wait for what is not there yet.
    """

    kind: str = "user"
    on_remove: str = ""
    adopt: bool = False
    has_secret: bool = False
    rotation: Rules = NEVER
    rotated_by: str = OWN
    skips: tuple[str, ...] = ()


def settings_of(resources: Resources) -> dict[str, Settings]:
    """By the logical ids of databases, roles and users. Raises LookupError, TypeError, … for what others wrote."""
    rotations = {
        resource["Properties"]["SecretId"]["Ref"]: rotation_in(resource["Properties"])
        for resource in resources.values()
        if resource["Type"] == _ROTATION
    }
    found = {}
    for logical_id, resource in resources.items():
        if resource["Type"] in KINDS_OF_RESOURCES:
            properties = resource["Properties"]
            secret = properties.get("SecretId", {}).get("Ref", "")
            rotation = rotations.get(secret, Rotation())
            found[logical_id] = Settings(
                kind=KINDS_OF_RESOURCES[resource["Type"]],
                on_remove=str(properties.get("OnRemove", "")),
                adopt=bool(properties.get("Adopt")),
                has_secret=bool(secret),
                rotation=rotation.rules,
                rotated_by=rotation.function,
                skips=tuple(_on(entry) for entry in properties.get("Privileges", ()) if _skips(entry)),
            )
    return found


def _skips(privilege: Mapping[str, Any]) -> bool:
    return privilege.get("WhenMissing") == "skip"


def _on(privilege: Mapping[str, Any]) -> str:
    for kind in ("Procedure", "Function"):
        if kind in privilege:
            return f"{kind.lower()} {name(privilege['Database'])}.{name(privilege[kind])}"
    return f"{name(privilege['Database'])}.{name(privilege.get('Table', '*'))}"


def new_settings(settings: Settings) -> list[Part]:
    """What is to be told of something that is made."""
    parts = []
    if settings.has_secret:
        parts.append(Part(f"secret, {_rotates(settings)}"))
    if settings.on_remove and settings.on_remove != "retain":
        parts.append(Part(f"on_remove: {settings.on_remove}"))
    return parts + [Part(f"waits for {what}, if it is not there yet") for what in settings.skips]


def _rotates(settings: Settings) -> str:
    """`rotates every 30 days`, with what does it where that is not the shared stack."""
    if settings.rotation == NEVER:
        return "never rotated"
    by = f", by {function_in_words(settings.rotated_by)}" if settings.rotated_by != OWN else ""
    return f"rotates {settings.rotation.words()}{by}"


def setting_differences(new: Settings, old: Settings) -> list[Part]:
    """What differs of something that is deployed already."""
    parts = []
    if new.has_secret and not old.has_secret:
        parts.append(Part("secret", NONE, f"a new one, {_rotates(new)}"))
    elif old.has_secret and not new.has_secret:
        parts.append(Part("its secret is deleted"))
    elif new.has_secret:
        parts += _rotation_differences(new, old)
    if new.on_remove != old.on_remove:
        parts.append(_on_remove(new, old))
    if new.adopt != old.adopt:
        parts.append(Part("adopt", _yes(old.adopt), _yes(new.adopt)))
    for what in sorted({*new.skips} ^ {*old.skips}):
        words = ("skip", "fail") if what in old.skips else ("fail", "skip")
        parts.append(Part(f"when_missing on {what}", *words))
    return parts


def _rotation_differences(new: Settings, old: Settings) -> list[Part]:
    parts = []
    if new.rotation != old.rotation:
        # Days of the calendar are never as far apart as the file says, but for a few days.
        is_rarer = new.rotation.a_year < old.rotation.a_year * 0.95
        parts.append(Part("rotates", old.rotation.words(), new.rotation.words(), "weaker" if is_rarer else ""))
    if new.rotated_by != old.rotated_by and NEVER not in (new.rotation, old.rotation):
        parts.append(Part("rotated by", function_in_words(old.rotated_by), function_in_words(new.rotated_by)))
    return parts


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _on_remove(new: Settings, old: Settings) -> Part:
    """Weaker: a database that can be dropped from then on, a user who keeps access that it would have lost."""
    default = "retain" if new.kind == "database" else "drop if its stack made it, else keep"
    before, after = old.on_remove or default, new.on_remove or default
    is_weaker = after == ("drop" if new.kind == "database" else "keep")
    return Part("on_remove", before, after, "weaker" if is_weaker else "")


class Changed(NamedTuple):
    """What else differs between two templates. silent: keys of the file by logical id, which MySQL has to show;
    form: what differs only in how this program writes it, "UserShop: ServiceTimeout". words: keys of the file that say
    where something was before, and mean nothing any more once it is here.
    """

    silent: Mapping[str, tuple[str, ...]]
    form: tuple[str, ...]
    words: tuple[str, ...] = ()


def changed(new: Resources, old: Resources) -> Changed:
    """What differs of the resources that both templates have."""
    silent, form, words = dict[str, tuple[str, ...]](), list[str](), set[str]()
    for logical_id in new.keys() & old.keys():
        after, before = new[logical_id], old[logical_id]
        if after["Type"] == before["Type"] == parameters.TYPE:
            continue  # told by themselves
        properties = _different(after.get("Properties", {}), before.get("Properties", {}))
        is_custom = after["Type"] in KINDS_OF_RESOURCES
        if is_custom and (keys := tuple(_IN_MYSQL[each] for each in properties if each in _IN_MYSQL)):
            silent[logical_id] = keys
        words |= {word for each, word in _WORDS.items() if is_custom and each in properties}
        of_rotation = {"RotationRules", "RotationLambdaARN"} if after["Type"] == _ROTATION else set[str]()
        known = {*_IN_MYSQL, *_TOLD, REVISION} if is_custom else of_rotation
        rest = [each for each in properties if each not in known]
        # What a resource waits for follows from its privileges.
        aside: dict[str, Any] = {"Properties": {}, "DependsOn": ()}
        rest += _different({**after, **aside}, {**before, **aside})
        if rest:
            form.append(f"{logical_id}: {', '.join(rest)}")
    return Changed(silent, tuple(sorted(form)), tuple(sorted(words)))


def _different(after: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    return sorted(key for key in after.keys() | before.keys() if after.get(key) != before.get(key))
