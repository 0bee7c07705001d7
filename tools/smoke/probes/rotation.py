"""Secrets of tenants' users: rotated later, rotated now, and how soon the Data API uses the new one."""

from __future__ import annotations

import uuid
from typing import Any

from aurora_tenants.lambdas.password import FORCED
from aurora_tenants.tenant.rotation import STEPS, told
from tools.smoke import deployment
from tools.smoke.clock import until
from tools.smoke.probe import Probe
from tools.smoke.statements import not_refused, problems, sql, value
from tools.smoke.world import World

Json = Any
SECTION = "Rotation of passwords"
_LONGEST_SECONDS = 300
_SOON_SECONDS = 60
# What aurora_tenants/rotations/calendar.py writes between hours and year.
_DAYS = ("1/3 * ?", "? * MON,THU", "? * SUN#1", "? 1/6 SUN#1", "? 1 SUN#1")


def _described(world: World) -> Json:
    secret = deployment.user_secret(world, deployment.USER)
    return world.client("secretsmanager").describe_secret(SecretId=secret)


def _settled(world: World) -> Json:
    """The secret when no version of it waits any more: a schedule that is set up is tried out first."""

    def settled() -> Json:
        found = _described(world)
        pending = [stages for stages in found["VersionIdsToStages"].values() if stages == ["AWSPENDING"]]
        return None if pending else found

    return until(settled, world.clock.pause, every=5, at_most=120) or _described(world)


def _later(world: World) -> Json:
    """A tenant's secret right after it was deployed: its schedule is there, and its password is the first."""
    deployment.need_tenants(world)
    found = _settled(world)
    # The attachment has written a second version, with the cluster's address beside the same password.
    versions = [stages for stages in found["VersionIdsToStages"].values() if stages]
    secret = deployment.user_secret(world, deployment.USER)
    passwords = {world.secret_value(secret, stages[0])["password"] for stages in versions}
    return {
        # It may be absent; only an explicit false means that rotation is off.
        "rotation_enabled": found.get("RotationEnabled"),
        "was_rotated": "LastRotatedDate" in found,
        "has_next_date": "NextRotationDate" in found,
        "rules": found.get("RotationRules", {}),
        "stages": sorted(sorted(stages) for stages in versions),
        "different_values": len(passwords),
    }


def _expect_later(answer: Json) -> str:
    if answer["rotation_enabled"] is False:
        return "rotation is off"
    if answer["was_rotated"] or answer["different_values"] != 1:
        return f"the password was rotated at once: {answer['different_values']} of them in {answer['stages']}"
    if not answer["has_next_date"]:
        return "there is no NextRotationDate"
    return "" if answer["rules"].get("AutomaticallyAfterDays") == 30 else f"the rules are {answer['rules']}"


def _now(world: World) -> Json:
    return world.once("rotated", lambda: _rotate(world))


def _rotate(world: World) -> Json:
    deployment.need_tenants(world)
    secret = deployment.user_secret(world, deployment.USER)
    old = world.secret_value(secret)["password"]
    began = world.clock.seconds()
    version = world.client("secretsmanager").rotate_secret(SecretId=secret)["VersionId"]

    enabled: set[str] = set()

    def is_current() -> bool:
        described = _described(world)
        enabled.add(str(described.get("RotationEnabled", "absent")))
        return "AWSCURRENT" in described["VersionIdsToStages"].get(version, ())

    done = until(is_current, world.clock.pause, every=2, at_most=_LONGEST_SECONDS)
    took = round(world.clock.seconds() - began, 1)
    new = world.secret_value(secret)["password"]
    # Right after the rotation, before anything else: the password that the Data API knows may still be the old one.
    first = sql(world, "SELECT CURRENT_USER()", secret=secret)
    beside = sql(world, "SELECT 1", secret=world.make_secret(deployment.USER, old))
    return {
        "rotated": bool(done),
        "rotation_seconds": took,
        "is_another": old != new,
        "enabled": sorted(enabled),
        "new_login": first,
        "old_login": beside,
    }


def _expect_now(answer: Json) -> str:
    if not answer["rotated"] or not answer["is_another"]:
        return f"no new password is current after {answer['rotation_seconds']} s"
    if found := problems([answer["new_login"], answer["old_login"]]):
        return found
    user = value(answer["new_login"])
    return "" if user == f"{deployment.USER}@%" else f"the session is {user}"


