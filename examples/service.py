"""A service of a tenant: runs statements through the RDS Data API with what `aurora-tenants env` gives it.

eval "$(aurora-tenants env shop-dev)"
python examples/service.py 'SELECT * FROM orders'

A user of IAM has no secret, so the Data API is not for it: it takes a driver and a token (docs/tenants-yaml.md).
"""

from __future__ import annotations

import os
import sys

import boto3
from botocore.exceptions import ClientError


def main(statements: list[str]) -> int:
    """Prints the rows of each statement, or what MySQL answered instead."""
    client = boto3.client("rds-data")
    for statement in statements:
        try:
            result = client.execute_statement(
                resourceArn=os.environ["DATABASE_RESOURCE"],
                secretArn=os.environ["DATABASE_SECRET"],
                database=os.environ["DATABASE_NAME"],
                sql=statement,
            )
        except ClientError as error:
            print(f"refused: {error.response['Error']['Message']}", file=sys.stderr)
            return 1
        for record in result.get("records", []):
            print(*(next(iter(cell.values())) for cell in record), sep="\t")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
