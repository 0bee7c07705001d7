"""What goes from one tenant to another, or gets another name, with everything that belongs to it. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["database", "role", "user"]


class Move(NamedTuple):
    """One thing that moves. giver, receiver: names of tenants; they are the same where a user is only renamed.

    old: the name that it had before; the same as `name` where only the tenant is another.
    """

    kind: Kind
    name: str
    giver: str
    receiver: str
    old: str
