"""Custom::DatabaseRole: a role, which is an account that nobody can log in to, and brings its privileges about."""

from __future__ import annotations

from aurora_tenants.lambdas.accounts import Asked, bring_about
from aurora_tenants.lambdas.ownership import make_owners
from aurora_tenants.lambdas.request import Outcome, Request
from aurora_tenants.mysql.live import read_server
from aurora_tenants.mysql.properties import wanted_role


def serve_role(request: Request) -> Outcome:
    """Its id is `role:` and its name. What is deleted by that id is what the stack made: user.delete_accounts."""
    make_owners(request.execute)
    server = read_server(request.execute)
    wanted = wanted_role(request.properties, server)
    asked = Asked(wanted, server, None, is_there=False)
    physical_id = f"role:{asked.name}"
    bring_about(request, asked._replace(is_there=request.id == physical_id))
    return Outcome(physical_id, {"Name": asked.name})
