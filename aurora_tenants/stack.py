"""A CloudFormation stack: as it is, and what is to happen to it.

A tenant, the pause schedule and the shared stack are a stack each. Whatever is deployed is deployed as a `StackPlan`.

    Stack("shared-global-shop", "CREATE_COMPLETE", tags={…}, parameters={"Revision": "3"}, outputs={"Digest": "ab…"})
    StackPlan("shared-global-shop", "shop", "tenant shop", action="update", template=Template({…}, "cd…"), …)
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aurora_tenants.errors import Problem
from aurora_tenants.naming import DIGEST, REVISION
from aurora_tenants.revision import plain
from aurora_tenants.status import State, state_of

Action = Literal["none", "create", "update", "replace", "delete"]
Origin = Literal["file", "drift"]

# Of a stack whose last update failed and could not be undone either: what it made before may work as it did.
FAILED_ROLLBACK = "UPDATE_ROLLBACK_FAILED"
# CloudFormation takes no larger template in a request.
MAX_TEMPLATE_BYTES = 51_200
# By how much a template can be longer than the text that its digest is of: its digest and the counters' parameter, and
# the counter of each resource (test_a_template_is_never_longer_than_its_digest_lets_it_be).
_MORE_BYTES, _MORE_BYTES_EACH = 500, 30
# Nothing that this program makes contains itself.
_in_order = json.JSONEncoder(sort_keys=True, check_circular=False).encode


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack as DescribeStacks tells it. reason: CloudFormation's own words, may be empty.

    exports: the names under which other stacks import its outputs. id: the last part of its ARN, which no other stack
    of the same name ever has. role_arn: what CloudFormation worked with last; empty for the caller's rights.
    is_by_others: somebody else has updated it last. is_edited: its template is not as this program wrote it; only
    looked at where it is by others.

    What a status means is in status.py.
    """

    name: str
    status: str
    reason: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    exports: frozenset[str] = frozenset()
    id: str = ""
    role_arn: str = ""
    is_by_others: bool = False
    is_edited: bool = False

    @property
    def state(self) -> State:
        return state_of(self.status)

    @property
    def was_begun(self) -> bool:
        """Whether anything was ever made of it. One that was not waits for a change set, for ever if nobody does."""
        return self.status != "REVIEW_IN_PROGRESS"

    @property
    def is_busy(self) -> bool:
        """Whether an operation is under way that has to end first."""
        return self.state.way == "wait"

    @property
    def is_unfinished(self) -> bool:
        """Whether an operation failed and was not rolled back: an update goes on from there, without rollback again."""
        return self.state.goes_on

    @property
    def is_only_to_delete(self) -> bool:
        """Whether its creation or its deletion failed, so that nothing but a deletion is possible."""
        return self.state.way == "make again"

    @property
    def revision(self) -> str:
        """Its parameter Revision: a tenant's has counters (revision.py), a pause schedule's a number; may be empty."""
        return self.parameters.get(REVISION, "")


