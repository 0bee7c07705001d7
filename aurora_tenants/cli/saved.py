"""Saved plans at the command line: `plan --out FILE`, `apply FILE`, and what both allow."""

from __future__ import annotations

import os
import shlex
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aurora_tenants.errors import AuroraTenantsError, InvalidFile, InvalidUsage, Problem, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aurora_tenants.fingerprint import Fingerprint
    from aurora_tenants.plan import Proposal
    from aurora_tenants.propose import Request
    from aurora_tenants.render.output import Output
    from aurora_tenants.safety import Allowed
    from aurora_tenants.saved import SavedPlan

Out = Annotated[Path | None, typer.Option("--out", help="Save the plan here, for apply FILE.", metavar="FILE")]
Saved = Annotated[
    Path | None,
    typer.Argument(help="A plan that plan --out saved: apply exactly that, and ask nothing.", metavar="FILE"),
]
Drops = Annotated[
    list[str] | None, typer.Option("--allow-drop", help="Drop this database; may be repeated.", metavar="NAME")
]
MassRemoval = Annotated[
    bool, typer.Option("--allow-mass-removal", help="Remove all tenants, or more than 30 % of ten or more.")
]
Access = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-access",
        help="Let this account into what it could not get into; may be repeated.",
        metavar="USER@HOST",
    ),
]
SkippedGroups = Annotated[
    bool,
    typer.Option("--allow-skipped-groups", help="Apply a group though one before it is not deployed as the file says."),
]


@dataclass(frozen=True, slots=True)
class Dangers:
    """Which dangerous changes are allowed."""

    allow_drop: Drops = None
    allow_mass_removal: MassRemoval = False
    allow_access: Access = None
    allow_skipped_groups: SkippedGroups = False

    def allowed(self) -> Allowed:
        from aurora_tenants.safety import Allowed

        drops, access = tuple(self.allow_drop or ()), tuple(self.allow_access or ())
        return Allowed(drops, self.allow_mass_removal, access, self.allow_skipped_groups)

    def require_saved(self, path: Path | None) -> None:
        """Raises InvalidUsage for what allows something to a plan that nothing can be done with."""
        used = [
            option
            for option, value in (
                ("--allow-drop", self.allow_drop),
                ("--allow-access", self.allow_access),
                ("--allow-skipped-groups", self.allow_skipped_groups),
            )
            if value
        ]
        if used and path is None:
            what, why = f"{used[0]} is for a plan that is saved", "a plan that is only shown needs no permission"
            raise InvalidUsage(Problem("nothing-to-allow", what, why, "add --out FILE, or pass it to apply"))


DANGERS = Dangers()


def check_writable(path: Path) -> None:
    """Before anything is read for a plan. Raises InvalidUsage where no file can be, or another file would be lost."""
    from aurora_tenants.saved import is_saved

    fix = "name another file"
    try:
        found = path.stat()
    except FileNotFoundError:
        if not path.parent.is_dir():
            what = f"{path} cannot be written: there is no directory {path.parent}"
            raise InvalidUsage(Problem("not-writable", what, fix=f"make it, or {fix}")) from None
        return
    except OSError as error:
        raise InvalidUsage(Problem("not-writable", f"{path} cannot be written: {error.strerror}", fix=fix)) from error
    if not stat.S_ISREG(found.st_mode):
        noun = "directory" if stat.S_ISDIR(found.st_mode) else "device or a pipe"
        why = "a plan is saved whole or not at all, so its file takes the place of the one before"
        raise InvalidUsage(Problem("not-writable", f"{path} is a {noun}", why, fix))
    if found.st_size and not is_saved(_text(path)):
        what, why = f"{path} is there already, and is no saved plan", "it would be lost"
        raise InvalidUsage(Problem("file-exists", what, why, f"{fix}, or remove it"))


def save(path: Path, plan: Mapping[str, Any], fingerprint: Fingerprint, request: Request) -> None:
    """Writes the file, for its owner alone and whole or not at all. Raises AuroraTenantsError where that fails."""
    from aurora_tenants.saved import SavedPlan

    file, logins = str(request.file), request.reading.logins
    made = datetime.now(UTC)
    saved = SavedPlan(
        made,
        file,
        fingerprint,
        plan,
        only=request.only,
        group=request.group,
        allowed=request.allowed,
        logins=logins,
    )
    try:
        _replace(Path(os.path.realpath(path)), saved.to_text())
    except OSError as error:
        raise AuroraTenantsError(Problem("not-saved", f"{path} could not be written: {error.strerror}")) from error


