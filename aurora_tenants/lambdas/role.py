"""Custom::DatabaseRole: a role, which is an account that nobody can log in to, and its privileges."""

from __future__ import annotations

from aurora_tenants.lambdas.accounts import converge
from aurora_tenants.lambdas.permission import Wanted
from aurora_tenants.lambdas.reading import read_asked
from aurora_tenants.lambdas.request import Request, Resource
from aurora_tenants.mysql.properties import may_wait, wanted_role


def serve_role(request: Request) -> Resource:
    """Creates, adopts or changes the role; user.delete_accounts deletes it by its physical id, `role:` and its name."""
    reading = read_asked(request, [request.text("Name")])
    server = reading.server
    state = wanted_role(request.properties, server)
    wanted = Wanted(state, server, waits=may_wait(request.properties, state, server))
    physical_id = f"role:{wanted.name}"
    refused = converge(request, wanted._replace(is_same=request.id == physical_id), reading)
    return Resource(physical_id, {"Name": wanted.name, "Refused": refused[:1000] or "none"})
