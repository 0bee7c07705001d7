"""The template that README.md uses the sandbox with."""

from __future__ import annotations

from pathlib import Path

from aurora_sandbox.server import Sandbox
from tests.endpoint import Endpoint

TEMPLATE = Path(__file__).parents[2] / "examples" / "cluster.yml"


def test_the_examples_cluster_takes_statements_of_its_master(sandbox: Sandbox) -> None:
    endpoint = Endpoint(sandbox.endpoint_url, sandbox.environment(), sandbox.mysql.port, str(sandbox.mysql.socket))
    cloudformation = endpoint.client("cloudformation")
    cloudformation.create_stack(StackName="example", TemplateBody=TEMPLATE.read_text())
    try:
        assert endpoint.settled("example") == "CREATE_COMPLETE"
        (cluster,) = endpoint.client("rds").describe_db_clusters()["DBClusters"]
        found = endpoint.client("rds-data").execute_statement(
            resourceArn=cluster["DBClusterArn"],
            secretArn=cluster["MasterUserSecret"]["SecretArn"],
            database="shop",
            sql="SELECT CURRENT_USER(), DATABASE()",
        )
        assert found["records"] == [[{"stringValue": "admin@%"}, {"stringValue": "shop"}]]
    finally:
        cloudformation.delete_stack(StackName="example")
        assert endpoint.settled("example") == "gone"
