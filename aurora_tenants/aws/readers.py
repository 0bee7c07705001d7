"""Where a cluster is read from, and by how many instances.

read_reader(aws, "arn:aws:rds:…:cluster:shop")      Reader("shop.cluster-ro-….rds.amazonaws.com", 3306, 1)
"""

from __future__ import annotations

from typing import NamedTuple

from aurora_tenants.aws.clients import Aws, asking
from aurora_tenants.errors import AwsError, Problem


class Reader(NamedTuple):
    """host: the cluster's reader endpoint. instances: how many there are that do not write."""

    host: str
    port: int
    instances: int


def read_reader(aws: Aws, cluster_arn: str) -> Reader:
    """One call, which wakes nothing. Raises AwsError for a cluster without a reader endpoint.

    Source: "Reader endpoints for Amazon Aurora", Amazon Aurora User Guide: without a reader it leads to the writer.
    """
    with asking("read the endpoints of the cluster", if_denied="allow rds:DescribeDBClusters, as PlanPolicy does"):
        (cluster,) = aws.client("rds").describe_db_clusters(DBClusterIdentifier=cluster_arn)["DBClusters"]
    if not cluster.get("ReaderEndpoint"):
        what = f"cluster {cluster_arn.rpartition(':')[2]} has no reader endpoint"
        raise AwsError(Problem("no-reader", what, "RDS names none", "leave --reader out"))
    members = cluster.get("DBClusterMembers", ())
    return Reader(cluster["ReaderEndpoint"], cluster["Port"], sum(not member["IsClusterWriter"] for member in members))
