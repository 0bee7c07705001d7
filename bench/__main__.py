"""What a plan costs, beside the least it could and beside a naive one; how that compares with goals and an earlier run.

    script/bench                            at 10, 100, 300 and 1,000 tenants; takes minutes, most of them to deploy
    script/bench 10 100 --runs 15           at these, and each thing fifteen times
    script/bench --json new.json            what was measured, as JSON
    script/bench --compare old.json         beside an earlier run: exits 1 if anything got slower by more than noise
    script/bench --compare old.json new.json        without a run
    script/bench 10 100 300 1000 3000 --keep --write-docs       and the tables into docs/performance.md

`--keep` leaves the sandboxes running, and the next run finds them, if the sandbox's code is still the same; one without
it ends them. `--code DIR` measures the aurora_tenants of another checkout, in this one's environment.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from bench import turns
from bench.compare import changes, told
from bench.figures import Figure, Report, dumped, loaded
from bench.table import markdown, written
from bench.world import ROOT, World, default_cache, world

DOCUMENT = ROOT / "docs" / "performance.md"
SIZES = (10, 100, 300, 1000)
_LATE_AT = 100


def main() -> int:
    options = _options()
    old, new = [*(options.compare or ()), None, None][:2]
    report = new or measured(options)
    if new is None:
        print(markdown(report))
        if options.json:
            options.json.write_text(dumped(report))
    if options.write_docs:
        DOCUMENT.write_text(written(DOCUMENT.read_text(), markdown(report)))
    if old is None:
        return 0
    found = changes(old, report)
    print(told(found, old, report))
    return int(any(change.is_slower for change in found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="script/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sizes", nargs="*", type=_number, default=SIZES, metavar="N", help="numbers of tenants")
    parser.add_argument("--runs", type=_number, default=7, help="how often each thing is measured")
    parser.add_argument("--latency", type=float, default=20.0, metavar="MS", help="of a late round trip; 0 for none")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes what was measured")
    parser.add_argument(
        "--compare", type=_report_in, nargs="+", metavar="FILE", help="OLD [NEW]; without NEW, with this run"
    )
    parser.add_argument("--write-docs", action="store_true", help="writes the tables into docs/performance.md")
    parser.add_argument("--keep", action="store_true", help="leaves the sandboxes running for the next run")
    parser.add_argument("--worlds", type=Path, default=default_cache(), metavar="DIR", help="where they are kept")
    parser.add_argument("--code", type=Path, default=ROOT, metavar="DIR", help="whose aurora_tenants is measured")
    options = parser.parse_args()
    if options.compare and len(options.compare) > 2:
        parser.error("--compare takes OLD and NEW")
    return options


def _number(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text} is not a number of at least 1")
    return int(text)


def _report_in(file: str) -> Report:
    """What an earlier run has written there, read before anything is measured."""
    try:
        return loaded(Path(file).read_text())
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise argparse.ArgumentTypeError(f"{file} is no report that --json has written: {error}") from error


def measured(options: argparse.Namespace) -> Report:
    """Everything, at every size. Raises CalledProcessError where a command ends otherwise than it should."""
    code: Path = options.code.resolve()
    with ExitStack() as ends, tempfile.TemporaryDirectory() as empty:
        directory = Path(empty)
        worlds = [_both(size, options, ends) for size in sorted(options.sizes)]
        things = [*turns.starts(code)]
        for deployed, fresh in worlds:
            things += turns.of_world(deployed, fresh, code)
            if options.latency and deployed.tenants == _LATE_AT:
                things += turns.late(deployed, code, options.latency)
        figures = turns.measure(things, options.runs, directory=directory, tell=_tell)
        _tell("applies")
        figures += [turns.healed(turns.healing(deployed, code), directory) for deployed, _ in worlds]
        return _report(options, figures, worlds[0][0].mysql_version)


def _both(size: int, options: argparse.Namespace, ends: ExitStack) -> tuple[World, World]:
    """The deployed world and the fresh one of this size."""
    worlds = []
    for is_deployed in (True, False):
        _tell(f"{size:,} tenants, {'deployed' if is_deployed else 'fresh'}")
        found = world(size, is_deployed=is_deployed, cache=options.worlds.resolve())
        worlds.append(found)
        if not options.keep:
            ends.callback(found.end)
    return worlds[0], worlds[1]


def _report(options: argparse.Namespace, figures: list[Figure], mysql: str) -> Report:
    command = " ".join(["script/bench", *map(str, options.sizes), f"--runs {options.runs}"])
    return Report(
        date=datetime.now(UTC).isoformat(timespec="minutes"),
        command=command,
        machine={
            "CPU": f"{os.cpu_count()} × {_processor()}",
            "system": f"{platform.system()} {platform.machine()}",
            "Python": platform.python_version(),
            "MySQL": mysql,
            "commit": _commit(options.code),
        },
        latency=options.latency,
        figures=tuple(figures),
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")


def _commit(code: Path) -> str:
    command = ["git", "-C", str(code), "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
