"""What a service of a tenant is told: which cluster, which user, which database. Never a password.

by password   DATABASE_RESOURCE, DATABASE_SECRET, DATABASE_NAME: what the Data API takes; the secret has the rest
by IAM        DATABASE_RESOURCE, DATABASE_NAME, and what a driver and the signer of a token take: DATABASE_USER, _HOST,
              _PORT, _REGION; DATABASE_USER_RESOURCE is what the service's role must be allowed to rds-db:connect to
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Set
from typing import Any

from aurora_tenants.aws.stacks import read_stack
from aurora_tenants.errors import AwsError, InvalidUsage, Problem
from aurora_tenants.model import Cluster, Configuration, Tenant
from aurora_tenants.naming import SERVER, logical_id, renamed_users, stack_name
from aurora_tenants.plan import unknown_tenant

_ADDRESS = {"DatabaseHost", "DatabasePort", "DatabaseResourceId"}


def environment(
    cloudformation: Any, configuration: Configuration, name: str, *, user: str | None, database: str | None
) -> dict[str, str]:
    """What a service needs to log in as a tenant's user, from the outputs of its stack and of the shared one.

    user, database: the first of the file unless named. Raises InvalidUsage for a name that the file does not have,
    AwsError when the tenant is not deployed, or the shared stack too old to know the address of the cluster.
    """
    tenant = _tenant(configuration, name)
    login = tenant.users[_one_of("user", user, [entry.name for entry in tenant.users], tenant)]
    names = [entry.name for entry in tenant.databases]
    of_database = logical_id("Database", names[_one_of("database", database, names, tenant)])
    stack = read_stack(cloudformation, stack_name(configuration.cluster, name))
    outputs = stack.outputs if stack else {}
    made_as = renamed_users(outputs).get(login.name, login.name)
    of_login = logical_id("User" if login.auth == "iam" else "Secret", made_as)
    if not stack or not {of_login, of_database} <= outputs.keys():
        why = f"its stack is {stack.status}" if stack else "it has no stack"
        raise AwsError(Problem("not-deployed", f"tenant {name} is not deployed as the file says", why, "run apply"))
    is_by_iam, of_name = login.auth == "iam", outputs[of_database]
    needed = {SERVER, *(_ADDRESS if is_by_iam else ())} - outputs.keys()
    shared = _of_shared(cloudformation, configuration.cluster, needed) if needed else {}
    resource = outputs.get(SERVER) or shared[SERVER]
    if is_by_iam:
        by_iam = _by_iam(resource, outputs[of_login], shared)
        return {"DATABASE_RESOURCE": resource, "DATABASE_NAME": of_name, **by_iam}
    return {"DATABASE_RESOURCE": resource, "DATABASE_SECRET": outputs[of_login], "DATABASE_NAME": of_name}


def _of_shared(cloudformation: Any, cluster: Cluster, needed: Set[str]) -> Mapping[str, str]:
    """The outputs of the shared stack, which say where the cluster is. Raises AwsError for one that lacks some."""
    shared = read_stack(cloudformation, cluster.stack)
    outputs = shared.outputs if shared else {}
    if lacking := sorted(needed - outputs.keys()):
        what = f"stack {cluster.stack} does not say where its cluster is"
        why = f"its outputs lack {', '.join(lacking)}, which a login needs"
        fix = f"run: aurora-tenants shared deploy --stack {cluster.stack}"
        raise AwsError(Problem("old-shared-stack", what, why, fix))
    return outputs


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


def writer(form: str) -> Callable[[Mapping[str, str]], str]:
    """What writes values as shell exports, a dotenv file or JSON. Raises InvalidUsage for another form."""
    writers = {"shell": _shell, "dotenv": _dotenv, "json": _json}
    if form not in writers:
        raise InvalidUsage(Problem("unknown-format", f"--format cannot be {form}", fix="use shell, dotenv or json"))
    return writers[form]


def _shell(values: Mapping[str, str]) -> str:
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())


def _dotenv(values: Mapping[str, str]) -> str:
    return "\n".join(f"{name}={value}" for name, value in values.items())


def _json(values: Mapping[str, str]) -> str:
    return json.dumps(values, indent=2)


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
