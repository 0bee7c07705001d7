"""What a service of a tenant is told: which cluster, which user, which database. Never a password.

by password   DATABASE_RESOURCE, DATABASE_SECRET, DATABASE_NAME: what the Data API takes; DATABASE_USER, _HOST, _PORT
              for a driver, which takes the password from the secret
by IAM        DATABASE_RESOURCE, DATABASE_NAME, and what a driver and the signer of a token take: DATABASE_USER, _HOST,
              _PORT, _REGION; DATABASE_USER_RESOURCE is what the service's role must be allowed to rds-db:connect to
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

from aurora_tenants.aws.clients import Aws
from aurora_tenants.aws.readers import Reader, read_reader
from aurora_tenants.aws.stacks import read_stack
from aurora_tenants.beside import begin
from aurora_tenants.errors import AwsError, InvalidUsage, Problem
from aurora_tenants.model import Cluster, Configuration, Tenant, TenantDatabase, TenantUser
from aurora_tenants.naming import SERVER, logical_id, renamed_users, stack_name
from aurora_tenants.plan import unknown_tenant
from aurora_tenants.stack import Stack

_HOST_AND_PORT = {"DatabaseHost": "DATABASE_HOST", "DatabasePort": "DATABASE_PORT"}
_FOR_IAM = frozenset({*_HOST_AND_PORT, "DatabaseResourceId"})


class Told(NamedTuple):
    """values: by the names of environment variables. notices: what a person should know of them."""

    values: Mapping[str, str]
    notices: tuple[Problem, ...] = ()


class Login(NamedTuple):
    """A user of a tenant, and the database that it works with."""

    tenant: str
    user: TenantUser
    database: TenantDatabase


def environment(
    aws: Aws,
    configuration: Configuration,
    name: str,
    *,
    user: str | None,
    database: str | None,
    to_reader: bool = False,
) -> Told:
    """What a service needs to log in as a tenant's user, from the outputs of its stack and of the shared one, which
    are asked for at once.

    user, database: the first of the file unless named. to_reader: the host is the cluster's reader endpoint, which
    takes one call more. Raises InvalidUsage for a name that the file does not have, AwsError when the tenant is not
    deployed, or the shared stack does not say what a login cannot do without.
    """
    login = chosen(configuration, name, user=user, database=database)
    cloudformation, cluster = aws.cloudformation, configuration.cluster
    later = begin(partial(read_stack, cloudformation, cluster.stack))
    outputs = _deployed(read_stack(cloudformation, stack_name(cluster, name)), login)
    told = values_of(login, outputs, _of_shared(later, outputs), cluster)
    return _with_reader(told, read_reader(aws, told.values["DATABASE_RESOURCE"])) if to_reader else told


def chosen(configuration: Configuration, name: str, *, user: str | None, database: str | None) -> Login:
    """The login that is meant. Raises InvalidUsage for a tenant, a user or a database that the file does not have."""
    tenant = _tenant(configuration, name)
    users, databases = ([entry.name for entry in group] for group in (tenant.users, tenant.databases))
    of_user = tenant.users[_one_of("user", user, users, tenant)]
    return Login(name, of_user, tenant.databases[_one_of("database", database, databases, tenant)])


def values_of(login: Login, outputs: Mapping[str, str], shared: Mapping[str, str], cluster: Cluster) -> Told:
    """What a login is told. outputs: of the tenant's stack. shared: those of the shared stack, as far as there are.

    Raises AwsError where what the shared stack does not say cannot be left out.
    """
    is_by_iam, server = login.user.auth == "iam", outputs.get(SERVER) or shared.get(SERVER)
    # A database called `host` has a tenant's stack say DatabaseHost as well, of something else.
    lacking = {*(_FOR_IAM if is_by_iam else ())} - shared.keys()
    if lacking or not server:
        raise AwsError(_old_shared_stack(cluster, sorted(lacking | (set() if server else {SERVER}))))
    address = {name: shared[output] for output, name in _HOST_AND_PORT.items() if output in shared}
    values = {"DATABASE_RESOURCE": server}
    if not is_by_iam:
        values["DATABASE_SECRET"] = outputs[_of_user(login, outputs)]
    values["DATABASE_NAME"] = outputs[_of_database(login)]
    if is_by_iam:
        return Told(values | _by_iam(server, login.user.name, shared))
    missing = [name for name in _HOST_AND_PORT.values() if name not in address]
    notices = (_left_out(cluster, missing),) if missing else ()
    return Told(values | {"DATABASE_USER": login.user.name} | address, notices)


def _left_out(cluster: Cluster, missing: list[str]) -> Problem:
    what = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} left out"
    why = f"stack {cluster.stack} does not say where its cluster is; the Data API does not need it"
    return Problem("old-shared-stack", what, why, f"run: aurora-tenants shared deploy --stack {cluster.stack}")


def _with_reader(told: Told, reader: Reader) -> Told:
    what = "the cluster has no reader now"
    why = "until it has one, its reader endpoint leads to the instance that writes"
    notices = () if reader.instances else (Problem("no-reader", what, why),)
    return Told({**told.values, "DATABASE_HOST": reader.host, "DATABASE_PORT": str(reader.port)}, notices)


def _deployed(stack: Stack | None, login: Login) -> Mapping[str, str]:
    """The outputs of a tenant's stack. Raises AwsError for one that does not have this user and this database."""
    outputs = stack.outputs if stack else {}
    if not stack or not {_of_user(login, outputs), _of_database(login)} <= outputs.keys():
        why = f"its stack is {stack.status}" if stack else "it has no stack"
        what = f"tenant {login.tenant} is not deployed as the file says"
        raise AwsError(Problem("not-deployed", what, why, "run apply"))
    return outputs


