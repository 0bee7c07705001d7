"""Two worlds for the provider: sandboxes with the shared stack in them, one for each way CloudFormation may roll back.

Both start together and live as long as the session; every test makes stacks, databases and users of its own names.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from aurora_sandbox import mysqld
from aurora_sandbox.cloudformation.yaml import load
from aurora_tenants import data
from aurora_tenants.lambdas.request import client_of
from aurora_tenants.mysql.dataapi import DataApi
from tests.endpoint import client
from tests.lambdas.process import arrived, sandbox
from tests.lambdas.world import AS_DOCUMENTED, ODD, SHARED, STARTED, World

# What the Data API's answers look like: as documented, and as they may look all the same.
ANSWERS: dict[str, dict[str, Any]] = {
    AS_DOCUMENTED: {},
    ODD: {"error_numbers": "none", "base64": True, "reversed_keys": True},
}


@pytest.fixture(autouse=True)
def clients_of_its_own() -> None:
    """A function makes its clients once in a process: those of another world would be asked here."""
    client_of.cache_clear()


@pytest.fixture(params=[ODD], autouse=True)
def answers(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Every test here runs with odd answers, unless it is marked with ONCE or BOTH; tests/cli has documented ones."""
    for post in STARTED:
        post("answers", ANSWERS[request.param])
    return ANSWERS[request.param]


@pytest.fixture(scope="session")
def sandboxes(mysqld_binary: mysqld.Binary) -> Iterator[dict[str, subprocess.Popen[str]]]:
    with sandbox("update") as update, sandbox("restore") as restore:
        yield {"update": update, "restore": restore}
        for process in (update, restore):  # both end at the same time
            assert process.stdin is not None
            process.stdin.close()


def _world(process: subprocess.Popen[str]) -> World:
    remote = arrived(process)
    world = World(remote, client(remote.environment, "cloudformation"), client(remote.environment, "secretsmanager"))
    world.post("answers", ANSWERS[ODD])
    outputs = _deploy(world, f"{SHARED}-cluster", "cluster.yml", {"DeletionProtection": "false"})
    template = load(data.text("shared.yml"))
    _deploy(world, SHARED, "shared.yml", {name: outputs[name] for name in template["Parameters"] if name in outputs})
    STARTED.append(world.post)
    return world


def _deploy(world: World, name: str, file: str, parameters: dict[str, str]) -> dict[str, str]:
    world.cloudformation.create_stack(
        StackName=name,
        TemplateBody=data.text(file),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    ended = world.ended(name)
    assert ended.status == "CREATE_COMPLETE", ended.failures
    return ended.outputs


@pytest.fixture(scope="session")
def world(sandboxes: dict[str, subprocess.Popen[str]]) -> World:
    """A replaced custom resource is rolled back by an Update to what it was."""
    return _world(sandboxes["update"])


@pytest.fixture(scope="session")
def restoring_world(sandboxes: dict[str, subprocess.Popen[str]]) -> World:
    """A replaced custom resource is rolled back by nothing but a Delete of the new one."""
    return _world(sandboxes["restore"])


@pytest.fixture(params=["update", "restore"])
def either_world(request: pytest.FixtureRequest) -> World:
    """Both worlds, one after the other."""
    found: World = request.getfixturevalue("world" if request.param == "update" else "restoring_world")
    return found


@pytest.fixture(scope="session")
def master(world: World) -> DataApi:
    """The master user's login by the Data API, as the provider has it."""
    cluster = client(world.sandbox.environment, "rds").describe_db_clusters()["DBClusters"][0]
    secret_arn = cluster["MasterUserSecret"]["SecretArn"]
    return DataApi(client(world.sandbox.environment, "rds-data"), cluster["DBClusterArn"], secret_arn)
