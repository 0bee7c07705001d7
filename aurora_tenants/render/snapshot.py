"""That the cluster is saved before something is dropped: a sentence, and the same for a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aurora_tenants.tenant.drops import Drop

# More names than this are only counted.
_MOST_NAMES = 5


def snapshot_sentence(drops: Sequence[Drop], *, in_groups: bool) -> str:
    """drops: those for whose sake it is made, at least one. in_groups: before each group that drops something."""
    names = [drop.database for drop in drops]
    listed = ", ".join(names[:_MOST_NAMES]) + (f", … ({len(names):,})" if len(names) > _MOST_NAMES else "")
    what = f"{'database' if len(names) == 1 else 'databases'} {listed}"
    when = "a group is deployed that drops something" if in_groups else "anything is changed"
    return (
        f"Before {when}, a snapshot of the cluster is made, because of {what}."
        " AWS bills it per GB and month until somebody deletes it."
    )


def snapshot_data(drops: Sequence[Drop]) -> dict[str, Any] | None:
    """The same for a program; None where no snapshot is made."""
    return {"databases": [drop.database for drop in drops]} if drops else None


def drop_data(drop: Drop) -> dict[str, Any]:
    """What is lost with a database, in numbers; null where nobody could look."""
    contents = drop.contents._asdict() if drop.contents else dict.fromkeys(("tables", "rows", "bytes"))
    return {"database": drop.database, **contents}
