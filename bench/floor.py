"""What AWS alone costs a plan: its calls by botocore, whose answers are parsed and thrown away.

    .venv/bin/python bench/floor.py STACK

Every stack, every secret, and through the Data API what lean reads (of accounts only their number), at once as a
plan asks them. STACK: the shared one, whose outputs say where the rest is. Compares nothing, and knows no file. The
garbage collector is off.
"""

from __future__ import annotations

import gc
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

if __name__ == "__main__":
    gc.disable()

import botocore.session

# An answer of the Data API holds at most 1 MiB.
_ROWS = 2500
_FLAGS = ("Select", "Insert", "Update", "Delete", "Create", "Drop", "References", "Index", "Alter", "Execute", "Event")
_TABLES = {
    "performance_schema.global_variables": "VARIABLE_NAME, VARIABLE_VALUE",
    "information_schema.SCHEMATA": "SCHEMA_NAME",
    "aurora_tenants.accounts": "COUNT(*)",
    "mysql.db": f"User, Db, {', '.join(f'{flag}_priv' for flag in _FLAGS)}",
    "mysql.tables_priv": "User, Db, Table_name, Table_priv",
    "mysql.columns_priv": "User, Db, Table_name, Column_name, Column_priv",
    "mysql.procs_priv": "User, Db, Routine_name, Proc_priv",
    "mysql.role_edges": "TO_USER, FROM_USER",
    "mysql.global_grants": "USER, PRIV",
}


def main(stack: str) -> None:
    session = botocore.session.get_session()
    names = ("cloudformation", "secretsmanager", "sts", "rds-data")
    cloudformation, secrets, sts, data = map(session.create_client, names)
    with ThreadPoolExecutor(4) as pool:
        stacks = pool.submit(_count, cloudformation.get_paginator("describe_stacks"), "Stacks")
        listed = pool.submit(_count, secrets.get_paginator("list_secrets"), "SecretList", PageSize=100)
        sts.get_caller_identity()
        (shared,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        outputs = {each["OutputKey"]: each["OutputValue"] for each in shared["Outputs"]}
        login = {"resourceArn": outputs["DatabaseServer"], "secretArn": outputs["InspectorSecret"]}
        rows = sum(pool.map(lambda table: _rows(data, login, table), _TABLES))
    print(f"{stacks.result()} stacks, {listed.result()} secrets, {rows} rows")


def _count(paginator: Any, key: str, **size: int) -> int:
    return sum(len(page[key]) for page in paginator.paginate(PaginationConfig=size))


def _rows(data: Any, login: dict[str, str], table: str) -> int:
    """How many there are, page by page."""
    count = 0
    while True:
        statement = f"SELECT {_TABLES[table]} FROM {table} LIMIT {_ROWS} OFFSET {count}"
        found = len(data.execute_statement(sql=statement, **login)["records"])
        count += found
        if found < _ROWS:
            return count


if __name__ == "__main__":
    main(sys.argv[1])
    sys.stdout.flush()
    os._exit(0)
