"""What a plan sees of tenants' secrets, and how apply heals them: in lists, restored, made again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tools.smoke import deployment
from tools.smoke.clock import until
from tools.smoke.probe import Probe
from tools.smoke.world import World

Json = Any
SECTION = "Secrets that were changed by hand"
_LISTED_SECONDS = 360  # a list may be five minutes old


def _listed(world: World, shows: Callable[[Json], bool]) -> Json:
    """The secret's entry of ListSecrets by its prefix, as soon as it shows this, and the seconds that took."""
    secret = deployment.user_secret(world, deployment.USER)
    pages = world.client("secretsmanager").get_paginator("list_secrets")
    of_prefix = {"Filters": [{"Key": "name", "Values": [deployment.user_secret(world, "")]}]}
    began = world.clock.seconds()

    def look() -> Json:
        found = [
            each for page in pages.paginate(**of_prefix, IncludePlannedDeletion=True) for each in page["SecretList"]
        ]
        entry = next((each for each in found if each["Name"] == secret), None)
        return (entry or {"Name": ""},) if shows(entry) else None

    shown = until(look, world.clock.pause, every=5, at_most=_LISTED_SECONDS)
    return {"entry": shown[0] if shown else None, "seconds": round(world.clock.seconds() - began)}


def _healed(world: World) -> Json:
    """How an apply ends, what the plan after it finds, and whether the secret is rotated."""
    ended, plan = world.run("apply --yes"), world.run("plan --detailed-exitcode")
    found = _described(world)
    return {
        "exit": ended.code,
        "text": (ended.out + ended.err)[-2000:] if ended.code else "",
        "plan": plan.code,
        "rotates": found.get("RotationEnabled", False),
        "rules": found.get("RotationRules", {}),
    }


def _described(world: World) -> Json:
    secret = deployment.user_secret(world, deployment.USER)
    return world.client("secretsmanager").describe_secret(SecretId=secret)


def _expect_healed(answer: Json) -> str:
    if answer["exit"]:
        return f"apply exits {answer['exit']}: {answer['text']}"
    if answer["plan"]:
        return f"the plan after it exits {answer['plan']}"
    if not answer["rotates"]:
        return "rotation is off"
    return "" if answer["rules"].get("AutomaticallyAfterDays") == 30 else f"the rules are {answer['rules']}"


def _cancelled(world: World) -> Json:
    """Rotation that was switched off: how soon a list shows it, what stays, and an apply."""
    deployment.need_tenants(world)
    deployment.write_file(world)
    secret = deployment.user_secret(world, deployment.USER)
    world.client("secretsmanager").cancel_rotate_secret(SecretId=secret)
    listed = _listed(world, lambda entry: entry is not None and not entry.get("RotationEnabled"))
    entry = listed["entry"] or {}
    kept = {"function": "RotationLambdaARN" in entry, "next": "NextRotationDate" in entry}
    return {"listed": bool(entry), "listed_seconds": listed["seconds"], **kept, **_healed(world)}


def _expect_cancelled(answer: Json) -> str:
    if not answer["listed"]:
        return f"after {answer['listed_seconds']} s the list still shows the rotation as on"
    return _expect_healed(answer)


def _restored(world: World) -> Json:
    """A secret that waits for its deletion: as a list shows it, and whether it is rotated once it is restored."""
    deployment.need_tenants(world)
    deployment.write_file(world)
    secret, client = deployment.user_secret(world, deployment.USER), world.client("secretsmanager")
    client.delete_secret(SecretId=secret, RecoveryWindowInDays=7)
    listed = _listed(world, lambda entry: entry is not None and "DeletedDate" in entry)
    client.restore_secret(SecretId=secret)
    kept = {"kept_rotation": _described(world).get("RotationEnabled", False)}
    client.delete_secret(SecretId=secret, RecoveryWindowInDays=7)
    return {"listed": bool(listed["entry"]), "listed_seconds": listed["seconds"], **kept, **_healed(world)}


def _expect_restored(answer: Json) -> str:
    if not answer["listed"]:
        return f"after {answer['listed_seconds']} s the list does not show that it waits"
    return _expect_healed(answer)


def _made_again(world: World) -> Json:
    """A secret deleted without a way back: how an apply makes it again, and what hangs on it."""
    deployment.need_tenants(world)
    deployment.write_file(world)
    secret = deployment.user_secret(world, deployment.USER)
    world.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    listed = _listed(world, lambda entry: entry is None)
    healed = _healed(world)
    is_attached = not healed["exit"] and "host" in world.secret_value(secret)
    return {
        "listed": listed["entry"] is not None,
        "listed_seconds": listed["seconds"],
        "attached": is_attached,
        **healed,
    }


def _expect_made_again(answer: Json) -> str:
    if not answer["listed"]:
        return f"after {answer['listed_seconds']} s the list still has it"
    if found := _expect_healed(answer):
        return found
    return "" if answer["attached"] else "the secret does not say how the cluster is reached"


PROBES = (
    Probe(
        "cancelled-rotation",
        SECTION,
        "ListSecrets, filtered by a name's prefix, shows within minutes that a rotation was switched off. A stack that "
        "is deployed without its RotationSchedule, and then with it, turns it on again.",
        "`plan` says nothing of it, or `apply` ends with CloudFormation's sentence.",
        "`aws secretsmanager cancel-rotate-secret`, then `aurora-tenants apply` and `plan`",
        "rotates every 30 days again",
        _cancelled,
        _expect_cancelled,
        takes_seconds=150,
        needs=("tenant-by-service-role",),
    ),
    Probe(
        "restored-secret",
        SECTION,
        "ListSecrets with IncludePlannedDeletion shows a secret that waits for its deletion; RestoreSecret brings it "
        "back. Nobody says whether it is rotated then as before, so `apply` looks at that again.",
        "`plan` takes the secret for gone, and `apply` fails because its name is taken.",
        "`aws secretsmanager delete-secret --recovery-window-in-days 7`, then `aurora-tenants apply` and `plan`",
        "restored, and rotates every 30 days",
        _restored,
        _expect_restored,
        takes_seconds=150,
        needs=("tenant-by-service-role",),
    ),
    Probe(
        "secret-made-again",
        SECTION,
        "A drift-aware change set makes a secret again that was deleted, and its attachment and rotation, which "
        "CloudFormation takes for gone with it; the user's resource gets the new ARN.",
        "`apply` ends with CloudFormation's sentence; take the user out of the file, apply, and put it back.",
        "`aws secretsmanager delete-secret --force-delete-without-recovery`, then `aurora-tenants apply` and `plan`",
        "a secret with the cluster's address, rotated every 30 days",
        _made_again,
        _expect_made_again,
        takes_seconds=180,
        needs=("tenant-by-service-role",),
    ),
)
