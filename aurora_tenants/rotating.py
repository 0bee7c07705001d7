"""What the command `rotate` does: looks, refuses, rotates the secrets of a tenant's users, and proves the passwords.

scene = find(aws, configuration, "shop", user=None)
require_due(scene, forced=False)                  Refused while readers may hold what a rotation would end
for target in scene.targets:
    rotate(scene, target, forced=False, tell=print)

A rotation is Secrets Manager's own, as on its day; what it does is in lambdas/rotation.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from aurora_tenants.aws import rotation, scaling, stacks
from aurora_tenants.aws.clients import Aws
from aurora_tenants.aws.usable import usable
from aurora_tenants.errors import AuroraTenantsError, AwsError, InvalidUsage, NotConverged, Problem, Refused
from aurora_tenants.lambdas.password import READERS_KEEP
from aurora_tenants.model import Configuration, Tenant, TenantUser
from aurora_tenants.naming import LogicalIds, renamed_users
from aurora_tenants.plan import unknown_tenant
from aurora_tenants.stack import Shared, Stack
from aurora_tenants.tenant.rotation import (
    Ending,
    Login,
    SecretState,
    Told,
    is_forced,
    may_run,
    of_stuck,
    put_off,
)

# How often a rotation is begun that meets another one, which does not end as one.
_ATTEMPTS = 5
# Of a secret that its file does not have rotated, for the one time that it is.
_DAYS = 30


class Target(NamedTuple):
    """A user whose password is to be rotated. days: how often the file has it rotated, 0 for never.

    is_own: whether the shared stack's function rotates it, whose log tells its steps, and which keeps the old password.
    """

    user: str
    secret: SecretState
    days: int
    is_own: bool = True


@dataclass(frozen=True, slots=True)
class Scene:
    """A tenant's users with their secrets as they are now, and the shared stack whose function rotates them."""

    aws: Aws
    shared: Shared
    tenant: str
    targets: tuple[Target, ...]


class Begun(NamedTuple):
    """A rotation has begun, or one that had begun before goes on."""

    target: Target
    version: str
    goes_on: bool


class Step(NamedTuple):
    """The function has begun a step."""

    target: Target
    name: str


class Unseen(NamedTuple):
    """Why the steps cannot be shown."""

    problem: Problem


class Rotated(NamedTuple):
    """How a rotation has ended. steps: those that were seen. logs_in: None where a login says nothing of the password.

    revoked: the password before the new one is none any more.
    """

    target: Target
    version: str
    steps: tuple[str, ...]
    logs_in: bool | None
    revoked: bool = False


class Cleared(NamedTuple):
    """How a rotation was ended that could not go on. ending, login: None where no version waited."""

    target: Target
    ending: Ending | None = None
    login: Login | None = None


Tell = Callable[[Begun | Step | Unseen], None]


def find(aws: Aws, configuration: Configuration, name: str, *, user: str | None) -> Scene:
    """The users of a tenant that have a password, or one of them. Changes nothing, and wakes no cluster.

    Raises InvalidUsage for a name that the file does not have, AwsError where there is nothing to rotate.
    """
    tenant = next((each for each in configuration.tenants if each.name == name), None)
    if tenant is None:
        raise InvalidUsage(unknown_tenant(name, [each.name for each in configuration.tenants]))
    asked = _asked(tenant, user)
    deployed = stacks.read_deployed(aws.cloudformation, configuration.cluster)
    shared = usable(configuration.cluster, deployed)
    stack = deployed.tenants.get(name)
    targets = tuple(_targets(aws, tenant, asked, stack, shared))
    if deleted := [each for each in targets if each.secret.is_deleted]:
        raise Refused(*(_deleted(each) for each in deleted))
    return Scene(aws, shared, name, targets)


def _asked(tenant: Tenant, user: str | None) -> list[TenantUser]:
    found = [each for each in tenant.users if user in (None, each.name)]
    if user is not None and not found:
        names = ", ".join(each.name for each in tenant.users) or "none"
        problem = Problem("unknown-user", f"tenant {tenant.name} has no user {user}", fix=f"its users: {names}")
        raise InvalidUsage(problem)
    with_password = [each for each in found if each.auth != "iam"]
    if not with_password:
        who = f"user {user} of tenant {tenant.name}" if user else f"no user of tenant {tenant.name}"
        what = f"{who} logs in by IAM" if user else f"{who} has a password"
        raise InvalidUsage(Problem("no-password", what, "only a password is rotated"))
    return with_password


