"""The options of script/smoke."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from botocore.exceptions import BotoCoreError, ClientError

import aurora_sandbox.errors
from aurora_tenants.errors import AuroraTenantsError
from aurora_tenants.render.problems import problem_text
from tools.smoke import documents
from tools.smoke.answers import UnusableAnswers
from tools.smoke.cleaning import NAME
from tools.smoke.cost import with_needs
from tools.smoke.probe import Probe
from tools.smoke.probes import PROBES
from tools.smoke.replay import replay
from tools.smoke.report import Report
from tools.smoke.run import DONE, FAILED, Options, clean, smoke

_WHAT = "Asks an AWS account what only an account can show: deploys under a random name, looks, deletes everything."


def main(arguments: Sequence[str] | None = None, probes: Sequence[Probe] = PROBES) -> int:
    """The exit code: 0 as expected, 2 something differs, 1 it could not be run."""
    parser = _parser()
    options = parser.parse_args(arguments)
    report = Report(sys.stdout)
    if options.docs:
        documents.FILE.write_text(documents.document(probes), encoding="utf-8")
        return DONE
    chosen = _chosen(parser, options.only, probes)
    if options.list:
        for probe in chosen:
            seconds = sum(it.takes_seconds for it in with_needs([probe]))
            report.tell(f"{probe.id:<30}{seconds:>5} s  {probe.relies}")
        return DONE
    if options.clean is not None and not NAME.fullmatch(options.clean):
        parser.error(f"--clean: {options.clean} is no name that this gives, such as smoke-1a2b3c4d")
    given = Options(options.region, options.profile, options.yes, options.answers, options.hide_account)
    try:
        if options.replay:
            return replay(options.replay, chosen, report, mysqld=options.mysqld)
        if options.clean:
            return clean(options.clean, given, report)
        asked = [probe for probe in chosen if not probe.disturbs or probe.id in options.only]
        for probe in chosen:
            if probe not in asked:
                report.tell(f"Not asked: {probe.id}, which {probe.disturbs}. --only {probe.id} asks it.")
        return smoke(given, asked, report)
    except KeyboardInterrupt:  # at the question: from the first deployment on, run.py has signals of its own
        report.tell("Interrupted. Nothing was deleted." if options.clean else "Interrupted. Nothing was made.")
    except AuroraTenantsError as error:
        for problem in error.problems:
            report.tell(str(problem_text(problem)))
    except aurora_sandbox.errors.SandboxError as error:
        for trouble in error.problems:
            report.tell(f"error: {trouble.what}\n    why: {trouble.why}\n    fix: {trouble.fix}")
    except (UnusableAnswers, ClientError, BotoCoreError, OSError) as error:
        report.tell(f"error: {error}")
    return FAILED


class _Parser(argparse.ArgumentParser):
    """Exits with 1 where argparse has 2, which means here that something differs."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(FAILED, f"{self.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="script/smoke", description=_WHAT)
    parser.add_argument("--region", help="the AWS region; otherwise the AWS configuration's")
    parser.add_argument("--profile", help="the profile of the AWS configuration")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--only", action="append", metavar="PROBE", default=[], help="this probe alone; may be repeated"
    )
    parser.add_argument("--answers", type=Path, metavar="FILE", help="where the raw answers go")
    parser.add_argument("--hide-account", action="store_true", help="leave the account's number out of them")
    parser.add_argument("--mysqld", metavar="PATH", help="the mysqld of the sandbox of --replay")
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--list", action="store_true", help="show the probes, and ask nothing")
    modes.add_argument("--docs", action="store_true", help="write docs/unverified.md")
    modes.add_argument("--clean", metavar="NAME", help="delete what a run of this name left behind")
    modes.add_argument("--replay", type=Path, metavar="FILE", help="ask a sandbox the same, and name what differs")
    return parser


def _chosen(parser: argparse.ArgumentParser, only: Sequence[str], probes: Sequence[Probe]) -> list[Probe]:
    names = [probe.id for probe in probes]
    for name in only:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            parser.error(f"there is no probe {name}" + (f"; did you mean {near[0]}?" if near else "; see --list"))
    return [probe for probe in probes if not only or probe.id in only]


if __name__ == "__main__":
    sys.exit(main())
