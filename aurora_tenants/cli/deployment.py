"""What `shared deploy` asks of the person at the terminal: which cluster, and whether what it shows is to be done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aurora_tenants.cli.options import ask
from aurora_tenants.errors import InvalidUsage, Problem, Refused

if TYPE_CHECKING:
    from aurora_tenants.aws.preparation import Chosen, Deployment
    from aurora_tenants.aws.stacks import Tell
    from aurora_tenants.preview import Preview
    from aurora_tenants.render.output import Output


def chosen(cluster: str | None, new_cluster: bool) -> Chosen | None:
    """What was said of the cluster. Raises InvalidUsage."""
    from aurora_tenants.aws.clusters import Existing
    from aurora_tenants.aws.preparation import NewCluster

    if cluster is not None and new_cluster:
        fix = "pass one of them"
        raise InvalidUsage(Problem("two-clusters", "--cluster and --new-cluster contradict each other", fix=fix))
    if cluster == "":  # a variable that is not set
        raise InvalidUsage(Problem("no-cluster-chosen", "--cluster is empty", fix="name a cluster, or leave it out"))
    return NewCluster() if new_cluster else Existing(cluster) if cluster else None


def choose(out: Output) -> Callable[[tuple[str, ...]], Chosen] | None:
    """What asks for the cluster of a first deployment; None where nobody can be asked."""
    from aurora_tenants.aws.clusters import Existing
    from aurora_tenants.aws.preparation import NewCluster

    def asked(names: tuple[str, ...]) -> Chosen:
        out.tell("Which cluster is the shared stack for?")
        for name in names:
            out.tell(f"  {name}")
        out.tell("  new, to have one made")
        said = sys.stdin.readline().strip()
        if said != "new" and said not in names:
            what = f"there is no cluster {said}" if said else "no cluster was named"
            raise Refused(Problem("no-cluster-chosen", what, fix="name one of the list, or new"))
        return NewCluster() if said == "new" else Existing(said)

    return asked if sys.stdin.isatty() else None


@dataclass(slots=True)
class Operator:
    """Shows what would be done, and asks. has_begun: something may have been changed. shown: all that was shown.

    only_shows: --plan, which agrees to nothing. allowed: logical ids whose data may be lost. verb: what is asked about.
    """

    out: Output
    deployment: Deployment
    allowed: tuple[str, ...]
    yes: bool
    only_shows: bool
    as_json: bool
    verb: str = "Deploy"
    has_begun: bool = False
    shown: list[Preview] = field(default_factory=list)

    def agrees(self, previews: Sequence[Preview]) -> bool:
        from aurora_tenants.preview import refusals

        if not previews:
            return not self.only_shows
        self.shown += previews
        self._show(previews)
        if problems := refusals(previews, self.allowed):
            raise Refused(*problems)
        if self.only_shows:
            return False
        ask(self.out, f"{self.verb} {' and '.join(f'stack {preview.stack}' for preview in previews)}?", yes=self.yes)
        return True

    def continues(self, names: Sequence[str]) -> None:
        named = " and ".join(f"stack {name}" for name in names)
        if self.only_shows:
            what = f"what would be done to {named} cannot be shown yet"
            why = "its update failed, and so did its rollback; until that is continued there can be no change set"
            fix = "leave out --plan: it asks, continues the rollback, shows what it would do, and asks again"
            raise Refused(Problem("rollback-first", what, why, fix))
        ask(self.out, f"Continue the rollback of {named}?", yes=self.yes)

    def _show(self, previews: Sequence[Preview]) -> None:
        from aurora_tenants.preview import secrets
        from aurora_tenants.render.preview import cost_text, preview_text

        if self.only_shows and self.as_json:
            return
        show = self.out.result if self.only_shows else self.out.tell
        show(preview_text(previews))
        ours = self.deployment.cluster is not None and previews[0].stack == self.deployment.cluster.name
        before, after = self.deployment.sizes if ours else (None, None)
        if costs := cost_text(before, after, secrets(previews), self.deployment.aws.region):
            show(costs)

    def deploying(self) -> Tell:
        from aurora_tenants.render.progress import StackProgress

        if not self.has_begun:
            cluster = self.deployment.cluster
            is_new = cluster is not None and cluster.action != "update"
            about = "; a new cluster takes about ten minutes." if is_new else "."
            self.out.tell(f"Deploying stack {self.deployment.stack.name}{about}")
        self.has_begun = True
        return StackProgress(self.out.err).tell