def _targets(
    aws: Aws, tenant: Tenant, asked: list[TenantUser], stack: Stack | None, shared: Shared
) -> Iterator[Target]:
    outputs = stack.outputs if stack else {}
    ids = LogicalIds.of(tenant, renamed_users(outputs)).secrets
    for each in asked:
        arn = outputs.get(ids[each.name])
        if stack is None or arn is None:
            why = f"its stack is {stack.status}" if stack else "its tenant has no stack"
            what = f"user {each.name} of tenant {tenant.name} is not deployed"
            raise AwsError(Problem("not-deployed", what, why, "run apply"))
        secret = rotation.describe(aws, arn)
        is_own = secret.function in ("", shared.rotation_function)
        yield Target(each.name, secret, each.rotate_after_days, is_own)


def _deleted(target: Target) -> Problem:
    what = f"secret {target.secret.name} of user {target.user} waits for its deletion"
    return Problem("secret-deleted", what, "a secret that is to be deleted is not rotated", "run apply, which keeps it")


def is_paused(scene: Scene) -> bool:
    """Whether the cluster is known to be paused, so that a rotation wakes it. Wakes nothing."""
    live = scaling.read_cluster(scene.aws, scene.shared.cluster_arn)
    can_pause = live.capacity is not None and not live.capacity.min_acu
    return can_pause and scaling.read_acu(scene.aws, scene.shared.cluster_arn) == 0


