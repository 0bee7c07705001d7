"""boto3 clients of a sandbox, and what tests ask of RDS in it: a cluster called `legacy` that is made by its API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError

import boto3
import pytest
from botocore.exceptions import ClientError

from aurora_sandbox.server import Sandbox
from tests.endpoint import own

WANTED: dict[str, Any] = {
    "DBClusterIdentifier": "legacy",
    "Engine": "aurora-mysql",
    "EngineVersion": "8.0.mysql_aurora.3.10.0",
    "MasterUsername": "boss",
    "MasterUserPassword": "only-for-this-test",
    "EnableHttpEndpoint": True,
    "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 4},
}


class Account:
    """boto3 clients of a sandbox, and what the tests ask of them most."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.rds, self.data = self.client("rds"), self.client("rds-data")
        self.secrets = self.client("secretsmanager")

    def client(self, service: str) -> Any:
        settings = self.sandbox.environment()
        return boto3.client(
            service,
            endpoint_url=self.sandbox.endpoint_url,
            region_name=self.sandbox.region,
            aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
        )

    def create(self, **changed: Any) -> dict[str, Any]:
        wanted = {name: value for name, value in {**WANTED, **changed}.items() if value is not None}
        self.rds.create_db_cluster(**wanted)
        return self.described()

    def described(self) -> dict[str, Any]:
        found: dict[str, Any] = self.rds.describe_db_clusters(DBClusterIdentifier="legacy")["DBClusters"][0]
        return found

    def secret(self, **content: str) -> str:
        arn: str = self.secrets.create_secret(Name="by-hand", SecretString=json.dumps(content))["ARN"]
        return arn

    def run(self, cluster: dict[str, Any], secret: str, sql: str) -> list[list[dict[str, Any]]]:
        answer = self.data.execute_statement(resourceArn=cluster["DBClusterArn"], secretArn=secret, sql=sql)
        rows: list[list[dict[str, Any]]] = answer.get("records", [])
        return rows

    def take(self, seconds: float) -> None:
        """How long the cluster is creating, stopping, starting and deleting."""
        own(self.sandbox.environment(), "cluster", {"seconds": seconds})

    def now(self) -> str:
        """What the sandbox's clock shows."""
        return str(json.loads(own(self.sandbox.environment(), "clock"))["now"])

    def own(self, path: str, document: dict[str, Any]) -> int:
        """The status of what one of the sandbox's own endpoints answers."""
        try:
            own(self.sandbox.environment(), path, document)
        except HTTPError as error:
            return error.code
        return 200

    def pass_time(self, duration: str) -> None:
        own(self.sandbox.environment(), "clock", {"to": duration})


@contextmanager
def emptied(sandbox: Sandbox) -> Iterator[Account]:
    """Nothing is left afterwards of what a test has made."""
    account = Account(sandbox)
    yield account
    account.take(0)
    for cluster in account.rds.describe_db_clusters()["DBClusters"]:
        name = cluster["DBClusterIdentifier"]
        if cluster["Status"] == "stopped":
            account.rds.start_db_cluster(DBClusterIdentifier=name)
        for member in cluster["DBClusterMembers"]:
            account.rds.delete_db_instance(DBInstanceIdentifier=member["DBInstanceIdentifier"])
        account.rds.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)
    account.secrets.delete_secret(SecretId="by-hand", ForceDeleteWithoutRecovery=True)


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]
