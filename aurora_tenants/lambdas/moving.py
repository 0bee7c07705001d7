"""What moves from one stack to another: MovedTo has its stack offer it, MovedFrom has the other stack take it.

step                                              the entry in MySQL then (mysql/owners.py)
the giver's Update with MovedTo                   stack: the receiver; resource: "giver/logical id"; released
the giver's Delete                                as it was: it is not the giver's any more
the receiver's Create or Update with MovedFrom    the receiver's own, adopted or not as before
its Delete when its stack is rolled back          offered to it again

Nobody else can take what is offered. Without MovedTo the giver's own resource takes it back.
"""

from __future__ import annotations

from functools import partial

from aurora_tenants.lambdas.ownership import look, until_heard
from aurora_tenants.lambdas.request import Request, Resource
from aurora_tenants.lambdas.user import entries_of
from aurora_tenants.mysql.names import account_of
from aurora_tenants.mysql.owners import offer
from aurora_tenants.mysql.properties import other_stack


def give_away(request: Request, physical_id: str) -> Resource:
    """Offers what this resource owns to the stack that MovedTo names; what it does not own stays as it is.

    Needs no secret, which may be the other stack's by now. Raises ValueError for what is the name of no other stack.
    """
    execute, mine, to = request.execute, request.owner, other_stack(request.properties, "MovedTo", request.owner.stack)
    is_database = request.event["ResourceType"] == "Custom::Database"
    if is_database:
        names = [name := look(execute).server.stored(physical_id)]
    else:
        names = list(entries_of(request, physical_id))
        name = max(
            (account_of(entry).user for entry in names), default=request.text("UserName") or request.text("Name")
        )
    if names:
        until_heard(partial(execute, offer("databases" if is_database else "users", names, mine, to)))
    return Resource(physical_id, {"Server": request.cluster_arn, "Name": name, "Username": name, "Refused": "none"})