def _enabled(world: World) -> Json:
    return {"enabled": _now(world)["enabled"]}


def _expect_enabled(answer: Json) -> str:
    if not answer["enabled"]:
        return "nobody looked"
    others = sorted({*answer["enabled"]} - {"True", "absent"})
    return f"RotationEnabled is {', '.join(others)} meanwhile" if others else ""


def _seen(world: World) -> Json:
    """The old password is discarded, so that a login shows which one the Data API used."""
    _now(world)
    secret = deployment.user_secret(world, deployment.USER)
    discarded = sql(world, f"ALTER USER `{deployment.USER}` DISCARD OLD PASSWORD")
    began, refused = world.clock.seconds(), 0

    def login() -> Json:
        nonlocal refused
        answer = sql(world, "SELECT CURRENT_USER()", secret=secret)
        refused += "error" in answer
        return answer if "records" in answer else None

    answer = until(login, world.clock.pause, every=1, at_most=_LONGEST_SECONDS)
    took = round(world.clock.seconds() - began, 1)
    return {"discarded": discarded, "login": answer, "refused_calls": refused, "took_seconds": took}


def _expect_seen(answer: Json) -> str:
    if found := problems([answer["discarded"]]):
        return found
    if answer["login"] is None:
        return f"the new password was not used within {answer['took_seconds']} s"
    if value(answer["login"]) != f"{deployment.USER}@%":
        return f"the session is {value(answer['login'])}"
    if answer["took_seconds"] <= _SOON_SECONDS:
        return ""
    return f"the Data API used the old password for {answer['took_seconds']} s ({answer['refused_calls']} refusals)"


def _unknown_version(world: World) -> Json:
    """A secret that the Data API is given right after it was made, as the rotation's test of a password does."""
    user = "smoke_fresh"
    password = world.password()
    sql(world, f"DROP USER IF EXISTS {user}")
    made = sql(world, f"CREATE USER {user} IDENTIFIED BY '{password}'")
    try:
        right = sql(world, "SELECT 1", secret=world.make_secret(user, password))
        wrong = sql(world, "SELECT 1", secret=world.make_secret(user, world.password()))
    finally:
        sql(world, f"DROP USER IF EXISTS {user}")
    return {"made": made, "right": right, "wrong": wrong}


def _expect_unknown_version(answer: Json) -> str:
    if found := problems([answer["made"]]):
        return found
    if "error" in answer["right"] and answer["right"]["error"]["code"] != "SecretsErrorException":
        return problems([answer["right"]])
    return not_refused(answer["wrong"], 1045, "Access denied for user")


def _forced(world: World) -> Json:
    """Another rotation, at once, with an id that says so; what the function's log and the labels show of it."""
    secret, version = deployment.user_secret(world, deployment.USER), f"{FORCED}{uuid.uuid4()}"
    function = str(_described(world)["RotationLambdaARN"]).rpartition(":")[2]
    world.client("secretsmanager").rotate_secret(SecretId=secret, ClientRequestToken=version)

    def steps() -> Json:
        lines = world.client("logs").filter_log_events(
            logGroupName=f"/aws/lambda/{function}", filterPattern=f'"{version}"'
        )["events"]
        found = told([line["message"] for line in lines], version)
        return list(found.steps) if found.failure or "finishSecret" in found.steps else None

    seen = until(steps, world.clock.pause, every=2, at_most=_LONGEST_SECONDS)

    def labels() -> Json:
        found = _described(world)["VersionIdsToStages"].get(version)
        return found if found == ["AWSCURRENT"] else None

    until(labels, world.clock.pause, every=2, at_most=_SOON_SECONDS)
    return {"steps": seen, "stages": _described(world)["VersionIdsToStages"].get(version)}


def _expect_forced(answer: Json) -> str:
    if answer["steps"] != list(STEPS):
        return f"the log shows {answer['steps']}"
    return "" if answer["stages"] == ["AWSCURRENT"] else f"its labels are {answer['stages']}"


