"""A real server behind the one function that reading and changing MySQL takes: a statement in, rows out."""

from __future__ import annotations

import json
from typing import Any

from aurora_sandbox.cluster import Clusters
from aurora_sandbox.mysqld import Server
from aurora_sandbox.rdsdata.service import RdsData
from aurora_sandbox.wire import Caller
from aurora_tenants.lambdas.ownership import make_views
from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.grants import normalise
from aurora_tenants.mysql.hashing import Hashes, hashed
from aurora_tenants.mysql.live import Execute, Row
from aurora_tenants.mysql.owners import create_owners
from aurora_tenants.mysql.state import Database, State, User


def hashes(password: str) -> Hashes:
    """A password as statements have it; always with the same salt."""
    return hashed(password, "twenty-letters_salt.")


def execute_as(server: Server, user: str = "root", password: str = "") -> Execute:
    """Runs statements as a user, on a connection of its own, straight on the server."""
    connection = server.connect(user, password)

    def execute(statement: str) -> list[Row]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    return execute


def through_data_api(server: Server, **answers: Any) -> Execute:
    """Runs SELECT and SHOW through the product's and the sandbox's Data API as somebody who may do everything, and
    everything else as root at the server. answers: what `Answers.set` takes.
    """
    root, api = execute_as(server), data_api(server, **answers)
    return lambda statement: (api.execute if statement.startswith(("SELECT ", "SHOW ")) else root)(statement)


def data_api(server: Server, **answers: Any) -> DataApi:
    """The product's Data API on the sandbox's, as somebody who may do everything. answers: as above."""
    root, name, password = execute_as(server), "everybody", "hush-everybody"
    root(f"CREATE USER IF NOT EXISTS {name} IDENTIFIED BY '{password}'")
    root(f"GRANT ALL ON *.* TO {name} WITH GRANT OPTION")
    clusters, arn = Clusters(), "arn:aws:rds:eu-west-1:123456789012:cluster:shop"
    clusters.create(
        identifier="shop",
        arn=arn,
        engine="aurora-mysql",
        engine_version="8.0.mysql_aurora.3.10.0",
        master_username=name,
        master_secret_arn="everybody",
        http_endpoint_enabled=True,
        host=server.host,
        port=server.port,
    )
    service = RdsData(
        clusters=clusters, secret=lambda arn, caller: json.dumps({"username": name, "password": password})
    )
    service.answers.set(**answers)

    class Client:
        def execute_statement(self, **parameters: Any) -> Any:
            return service.handle("ExecuteStatement", parameters, Caller("AKIATEST"))

    return DataApi(Client(), arn, "everybody")


def make_owners(execute: Execute) -> None:
    """The schema of owners, complete, as the provider makes it; safe to run again."""
    for statement in create_owners():
        execute(statement)
    make_views(execute)


def as_desired(live: State, desired: State) -> State:
    """Live without everything that `desired` does not say: it equals `desired` when there is nothing to do.

    That is what a file may leave open (character sets, a plugin, a comment), what MySQL alone knows of an account, and
    whatever is neither a database nor a user of `desired`.
    """
    return State(
        {name: _database(live.databases[name], desired.databases[name]) for name in desired.databases},
        {account: _user(live.users[account], desired.users[account]) for account in desired.users},
        normalise(grant for grant in live.grants if grant.account in desired.users),
    )


def _database(live: Database, desired: Database) -> Database:
    charset = desired.charset and live.charset
    return live._replace(charset=charset, collation=desired.collation and live.collation)


def _user(live: User, desired: User) -> User:
    plugin, comment = (getattr(desired.options, it) and getattr(live.options, it) for it in ("plugin", "comment"))
    options = live.options._replace(plugin=plugin, comment=comment)
    return live._replace(options=options, has_no_password=False, restrictions=(), objects=0)
