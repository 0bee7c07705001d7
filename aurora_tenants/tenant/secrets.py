"""What differs between the secrets of a tenant's users and what its template says of them. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

Heal = Literal["restore", "remake", "rotation", "rotate", "end-rotation", "attachment", "password"]


class SecretDrift(NamedTuple):
    """One thing that somebody changed by hand. user: whose secret it is. secret: its name.

    what: what is shown of it, old and new: "rotation: off → every 30 days". heals: what brings it back.
    """

    user: str
    secret: str
    what: str
    heals: tuple[Heal, ...]
