"""What each state means that a CloudFormation stack can be in, and the way out of it. Pure.

Sources: "Stack status codes", and of imports "Resource import status codes", CloudFormation User Guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

# What a deployment does with a stack, so that it ends as the file says.
Way = Literal[
    "update",
    "create",  # nothing was ever made of it, or nothing is left
    "wait",  # an operation is under way
    "go on",  # an operation failed and was not rolled back: an update goes on from there
    "roll back",  # its rollback is continued, and then it is updated
    "make again",  # CloudFormation takes only its deletion: it is deleted, and then created
    "by hand",  # the same, and a person has to decide on it
]


class State(NamedTuple):
    """way: out of it. said: what has happened to the stack; empty where all went well.

    goes_on: whether an update is possible, if only one that is not rolled back.
    """

    way: Way
    said: str = ""
    goes_on: bool = False

    @property
    def takes_update(self) -> bool:
        """Whether CloudFormation takes an update, after its rollback where that has to be continued first."""
        return self.goes_on or self.way in ("update", "roll back")

    @property
    def has_to_end(self) -> bool:
        """Whether an update has to bring a stack out of it, even where nothing differs."""
        return self.way in ("go on", "roll back")


STATES: Mapping[str, State] = {
    "REVIEW_IN_PROGRESS": State("create", "it waits for a change set that nobody has executed"),
    "CREATE_IN_PROGRESS": State("wait", "it is being created"),
    "CREATE_COMPLETE": State("update"),
    "CREATE_FAILED": State("make again", "its creation failed; what it has made is kept", goes_on=True),
    "ROLLBACK_IN_PROGRESS": State("wait", "its creation failed and is being rolled back"),
    "ROLLBACK_COMPLETE": State("make again", "its creation failed and was rolled back"),
    "ROLLBACK_FAILED": State("make again", "its creation failed, and so did its rollback"),
    "UPDATE_IN_PROGRESS": State("wait", "it is being updated"),
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": State("wait", "it was updated, and what it has no more is being deleted"),
    "UPDATE_COMPLETE": State("update"),
    "UPDATE_FAILED": State("go on", "its last update failed and was not rolled back", goes_on=True),
    "UPDATE_ROLLBACK_IN_PROGRESS": State("wait", "its last update failed and is being rolled back"),
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": State("wait", "its last update failed and is being rolled back"),
    "UPDATE_ROLLBACK_COMPLETE": State("update"),
    "UPDATE_ROLLBACK_FAILED": State("roll back", "its last update failed, and so did undoing it"),
    "IMPORT_IN_PROGRESS": State("wait", "it is taking in what was not its own"),
    "IMPORT_COMPLETE": State("update"),
    "IMPORT_ROLLBACK_IN_PROGRESS": State("wait", "its last import failed and is being rolled back"),
    "IMPORT_ROLLBACK_COMPLETE": State("update"),
    "IMPORT_ROLLBACK_FAILED": State("by hand", "its last import failed, and so did undoing it"),
    "DELETE_IN_PROGRESS": State("wait", "it is being deleted"),
    "DELETE_COMPLETE": State("create"),
    "DELETE_FAILED": State("make again", "its deletion began and did not finish"),
}


def state_of(status: str) -> State:
    """What a status means; one that AWS has made since this was written is waited for, or left to a person."""
    if known := STATES.get(status):
        return known
    return State("wait" if status.endswith("_IN_PROGRESS") else "by hand", "this program does not know this state")
