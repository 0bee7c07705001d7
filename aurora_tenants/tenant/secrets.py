"""What differs between the secrets of a tenant's users and what its template says of them. Pure.

drifted(template.resources, stack.outputs, secrets)
(SecretDrift("shop", "/shared-global/database/shop", "rotation: off → every 30 days", ("rotation",)),)

Of a secret's value nothing is known but what a login showed (`Login`), which is tried on request alone. When a secret
was last changed (LastChangedDate) says nothing of who did it: a rotation, CloudFormation, a tag and a label that moves
all change that date.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from aurora_tenants.model import HOSTED, OWN
from aurora_tenants.naming import DIGEST, HOSTED_USER
from aurora_tenants.rotations.rules import NEVER, Rules, read
from aurora_tenants.stack import Template
from aurora_tenants.tenant.handover import no_longer_after
from aurora_tenants.tenant.parts import Parts, parts_of

Heal = Literal[
    "restore", "end-rotation", "replace", "remake", "cancel", "rotation", "attachment", "value", "password", "rotate"
]

# Heals for which the user's resource has to look at MySQL again.
_ASKS_PROVIDER: frozenset[Heal] = frozenset({"value", "password"})
# Where the template is deployed without something first: CloudFormation makes nothing again that it takes for there.
_TAKES_APART: frozenset[Heal] = frozenset({"rotation", "attachment", "value"})
# The digest of that template, which is of no file: if the second deployment does not come, the next plan goes on.
_APART = "heals secrets"
_OF_ROTATION: frozenset[Heal] = frozenset({"cancel", "rotation"})
# Secrets Manager rotates within a day of the date that it tells, and tries a rotation that fails again by itself.
_LATE, _STUCK = timedelta(days=1), timedelta(days=1)
# What an attachment writes; anything else is the user's own login.
ATTACHED = ("engine", "host", "port", "dbClusterIdentifier")


class SecretDrift(NamedTuple):
    """One thing that somebody changed by hand. user: whose secret it is. secret: its name.

    what: what is shown of it, old and new: "rotation: off → every 30 days". heals: what brings it back.
    """

    user: str
    secret: str
    what: str
    heals: tuple[Heal, ...]


class LiveSecret(NamedTuple):
    """A secret as Secrets Manager lists it. is_deleted: it waits for its deletion, and can be restored until then.

    function: ARN of what rotates it, which stays when rotation is off. days, schedule, duration: when, as Secrets
    Manager tells it; all empty for never. has_pending: a version waits to become the current one. endpoint_subnets: of
    what rotates it, where its stack says that in a tag; None elsewhere. accessed: the day that somebody last read its
    value, in UTC.
    """

    name: str
    arn: str
    is_deleted: bool = False
    rotates: bool = False
    function: str = ""
    days: int | None = None
    schedule: str = ""
    duration: str = ""
    rotated: datetime | None = None
    changed: datetime | None = None
    next_rotation: datetime | None = None
    has_pending: bool = False
    endpoint_subnets: tuple[str, ...] | None = None
    accessed: datetime | None = None

    @property
    def rules(self) -> Rules:
        """When it is rotated."""
        told = {"AutomaticallyAfterDays": self.days or 0, "ScheduleExpression": self.schedule}
        return read({**told, "Duration": self.duration})

    @property
    def period(self) -> str:
        """`every 30 days`, or the expression that somebody set."""
        return "at no time" if self.rules == NEVER else self.rules.words()


class Login(NamedTuple):
    """What came of a user's login. is_refused: MySQL does not accept the secret's password.

    wrong: the fields of the secret that are missing or say something else. why_not: why the login tells nothing, or was
    not tried; empty where it was.
    """

    is_refused: bool = False
    wrong: tuple[str, ...] = ()
    why_not: str = ""


class Secrets(NamedTuple):
    """The secrets of all users of a cluster, by name. function: ARN of the shared stack's that rotates them. now: by
    AWS's clock.

    logins: by the secret's name, of those that were tried.
    """

    by_name: Mapping[str, LiveSecret]
    function: str
    now: datetime
    logins: Mapping[str, Login] = MappingProxyType({})

    @property
    def hosted(self) -> LiveSecret | None:
        """The secret of the stack of cfn/hosted-rotation.yml; None where none is seen."""
        prefix, _, _ = next(iter(self.by_name), "").partition("/database/")
        found = self.by_name.get(f"{prefix}/database/{HOSTED_USER}")
        return found if found and found.function and not found.is_deleted else None

    def arn_of(self, function: str) -> str:
        """The ARN of what rotates a secret; empty where it is not known. function: as `Rotation.function`."""
        hosted = self.hosted if function == HOSTED else None
        return {OWN: self.function, HOSTED: hosted.function if hosted else ""}.get(function, function)


def drifted(
    resources: Mapping[str, Mapping[str, Any]], outputs: Mapping[str, str], secrets: Secrets
) -> tuple[SecretDrift, ...]:
    """What differs for the secrets of a template that are deployed; one that is new is the file's doing.

    outputs: of the stack, which tell the ARN of each secret by its logical id.
    """
    found: list[SecretDrift] = []
    for parts in parts_of(resources):
        if arn := outputs.get(parts.secret):
            differences = _of_secret(parts, arn, secrets)
            found += (SecretDrift(parts.username, parts.name, what, heals) for what, heals in differences)
    return tuple(found)


def without_of_file(
    found: Iterable[SecretDrift],
    deployed: Mapping[str, Mapping[str, Any]],
    outputs: Mapping[str, str],
    secrets: Secrets,
) -> tuple[SecretDrift, ...]:
    """The same without the rotations that only differ because the file changed. deployed: the resources until now."""
    before = {drift.secret for drift in drifted(deployed, outputs, secrets) if is_of_rotation(drift)}
    return tuple(drift for drift in found if not is_of_rotation(drift) or drift.secret in before)


def is_of_rotation(drift: SecretDrift) -> bool:
    """Whether it is about how often a secret is rotated, and by what: a change of the file looks like it."""
    return bool(_OF_ROTATION.intersection(drift.heals))


def asks_provider(
    resources: Mapping[str, Mapping[str, Any]], found: Iterable[SecretDrift], outputs: Mapping[str, str]
) -> list[str]:
    """The logical ids of the users that have to be compared with MySQL again, all if their stack is half healed.

    outputs: of the stack.
    """
    names = {drift.secret for drift in found if _ASKS_PROVIDER.intersection(drift.heals)}
    is_half = outputs.get(DIGEST) == _APART
    if not names and not is_half:
        return []
    return [parts.user for parts in parts_of(resources) if parts.user and (is_half or parts.name in names)]


def taken_apart(template: Template, found: Iterable[SecretDrift]) -> Template | None:
    """What is deployed before the template, so that rotations, attachments and values are made again by it.

    None where nothing is. Without its rotation a secret is not rotated, without its attachment it says no address; a
    value is made again where what is to be generated is another.
    """
    heals: dict[str, set[Heal]] = {}
    for drift in found:
        heals.setdefault(drift.secret, set()).update(_TAKES_APART.intersection(drift.heals))
    gone, others = set[str](), set[str]()
    for parts in parts_of(template.resources):
        wanted = heals.get(parts.name, set())
        gone |= {parts.rotation} if "rotation" in wanted else set()
        gone |= {parts.attachment} if wanted & {"attachment", "value"} else set()
        others |= {parts.secret} if "value" in wanted else set()
    gone.discard("")
    if not gone | others:
        return None
    resources = {
        name: _generating_another(each) if name in others else no_longer_after(each, gone)
        for name, each in template.resources.items()
        if name not in gone
    }
    outputs = template.body["Outputs"]
    outputs = {**outputs, DIGEST: {**outputs[DIGEST], "Value": _APART}}
    return Template({**template.body, "Resources": resources, "Outputs": outputs}, _APART)


def _generating_another(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = resource["Properties"]
    rules = properties["GenerateSecretString"]
    another = {**rules, "PasswordLength": rules["PasswordLength"] + 1}
    return {**resource, "Properties": {**properties, "GenerateSecretString": another}}


_Difference = tuple[str, tuple[Heal, ...]]
_GONE = "secret: gone → made again, with another ARN and another password"
_RESTORED: _Difference = ("secret: waits for its deletion → restored", ("restore",))


def before_move(user: str, secret: LiveSecret) -> Iterator[SecretDrift]:
    """What is done about a secret before it goes to another stack, which takes in none that waits for its deletion, and
    rotates none of which a version waits to become the current one.
    """
    if secret.is_deleted:
        yield SecretDrift(user, secret.name, *_RESTORED)
    if secret.has_pending:
        yield SecretDrift(user, secret.name, "rotation: under way → ended before it moves", ("end-rotation",))


def is_gone(user: str, secret: str) -> SecretDrift:
    """Of a secret that was to go to another stack, whose template makes one. secret: its name."""
    return SecretDrift(user, secret, _GONE, ())


def _of_secret(parts: Parts, arn: str, secrets: Secrets) -> Iterator[_Difference]:
    live = secrets.by_name.get(parts.name)
    if live is None:
        yield _GONE, ("remake",)
        return
    if live.arn != arn:
        what = "secret: another one has its name → that one is deleted, and it is made again with another password"
        yield what, ("replace", "remake")
        return
    if live.is_deleted:
        yield _RESTORED
    yield from _rotation(parts, live, secrets)
    if login := secrets.logins.get(parts.name):
        yield from _login(login)


def _rotation(parts: Parts, live: LiveSecret, secrets: Secrets) -> Iterator[_Difference]:
    is_rotated, schedule = parts.rules is not None, _schedule(parts, live, secrets.arn_of(parts.function))
    if schedule:
        yield schedule
    if stuck := stuck_since(live, secrets.now):
        since = f"failed, and stuck since {stuck:%Y-%m-%d}"
        if is_rotated:
            yield f"rotation: {since} → begun again", ("end-rotation", "rotate")
        else:
            yield f"rotation: {since} → its version is taken back", ("end-rotation",)
    elif is_rotated and not schedule and (due := overdue_since(live, secrets.now)):
        # A version that waits is of a rotation that fails; as long as it does, no other is begun.
        heals: tuple[Heal, ...] = ("end-rotation", "rotate") if live.has_pending else ("rotate",)
        fails = ", and fails" if live.has_pending else ""
        yield f"rotation: due since {due:%Y-%m-%d}{fails} → rotated now", heals


def _schedule(parts: Parts, live: LiveSecret, function: str) -> _Difference | None:
    """Whether rotation is on, how often, and by what; None where that is as the template says."""
    if parts.rules is None:
        return (f"rotation: {live.period} → off", ("cancel",)) if live.rotates else None
    wanted = parts.rules.words()
    # As long as a version waits to become the current one, no rotation can be set up.
    heals: tuple[Heal, ...] = ("end-rotation", "rotation") if live.has_pending else ("rotation",)
    if not live.rotates:
        return f"rotation: off → {wanted}", heals
    if function and live.function != function:
        by, now = live.function.rpartition(":")[2] or "nobody", function.rpartition(":")[2]
        return f"rotation: {live.period} by {by} → {wanted} by {now}", heals
    return None if live.rules == parts.rules else (f"rotation: {live.period} → {wanted}", heals)


def stuck_since(live: LiveSecret, now: datetime) -> datetime | None:
    """When a rotation began that goes on for too long; None where none does."""
    return live.changed if live.has_pending and live.changed and now > live.changed + _STUCK else None


def overdue_since(live: LiveSecret, now: datetime) -> datetime | None:
    """When it should have been rotated and was not; None where it is not late, or not rotated at all."""
    due = _due(live) if live.rotates else None
    return due if due and now > due + _LATE else None


def _due(live: LiveSecret) -> datetime | None:
    """When it is to be rotated next. Without a date: counted from the last change, which is never before its start."""
    since = max(filter(None, (live.rotated, live.changed)), default=None)
    return live.next_rotation or (since + timedelta(days=live.days) if since and live.days else None)


def _login(login: Login) -> Iterator[_Difference]:
    """A value that has no user or another one is made again, and with it all that an attachment writes."""
    attached = [name for name in ATTACHED if name in login.wrong]
    others = [name for name in login.wrong if name not in ATTACHED]
    if others:
        yield f"secret: {_and(others)} missing or wrong → made again, with another password", ("value",)
    elif attached:
        yield f"secret: {_and(attached)} missing or wrong → written again", ("attachment",)
    if login.is_refused and not others:
        yield "password: MySQL refuses it → set in MySQL again", ("password",)


def _and(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def not_tried(secrets: Secrets) -> str:
    """Which logins told nothing, in a sentence; empty when all of them did, or none was asked for."""
    whys: dict[str, int] = {}
    for login in secrets.logins.values():
        if login.why_not:
            whys[login.why_not] = whys.get(login.why_not, 0) + 1
    if not whys:
        return ""
    tried = len(secrets.logins) - sum(whys.values())
    reasons = ", ".join(f"{number} {why}" for why, number in sorted(whys.items()))
    return f"{tried} of {len(secrets.logins)} logins were tried; a refusal would mean nothing for {reasons}"
