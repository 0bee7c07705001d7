"""Two worlds for the provider: sandboxes with the shared stack in them, one for each way CloudFormation may roll back.

Both live as long as the session; every test makes stacks, databases and users of its own names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from aurora_tenants import data
from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.sandbox import mysqld
from aurora_tenants.sandbox.server import RollbackStyle, Sandbox
from tests.lambdas.world import SHARED, World


def _world(binary: mysqld.Binary, style: RollbackStyle) -> Iterator[World]:
    with Sandbox.start(binary=binary, rollback_style=style, time_scale=100.0) as sandbox:
        keys = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox"}

        def client(service: str) -> Any:
            return boto3.client(service, region_name=sandbox.region, endpoint_url=sandbox.endpoint_url, **keys)

        world = World(sandbox, client("cloudformation"), client("secretsmanager"))
        world.cloudformation.create_stack(
            StackName=SHARED,
            TemplateBody=data.text("shared.yml"),
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": "DeletionProtection", "ParameterValue": "false"}],
        )
        assert world.ended(SHARED).status == "CREATE_COMPLETE"
        yield world


@pytest.fixture(scope="session")
def world(mysqld_binary: mysqld.Binary) -> Iterator[World]:
    """A replaced custom resource is rolled back by an Update to what it was."""
    yield from _world(mysqld_binary, "update")


@pytest.fixture(scope="session")
def restoring_world(mysqld_binary: mysqld.Binary) -> Iterator[World]:
    """A replaced custom resource is rolled back by nothing but a Delete of the new one."""
    yield from _world(mysqld_binary, "restore")


@pytest.fixture(params=["update", "restore"])
def either_world(request: pytest.FixtureRequest) -> World:
    """Both worlds, one after the other."""
    name = "world" if request.param == "update" else "restoring_world"
    found: World = request.getfixturevalue(name)
    return found


@pytest.fixture(scope="session")
def master(world: World) -> DataApi:
    """The master user's login by the Data API, as the provider has it."""
    keys = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox"}
    where = {"region_name": world.sandbox.region, "endpoint_url": world.sandbox.endpoint_url}
    cluster = boto3.client("rds", **where, **keys).describe_db_clusters()["DBClusters"][0]
    secret_arn = cluster["MasterUserSecret"]["SecretArn"]
    return DataApi(boto3.client("rds-data", **where, **keys), cluster["DBClusterArn"], secret_arn)