def require_due(scene: Scene, *, forced: bool, anew: bool) -> None:
    """Raises Refused where a rotation now would end a password that readers may hold, or would not begin.

    anew: one that has begun is not to go on: its password may be known already.
    """
    minutes = int(READERS_KEEP.total_seconds() // 60)
    problems = []
    for target in scene.targets:
        until = put_off(target.secret) if target.is_own else None
        if until and not forced:
            what = f"user {target.user} has been given another password less than {minutes} minutes ago"
            why = (
                "MySQL keeps two passwords of an account; a third one would end the one that pools may still hold that"
                f" read the secret before, until {until:%H:%M:%S} UTC"
            )
            fix = "wait until then; or pass --force, and restart what holds the old password"
            problems.append(Problem("rotated-recently", what, why, fix))
        elif target.secret.pending and (anew or (until and not is_forced(target.secret.pending))):
            what = f"a rotation of user {target.user} has begun and not ended"
            why = "as long as a version of the secret waits, no other rotation begins"
            problems.append(Problem("rotation-waits", what, why, "first run the same with --stuck instead"))
    if problems:
        raise Refused(*problems)


def logins(scene: Scene) -> dict[str, Login]:
    """What a login of each user shows, and its connections, by user. Wakes a paused cluster. Raises AwsError."""
    return {each.user: _login(scene, each) for each in scene.targets}


def _login(scene: Scene, target: Target) -> Login:
    return rotation.check_login(scene.aws, scene.shared.rotation_function, target.secret)


def rotate(scene: Scene, target: Target, *, forced: bool, tell: Tell) -> Rotated:
    """Rotates one secret, waits for the end, and proves the new password by a login.

    Raises NotConverged with the step's own sentence when it fails, AwsError.
    """
    begun = list[Begun]()

    def told_of(event: Begun | Step | Unseen) -> None:
        if isinstance(event, Begun):
            begun.append(event)
        tell(event)

    has_log = target.is_own
    if not has_log:
        by = target.secret.function.rpartition(":")[2]
        what = f"function {by} rotates user {target.user}, and its steps are not known"
        tell(Unseen(Problem("other-function", what)))
    try:
        version, told = _until_current(scene, target, forced=forced, has_log=has_log, tell=told_of)
        if not target.secret.rotates and not target.days:
            rotation.turn_off(scene.aws, target.secret)
        login = _login(scene, target)
        if login.current is False:
            what = f"MySQL does not accept the new password of user {target.user}, which is current"
            raise NotConverged(Problem("password-refused", what, "somebody has changed it meanwhile", "run it again"))
    except AuroraTenantsError as error:
        error.nothing_was_changed = error.nothing_was_changed and not begun
        raise
    return Rotated(target, version, told.steps, login.current)


def _until_current(scene: Scene, target: Target, *, forced: bool, has_log: bool, tell: Tell) -> tuple[str, Told]:
    """The version that has become current, and what was told of it.

    What had begun before may have been no rotation: right after a schedule was made, Secrets Manager tries it out with
    a version that is gone afterwards. Then another is begun.
    """
    aws = scene.aws
    for _ in range(_ATTEMPTS):
        before = frozenset[str]()
        secret = rotation.describe(aws, target.secret.arn)
        try:
            # Of a version that waits, an earlier attempt has left lines.
            before = frozenset(rotation.events(aws, secret, secret.pending)) if has_log and secret.pending else before
        except rotation.LogUnreadable as error:
            has_log = _unseen(error, tell)
        days = target.days or _DAYS
        version, is_new = rotation.begin(aws, secret, scene.shared.rotation_function, days, forced=forced)
        now = target._replace(secret=rotation.describe(aws, secret.arn))  # with the function that it may have got
        tell(Begun(target, version, goes_on=not is_new))
        told, is_current = _watched(aws, now, version, before, has_log=has_log, tell=tell)
        if is_current:
            return version, told
        if told.failure or is_new:
            break
    raise NotConverged(_failed(target, told, now.secret))


def _unseen(error: rotation.LogUnreadable, tell: Tell) -> bool:
    tell(Unseen(error.problems[0]))
    return False


def _watched(
    aws: Aws, target: Target, version: str, before: frozenset[str], *, has_log: bool, tell: Tell
) -> tuple[Told, bool]:
    """What was told at last, and whether the version is current. Tells each step once, as soon as it is known."""
    shown, last = set[str](), (Told(), False)
    while True:
        try:
            for last in rotation.watch(aws, target.secret, version, before, has_log=has_log):
                for step in last[0].steps:
                    if step not in shown:
                        shown.add(step)
                        tell(Step(target, step))
            return last
        except rotation.LogUnreadable as error:
            has_log = _unseen(error, tell)


def _failed(target: Target, told: Told, secret: SecretState) -> Problem:
    """That a rotation has not come to its end. The current password is what it was."""
    why = "readers of the secret go on with the password that they have"
    again = "Secrets Manager tries again by itself, as this command does; --stuck takes it back"
    if told.failure:
        step = told.steps[-1] if told.steps else "its first step"
        what = f"the rotation of user {target.user} failed at {step}: {told.failure}"
        return Problem("rotation-failed", what, why, again)
    what = f"the rotation of user {target.user} has not come to its end"
    log = f"look at the log /aws/lambda/{secret.function.rpartition(':')[2]}; {again}"
    return Problem("rotation-failed", what, why, log)


def revoke(scene: Scene, rotated: Rotated) -> Rotated:
    """Ends the password before the new one. Raises AwsError."""
    try:
        rotation.discard_old(scene.aws, scene.shared.rotation_function, rotated.target.secret)
        login = _login(scene, rotated.target)
    except AuroraTenantsError as error:
        error.nothing_was_changed = False
        raise
    return rotated._replace(revoked=True, logs_in=login.current)


def require_stuck(scene: Scene, *, forced: bool) -> None:
    """Raises Refused where a rotation that is to be cleared may be under way."""
    problems = []
    for target in scene.targets:
        until = may_run(target.secret)
        if until and not forced:
            what = f"a rotation of user {target.user} may be under way until {until:%H:%M:%S} UTC"
            why = "something of its secret has changed a moment ago"
            fix = "wait until then; or pass --force if it is known to have ended"
            problems.append(Problem("rotation-under-way", what, why, fix))
    if problems:
        raise Refused(*problems)


def clear(scene: Scene, target: Target) -> Cleared:
    """Ends a rotation that cannot go on, so that a password that works stays in the secret. Raises AwsError."""
    if not target.secret.pending:
        return Cleared(target)
    login = _login(scene, target)
    ending = of_stuck(login)
    if ending == "make current":
        rotation.make_current(scene.aws, target.secret)
    else:
        rotation.take_back(scene.aws, target.secret)
    return Cleared(target, ending, login)