@dataclass(frozen=True, slots=True)
class Template:
    """A template that this program generates. body: with its digest among the outputs. most_bytes: as `size_bytes`,
    which is never more.
    """

    body: Mapping[str, Any]
    digest: str
    most_bytes: int = field(default=sys.maxsize, compare=False, repr=False)

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Template:
        """The template with its digest among the outputs. The same body always has the same digest, and so have the
        forms of Revision.
        """
        text = _in_order(plain(body))
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        output = {"Value": digest, "Description": "Of this template; a plan compares it."}
        most_bytes = len(text) + _MORE_BYTES + _MORE_BYTES_EACH * len(body.get("Resources", ()))
        return cls({**body, "Outputs": {**body.get("Outputs", {}), DIGEST: output}}, digest, most_bytes)

    @staticmethod
    def is_edited(body: Mapping[str, Any]) -> bool:
        """Whether a template that is deployed has another digest than it says: somebody has changed it since."""
        outputs = body.get("Outputs", {})
        others = {name: output for name, output in outputs.items() if name != DIGEST}
        return bool(Template.of({**body, "Outputs": others}).body["Outputs"][DIGEST] != outputs.get(DIGEST))

    @property
    def resources(self) -> Mapping[str, Mapping[str, Any]]:
        """By logical id."""
        resources: Mapping[str, Mapping[str, Any]] = self.body["Resources"]
        return resources

    def text(self) -> str:
        """What CloudFormation is sent: without blanks where it would be too long with them."""
        text = json.dumps(self.body, indent=1)
        return text if len(text) <= MAX_TEMPLATE_BYTES else self._without_blanks()

    def fits(self) -> bool:
        """Whether CloudFormation takes it in a request. It is measured only where it might not."""
        return self.most_bytes <= MAX_TEMPLATE_BYTES or self.size_bytes() <= MAX_TEMPLATE_BYTES

    def size_bytes(self) -> int:
        """Of the text at its shortest."""
        return len(self._without_blanks())

    def _without_blanks(self) -> str:
        return json.dumps(self.body, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class StackPlan:
    """What happens to one stack.

    part: what it is the stack of, in a word: shop-dev, pause-schedule. about: as people say it: tenant shop-dev.
    origin: why there is something to do: the file changed, or somebody else changed what the stack made.
    template: a text where it is shipped as a file. status: what CloudFormation says of the stack now; empty when there
    is none. id: of the stack that was there when it was planned, as `Stack.id`. is_edited: its template is no longer as
    it was deployed. role_arn: what CloudFormation works with; with none, it works with the caller's rights. drops:
    databases
    that are dropped with it, once that is allowed. needs: the stacks that have to share a database first. first: what
    is deployed before that, where another stack waits for this one in turn.

    gifts: logical ids of what moves to another stack before anything else happens, each with that stack's name.
    imports: secrets that come from another stack, by logical id, each with its ARN. givers: the stacks that have to
    give something up for it before.
    """

    name: str
    part: str
    about: str
    action: Action = "none"
    origin: Origin = "file"
    template: Template | str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    role_arn: str = ""
    status: str = ""
    id: str = ""
    is_edited: bool = False
    drops: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    first: Template | None = None
    gifts: Mapping[str, str] = field(default_factory=dict)
    imports: Mapping[str, str] = field(default_factory=dict)
    givers: tuple[str, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Whether anything happens to it."""
        return self.action != "none"

    @property
    def is_new(self) -> bool:
        """Whether there was no stack of the name, and nothing is done before it is created."""
        return self.action == "create" and not self.status and not self.imports

    def template_text(self) -> str:
        """What CloudFormation is sent."""
        return self.template.text() if isinstance(self.template, Template) else self.template or ""


@dataclass(frozen=True, slots=True)
class Shared:
    """The shared stack's outputs that the command line needs.

    version: the provider's, counted up by one; None for a stack that has no provider. role_arn: what CloudFormation
    works with when it deploys a tenant. pause_role_arn, pause_dead_letters: what the schedules of a pause schedule
    work with, and the URL of the queue for what they could not deliver; empty for a stack from before.
    rotation_function: ARN of what rotates the users' secrets. exports_address: whether stacks can import where the
    cluster is; those from before do not export it.
    """

    stack: str
    cluster_arn: str
    inspector_secret: str
    version: int | None
    inspector_problem: str = ""
    master_user: str = ""
    role_arn: str = ""
    status: str = ""
    pause_role_arn: str = ""
    pause_dead_letters: str = ""
    rotation_function: str = ""
    exports_address: bool = True

    @property
    def has_failed(self) -> bool:
        """Whether its last update failed and could not be undone: what it holds can be read, nothing deployed on it."""
        return self.status == FAILED_ROLLBACK


@dataclass(frozen=True, slots=True)
class Deployed:
    """What CloudFormation holds for one cluster: the shared stack (None: not there) and each tenant's, by tenant.

    others: names of all other stacks; a tenant's stack is never made in the place of one of them. pause_schedule: the
    stack of the pause schedule. shared_stacks: the names of all shared stacks that there are. made: the stack of the
    cluster that was made with the shared one. waiting: the names of stacks that are called like a tenant's, or like the
    pause schedule's, and in which nothing is: each waits for a change set, and no tag says whose it is.
    """

    shared: Shared | None
    tenants: Mapping[str, Stack]
    others: frozenset[str] = frozenset()
    pause_schedule: Stack | None = None
    shared_stacks: tuple[str, ...] = ()
    made: Stack | None = None
    waiting: tuple[str, ...] = ()

    @property
    def role_arn(self) -> str:
        """What CloudFormation works with when it deploys tenants; empty for the caller's rights."""
        return self.shared.role_arn if self.shared else ""

    @property
    def master_user(self) -> str:
        """The cluster's master user; empty when nobody says it."""
        return self.shared.master_user if self.shared else ""


def failed(stack: Stack, shared: str) -> Problem | None:
    """Why a shared stack or its cluster's is of no use, and what mends it; None unless it failed. shared: the name.

    A rollback of an update that failed is another matter: what there was before may work.
    """
    if stack.state.way not in ("go on", "make again", "by hand"):
        return None
    said = f": {stack.reason.strip()}" if stack.reason else ""
    fix = f"run: aurora-tenants shared deploy --stack {shared}, which goes on with it or makes it again"
    if stack.status in ("ROLLBACK_FAILED", "DELETE_FAILED") or stack.state.way == "by hand":
        option = "" if stack.name == shared else " --with-cluster"
        fix = f"run: aurora-tenants shared delete --stack {shared}{option}; CloudFormation accepts only its deletion"
    return Problem("failed-stack", f"stack {stack.name} is {stack.status}{said}", stack.state.said, fix)


def failed_rollback(stack: str) -> Problem:
    """Why nothing is deployed on a shared stack that has failed."""
    what = f"nothing can be deployed on stack {stack}: it is {FAILED_ROLLBACK}"
    why = "its last update failed, and so did undoing that; what it held before can still be read"
    fix = f"run: aurora-tenants shared deploy --stack {stack}, which continues the rollback and deploys again"
    return Problem("failed-shared-stack", what, why, fix)


def busy(stack: Stack, about: str) -> list[Problem]:
    """An operation that has to end first. about: whose stack it is, "tenant shop"."""
    if not stack.is_busy:
        return []
    what = f"stack {stack.name} is in the middle of an operation: {stack.status}"
    return [Problem("stack-busy", what, context=about, fix="wait until it has ended, then try again")]


def stuck(stack: Stack, about: str) -> list[Problem]:
    """A state that only a person can lead a stack out of. about: as for `busy`."""
    if stack.state.way != "by hand":
        return []
    what = f"stack {stack.name} is {stack.status}: nothing can be deployed on it"
    why = f"{stack.state.said}; what is left of it is not known"
    fix = (
        f"look at it in CloudFormation; if it is to be made again: aws cloudformation delete-stack --stack-name"
        f" {stack.name}, which drops its users with their secrets and keeps databases; then apply again, with"
        " adopt: true for these"
    )
    return [Problem("stack-stuck", what, why, fix, context=about)]
