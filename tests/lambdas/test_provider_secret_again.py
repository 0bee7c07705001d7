"""A secret that was deleted and made again under its name: services go on with the password that they have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.lambdas.world import ONCE, PREFIX, SHARED, World, failing, fresh, on, ref, secret, until, user

pytestmark = ONCE

SECOND = "User_attributes->>'$.additional_password'"


def stored(world: World, name: str) -> dict[str, tuple[str, str]]:
    """What is stored of the password of each account of a user, and of the one beside it, by host."""
    rows = world.sql(f"SELECT Host, authentication_string, {SECOND} FROM mysql.user WHERE User = '{name}'")
    return {str(host): (current, second) for host, current, second in rows}


def rotate(world: World, arn: str) -> str:
    """The password that a rotation ends with."""
    resource = world.cloudformation.describe_stack_resource(
        StackName=SHARED, LogicalResourceId="DatabaseSecretRotation"
    )
    function = resource["StackResourceDetail"]["PhysicalResourceId"]
    token = world.secrets.rotate_secret(SecretId=arn, RotationLambdaARN=function)["VersionId"]
    stages = "VersionIdsToStages"
    until(lambda: "AWSCURRENT" in world.secrets.describe_secret(SecretId=arn)[stages].get(token, ()))
    return str(json.loads(world.secrets.get_secret_value(SecretId=arn)["SecretString"])["password"])


@pytest.mark.parametrize("adopted", [False, True], ids=["made", "adopted"])
@pytest.mark.parametrize("hosts", [["%"], ["%", "10.%"], ["localhost"]], ids=", ".join)
def test_password_before_goes_on_working_and_all_else_stays(world: World, hosts: list[str], adopted: bool) -> None:
    """Also where no login shows whether MySQL accepts the new one, and if the event comes twice."""
    stack, name, shop = fresh("stack"), fresh("app"), fresh("shop")
    world.make_database(shop)
    if adopted:
        for host in hosts:
            world.sql(f"CREATE USER `{name}`@`{host}` IDENTIFIED BY 'hush-theirs'")

    def resources(logical_id: str, password: str) -> dict[str, Any]:
        app = user(ref(logical_id), on(shop, "SELECT"), Hosts=hosts, Adopt=adopted)
        return {logical_id: secret(name, name, password), "App": app}

    world.deploy(stack, resources("Secret", "hush-1"))
    first = world.physical_id(stack, "App")
    for host in hosts:
        world.sql(f"ALTER USER `{name}`@`{host}` IDENTIFIED BY 'hush-2' RETAIN CURRENT PASSWORD")
    before = stored(world, name)
    world.secrets.delete_secret(SecretId=first, ForceDeleteWithoutRecovery=True)
    world.fault("twice")
    try:
        assert world.deploy(stack, resources("SecretAgain", "hush-3")).status == "UPDATE_COMPLETE"
    finally:
        world.fault(None)
    assert (world.takes(name, "hush-3"), world.takes(name, "hush-2")) == (True, True)
    after = stored(world, name)
    assert {host: second for host, (_, second) in after.items()} == {host: it for host, (it, _) in before.items()}
    again = world.physical_id(stack, "SecretAgain")
    # The id stays that of the first secret, of the same name.
    assert (world.physical_id(stack, "App"), first != again) == (first, True)

    rotated = rotate(world, again)
    assert (world.takes(name, rotated), world.takes(name, "hush-3")) == (True, True)
    assert world.delete(stack).status == "DELETE_COMPLETE"
    assert world.has_user(name) is adopted


def test_password_by_hand_ends_where_the_secret_was_not_made_again(world: World) -> None:
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name, "hush-1")
    world.deploy(stack, {"App": user(arn)})
    world.sql(f"ALTER USER `{name}` IDENTIFIED BY 'hush-by-hand'")
    world.deploy(stack, {"App": user(arn, Revision="2")})
    assert (world.takes(name, "hush-1"), world.takes(name, "hush-by-hand")) == (True, False)


def test_rollback_goes_on_with_the_secret_of_that_name(either_world: World) -> None:
    """The properties of before name a secret that is gone for good; without another the stack would be stuck."""
    world = either_world
    stack, name = fresh("stack"), fresh("app")
    world.deploy(stack, {"Secret": secret(name, name, "hush-1"), "App": user(ref("Secret"))})
    world.secrets.delete_secret(SecretId=f"{PREFIX}{name}", ForceDeleteWithoutRecovery=True)
    again = {"Again": secret(name, name, "hush-2"), "App": user(ref("Again")), "Bad": failing("App")}
    assert world.deploy(stack, again).status == "UPDATE_ROLLBACK_COMPLETE"
    assert (world.takes(name, "hush-1"), world.takes(name, "hush-2")) == (True, True)
    again.pop("Bad")
    assert world.deploy(stack, again).status == "UPDATE_COMPLETE"
    assert world.takes(name, "hush-2")


def test_secret_that_is_gone_and_was_not_made_again_is_a_sentence(world: World) -> None:
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    world.secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    ended = world.deploy(stack, {"App": user(arn)})
    assert ended.status == "ROLLBACK_COMPLETE"
    assert "Secrets Manager can't find the specified secret" in ended.failures["App"]