def _replace(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".plan-")  # of mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def load(path: Path) -> SavedPlan:
    """Raises InvalidFile with a sentence for a file that holds no plan which this program has saved."""
    from aurora_tenants.saved import parse

    return parse(_text(path), str(path))


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="backslashreplace")
    except OSError as error:
        raise InvalidFile(Problem("unreadable-plan", f"{path} cannot be read: {error.strerror}")) from error


def tell(out: Output, path: Path, proposal: Proposal, allowed: Allowed) -> None:
    """Says what can be done with a plan that is saved."""
    from aurora_tenants.render.text import count
    from aurora_tenants.safety import unused

    for sentence in unused(proposal.plan, allowed):
        out.tell(sentence)
    then = "apply it with:"
    if proposal.refusals:
        codes = ", ".join(dict.fromkeys(problem.code for problem in proposal.refusals))
        then = f"but {count(len(proposal.refusals), 'thing')} would stop apply ({codes}):"
    out.tell(f"Saved as {path}; {then} aurora-tenants apply {shlex.quote(str(path))}")


@dataclass(frozen=True, slots=True)
class Reopened:
    """A saved plan that is to be applied. path: where it was read."""

    path: Path
    plan: SavedPlan

    @classmethod
    def read(cls, path: Path, given: Request) -> Reopened:
        """given: what the command line says beside it. Raises InvalidFile, InvalidUsage for --tenant and --group, and
        Refused for another region than the plan's."""
        if given.only or given.group is not None:
            option = "--tenant" if given.only else "--group"
            what = f"{option} cannot be given with {path}"
            why = "a saved plan is applied as it is, and is about the tenants that it was made for"
            fix = f"leave it out, or make the plan again with {option}"
            raise InvalidUsage(Problem("saved-plan-tenants", what, why, fix))
        opened = cls(path, load(path))
        opened._require_place(opened.plan.fingerprint.place.account, given.region)
        return opened

    @property
    def title(self) -> str:
        """What is applied: `Applying plan.json, made 2026-03-01 09:30 UTC with --allow-drop shop.`"""
        options = shlex.join(self.plan.options)
        return f"Applying {self.path}, made {self.plan.when}{f' with {options}' if options else ''}."

    def request(self, given: Request, *, is_file_given: bool) -> Request:
        """The plan's file and region unless the command line names others; what either allows, and has tried."""
        from aurora_tenants.safety import Allowed

        saved = self.plan.allowed
        allowed = Allowed(
            tuple(dict.fromkeys((*saved.drops, *given.allowed.drops))),
            saved.mass_removal or given.allowed.mass_removal,
            tuple(dict.fromkeys((*saved.access, *given.allowed.access))),
            saved.skipped_groups or given.allowed.skipped_groups,
        )
        return replace(
            given,
            file=given.file if is_file_given else Path(self.plan.file),
            region=given.region or self.plan.fingerprint.place.region,
            account=self.plan.fingerprint.place.account,
            only=self.plan.only,
            group=self.plan.group,
            # What only a login shows is part of a plan that was made with logins.
            reading=replace(given.reading, logins=given.reading.logins or self.plan.logins),
            allowed=allowed,
            located=self._located(given.located),
        )

    def require_unmoved(self, now: Fingerprint) -> None:
        """Raises Refused with everything that has moved since the plan was made."""
        from aurora_tenants.saved import moved

        if problems := moved(self.plan, now, str(self.path)):
            raise Refused(*problems)

    def _located(self, tell: Callable[[str, str], None]) -> Callable[[str, str], None]:
        """What tells account and region, and refuses others than the plan's before anything is asked of them."""

        def located(account: str, region: str) -> None:
            tell(account, region)
            self._require_place(account, region)

        return located

    def _require_place(self, account: str, region: str | None) -> None:
        from aurora_tenants.saved import misplaced

        place = self.plan.fingerprint.place
        if problems := misplaced(self.plan, account, region or place.region, str(self.path)):
            raise Refused(*problems)