def _of_shared(later: Future[Stack | None], outputs: Mapping[str, str]) -> Mapping[str, str]:
    """The outputs of the shared stack; none where there is no such stack.

    Raises AwsError where it cannot be read, unless the tenant's own outputs say which cluster it is, as they did once:
    who has such a tenant may have a role that reads nothing else.
    """
    try:
        shared = later.result()
    except AwsError:
        if SERVER not in outputs:
            raise
        return {}
    return shared.outputs if shared else {}


def _of_user(login: Login, outputs: Mapping[str, str]) -> str:
    """The output that tells of the user. One that was renamed keeps the ids of its first name."""
    made_as = renamed_users(outputs).get(login.user.name, login.user.name)
    return logical_id("User" if login.user.auth == "iam" else "Secret", made_as)


def _of_database(login: Login) -> str:
    return logical_id("Database", login.database.name)


def _old_shared_stack(cluster: Cluster, lacking: list[str]) -> Problem:
    what = f"stack {cluster.stack} does not say where its cluster is"
    why = f"its outputs lack {', '.join(lacking)}, which a login needs"
    return Problem("old-shared-stack", what, why, f"run: aurora-tenants shared deploy --stack {cluster.stack}")


def _by_iam(cluster_arn: str, user: str, address: Mapping[str, str]) -> dict[str, str]:
    """Source: "Creating and using an IAM policy for IAM database access", Amazon Aurora User Guide."""
    _, partition, _, region, account, *_ = cluster_arn.split(":")
    return {
        "DATABASE_USER": user,
        "DATABASE_HOST": address["DatabaseHost"],
        "DATABASE_PORT": address["DatabasePort"],
        "DATABASE_REGION": region,
        "DATABASE_USER_RESOURCE": (
            f"arn:{partition}:rds-db:{region}:{account}:dbuser:{address['DatabaseResourceId']}/{user}"
        ),
    }


def _tenant(configuration: Configuration, name: str) -> Tenant:
    for tenant in configuration.tenants:
        if tenant.name == name:
            return tenant
    raise InvalidUsage(unknown_tenant(name, [tenant.name for tenant in configuration.tenants]))


def _one_of(kind: str, wanted: str | None, names: list[str], tenant: Tenant) -> int:
    """The position of the wanted name, of the first unless one is wanted."""
    if not names:
        raise InvalidUsage(Problem(f"no-{kind}", f"tenant {tenant.name} has no {kind}"))
    if wanted is not None and wanted not in names:
        what = f"tenant {tenant.name} has no {kind} {wanted}"
        raise InvalidUsage(Problem(f"unknown-{kind}", what, fix=f"it has: {', '.join(names)}"))
    return names.index(wanted) if wanted is not None else 0
