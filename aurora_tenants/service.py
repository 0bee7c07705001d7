"""What a service of a tenant is told: which cluster, which secret, which database. Never a password."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from aurora_tenants.aws.stacks import read_stack
from aurora_tenants.errors import AwsError, InvalidUsage, Problem
from aurora_tenants.model import Configuration, Tenant
from aurora_tenants.plan import unknown_tenant
from aurora_tenants.template import logical_id, stack_name


def environment(
    cloudformation: Any, configuration: Configuration, name: str, *, user: str | None, database: str | None
) -> dict[str, str]:
    """DATABASE_RESOURCE, DATABASE_SECRET and DATABASE_NAME of a tenant, from its stack's outputs.

    user, database: the first of the file unless named. Raises InvalidUsage for a name that the file does not have,
    AwsError when the tenant is not deployed.
    """
    tenant = _tenant(configuration, name)
    user = _one_of("user", user, [entry.name for entry in tenant.users], tenant)
    database = _one_of("database", database, [entry.name for entry in tenant.databases], tenant)
    stack = read_stack(cloudformation, stack_name(configuration.cluster, name))
    outputs = stack.outputs if stack else {}
    secret, of_database = logical_id("Secret", user), logical_id("Database", database)
    if not stack or not {"DatabaseServer", secret, of_database} <= outputs.keys():
        why = f"its stack is {stack.status}" if stack else "it has no stack"
        raise AwsError(Problem("not-deployed", f"tenant {name} is not deployed as the file says", why, "run apply"))
    return {
        "DATABASE_RESOURCE": outputs["DatabaseServer"],
        "DATABASE_SECRET": outputs[secret],
        "DATABASE_NAME": outputs[of_database],
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


def _one_of(kind: str, wanted: str | None, names: list[str], tenant: Tenant) -> str:
    if not names:
        raise InvalidUsage(Problem(f"no-{kind}", f"tenant {tenant.name} has no {kind}"))
    if wanted is not None and wanted not in names:
        what = f"tenant {tenant.name} has no {kind} {wanted}"
        raise InvalidUsage(Problem(f"unknown-{kind}", what, fix=f"it has: {', '.join(names)}"))
    return wanted or names[0]