def _windows(world: World) -> Json:
    """What Secrets Manager says of each form of schedule that a file can ask for."""
    deployment.need_tenants(world)
    secret, client = deployment.user_secret(world, deployment.USER), world.client("secretsmanager")
    told = {}
    try:
        for days in _DAYS:
            _settled(world)
            rules = {"ScheduleExpression": f"cron(0 2 {days} *)", "Duration": "3h"}
            client.rotate_secret(SecretId=secret, RotationRules=rules, RotateImmediately=False)
            found = _settled(world)
            told[days] = {
                "rules": {name: found["RotationRules"].get(name) for name in rules} == rules,
                "next": str(found.get("NextRotationDate", "")),
            }
    finally:
        _settled(world)
        client.rotate_secret(SecretId=secret, RotationRules={"AutomaticallyAfterDays": 30}, RotateImmediately=False)
        _settled(world)
    return told


def _expect_windows(answer: Json) -> str:
    missing = [days for days in _DAYS if days not in answer]
    others = [days for days, told in answer.items() if not told["rules"]]
    if missing or others:
        return f"not taken or told otherwise: {', '.join([*missing, *others])}"
    return ""


PROBES = (
    Probe(
        "rotation-not-at-once",
        SECTION,
        "With `RotateImmediatelyOnUpdate: false` a new secret is tested and not rotated.",
        "The password changes while the stack is being made; the user's services read it anew.",
        "`aws secretsmanager describe-secret` after `aurora-tenants apply`",
        "no LastRotatedDate, every 30 days",
        _later,
        _expect_later,
        takes_seconds=30,
        needs=("tenant-by-service-role",),
    ),
    Probe(
        "rotation-at-once",
        SECTION,
        "Secrets Manager may invoke the rotation function, whose four steps make another password current; the one "
        "before it keeps working.",
        "The secret stays as it was, and the function's log says why.",
        "`aws secretsmanager rotate-secret`, then `describe-secret`",
        "another password, and both log in",
        _now,
        _expect_now,
        takes_seconds=60,
        needs=("tenant-by-service-role",),
    ),
    Probe(
        "rotation-enabled",
        SECTION,
        "DescribeSecret does not say `RotationEnabled: false` while a secret is rotated for the first time; it may say "
        "nothing of it.",
        "The function refuses that rotation.",
        "`aws secretsmanager rotate-secret`, and `describe-secret` every second meanwhile",
        "True, or absent",
        _enabled,
        _expect_enabled,
        takes_seconds=0,
        needs=("rotation-at-once",),
    ),
    Probe(
        "new-secret-used",
        SECTION,
        "The Data API uses a new version of a secret within a minute.",
        "Nothing, while the password before still works; after `DISCARD OLD PASSWORD` calls fail for longer.",
        "rotate, `ALTER USER … DISCARD OLD PASSWORD`, then `SELECT CURRENT_USER()` until it works",
        "smoke-a@% within 60 s",
        _seen,
        _expect_seen,
        takes_seconds=60,
        needs=("rotation-at-once",),
    ),
    Probe(
        "rotation-forced",
        SECTION,
        "RotateSecret takes an id of our own for the version, FilterLogEvents finds the function's lines with it, and "
        "Secrets Manager lets the function take AWSPENDING off the version that has become current.",
        "`rotate --force` is refused, shows no steps, or Secrets Manager calls a rotation failed that has ended.",
        "`aws secretsmanager rotate-secret --client-request-token forced-…`, then `aws logs filter-log-events`",
        "four steps, and AWSCURRENT as the only label",
        _forced,
        _expect_forced,
        takes_seconds=60,
        needs=("new-secret-used",),
    ),
    Probe(
        "rotation-windows",
        SECTION,
        "Secrets Manager takes every form of schedule that `rotate_window` becomes, and tells the expression and the "
        "Duration as they were written.",
        "`apply` ends with Secrets Manager's sentence, or the next plan shows a window that nobody changed.",
        "`aws secretsmanager rotate-secret --no-rotate-immediately --rotation-rules …`, then `describe-secret`",
        "the same expression and Duration, for each of five forms",
        _windows,
        _expect_windows,
        takes_seconds=30,
        needs=("rotation-at-once",),
    ),
    Probe(
        "new-secret-tried",
        SECTION,
        "The Data API can log in with a secret that was made a moment ago, or says SecretsErrorException until it can.",
        "A rotation fails at testSecret, and Secrets Manager tries again.",
        "`aws secretsmanager create-secret`, then `aws rds-data execute-statement` with it",
        "a login, and 1045 with a wrong password",
        _unknown_version,
        _expect_unknown_version,
        takes_seconds=5,
    ),
)
