"""Tries the login of each deployed user with its own secret, on request: two calls for each. No value is ever shown.

A refusal means a wrong password only where the Data API would be let in with the right one; where it would not, the
login is not tried, and counted (`tenant.secrets.not_tried`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from aurora_tenants.aws.clients import Aws, asking
from aurora_tenants.aws.secrets import AT_ONCE
from aurora_tenants.errors import DatabaseError, Problem
from aurora_tenants.lambdas.password import accepts_login, login_is_conclusive
from aurora_tenants.model import Configuration
from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.options import PASSWORD_PLUGINS
from aurora_tenants.mysql.state import State, User
from aurora_tenants.naming import LogicalIds, renamed_users, secret_name
from aurora_tenants.stack import Deployed, Shared
from aurora_tenants.tenant.secrets import Login, Secrets

_ALLOW = (
    "allow secretsmanager:GetSecretValue on the secrets of the users, which PlanPolicy does not; or leave --logins out"
)
# The Data API's own answers about a secret that it cannot log in with.
_NO_LOGIN = ("InvalidSecretException", "SecretsErrorException")


class _User(NamedTuple):
    """A deployed user. secret: the name of its secret. accounts: all that MySQL has of its name."""

    name: str
    secret: str
    accounts: tuple[User, ...]


class Address(NamedTuple):
    """How the cluster is reached, as attachments write it into secrets."""

    host: str
    port: str
    identifier: str


def with_logins(
    aws: Aws, configuration: Configuration, deployed: Deployed, shared: Shared, live: State, secrets: Secrets
) -> Secrets:
    """The secrets with what came of each login. Raises AwsError, DatabaseError."""
    address = _address(aws, shared)
    client = aws.client("secretsmanager")
    users = [each for each in _users(configuration, deployed, live) if _is_readable(each, secrets)]

    def look(user: _User) -> Login:
        with asking(f"read secret {user.secret}", if_denied=_ALLOW):
            text = client.get_secret_value(SecretId=user.secret).get("SecretString", "")
        wrong = wrong_fields(text, user.name, address)
        if {"username", "password"}.intersection(wrong):
            return Login(wrong=wrong)
        if reason := why_not(user.accounts):
            return Login(wrong=wrong, why_not=reason)
        api = DataApi(aws.rds_data, shared.cluster_arn, secrets.by_name[user.secret].arn)
        return Login(is_refused=not _accepts(api, user), wrong=wrong)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return secrets._replace(logins=dict(zip([user.secret for user in users], pool.map(look, users), strict=True)))


def wrong_fields(text: str, user: str, address: Address) -> tuple[str, ...]:
    """The fields of a secret that are missing or say something else than how this user logs in to this cluster."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return ("username", "password")
    return tuple(_wrong(found, user, address))


def _wrong(found: Mapping[str, Any], user: str, address: Address) -> Iterator[str]:
    if found.get("username") != user:
        yield "username"
    if not isinstance(found.get("password"), str) or not found["password"]:
        yield "password"
    if "mysql" not in str(found.get("engine", "")):  # whether aurora-mysql or mysql is Secrets Manager's affair
        yield "engine"
    expected = {"host": address.host, "port": address.port, "dbClusterIdentifier": address.identifier}
    for name, value in expected.items():
        if str(found.get(name, "")) != value:
            yield name


def _address(aws: Aws, shared: Shared) -> Address:
    with asking("read the cluster", if_denied="allow rds:DescribeDBClusters on it"):
        found = aws.client("rds").describe_db_clusters(DBClusterIdentifier=shared.cluster_arn)["DBClusters"][0]
    return Address(found["Endpoint"], str(found["Port"]), found["DBClusterIdentifier"])


def _users(configuration: Configuration, deployed: Deployed, live: State) -> Iterator[_User]:
    """Those of the file that have a secret in a stack."""
    of_name: dict[str, list[User]] = {}
    for account, user in live.users.items():
        of_name.setdefault(account.user, []).append(user)
    for tenant in configuration.tenants:
        stack = deployed.tenants.get(tenant.name)
        if stack is None or not stack.was_begun:
            continue
        renamed = renamed_users(stack.outputs)
        ids = LogicalIds.of(tenant, renamed)
        for asked in tenant.users:
            if asked.auth != "iam" and ids.secrets[asked.name] in stack.outputs:
                secret = secret_name(configuration.cluster, renamed.get(asked.name, asked.name))
                yield _User(asked.name, secret, tuple(of_name.get(asked.name, ())))


def _is_readable(user: _User, secrets: Secrets) -> bool:
    live = secrets.by_name.get(user.secret)
    return live is not None and not live.is_deleted


def why_not(accounts: tuple[User, ...]) -> str:
    """Why a refused login of a user would mean nothing; empty where it would."""
    if not accounts:
        return "whose user is not in MySQL"
    if any(user.options.plugin not in PASSWORD_PLUGINS for user in accounts):
        return "who log in without a password"
    if any(user.options.is_locked for user in accounts):
        return "whose account is locked"
    if login_is_conclusive(accounts):
        return ""
    is_anywhere = any(user.account.host == "%" for user in accounts)
    return "who need a client certificate" if is_anywhere else "whose host may not be the Data API's"


def _accepts(api: DataApi, user: _User) -> bool:
    """Whether MySQL accepts the login. Raises DatabaseError where it does not answer."""
    try:
        return accepts_login(api.execute)
    except DatabaseError as error:
        if error.code in _NO_LOGIN:
            what = f"the login of user {user.name} could not be tried"
            (problem,) = error.problems
            raise DatabaseError(Problem("no-login", what, problem.what), number=error.number, code=error.code) from None
        raise
