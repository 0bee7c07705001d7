"""docs/unverified.md, made from the probes: a row for each, and a probe for each row.

python3 -m tools.smoke --docs        writes it
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tools.smoke.cost import estimate
from tools.smoke.probe import Probe

FILE = Path(__file__).parents[2] / "docs" / "unverified.md"

_HEAD = """\
# What only a real AWS account can show

<!-- Written by `script/smoke --docs` from the probes in tools/smoke. -->

All of this was built against a real MySQL server and the sandbox. The points below rest on documentation or on reports
by others, because no AWS account was available. Who has one can ask it all of them at once:

```sh
aurora-tenants doctor                 # first: it is free, and changes nothing
script/smoke                          # says what it will make and what that costs, and asks
script/smoke --list                   # the points, by name; --only NAME asks one of them, and what it needs
script/smoke --replay ANSWERS.json    # the same points in a sandbox, and where it answers otherwise
script/smoke --clean smoke-1a2b3c4d   # deletes what a run left behind that was killed
```

It deploys the shared stack and two tenants under a random name, as whoever the AWS configuration says, asks, and
deletes everything again, also after an interrupt. It takes about {minutes} minutes, and costs less than ${dollars} in
the regions whose price is known. It exits 0 if all is as expected, 2 if something is not, 1 if it could not be run.
{alone}

It says first what it could not look for, and so not delete. It ends when the credentials expire; then whoever logs in
again deletes the rest with the command that it told. `--clean` looks in one region, that of `--region`.

What each point answered is in the file that it names at its end. No password is in it; the account's number is,
without `--hide-account`. Send the file in with an issue: `--replay` shows where the sandbox has to change.

The last column says how to look by hand.
"""


def document(probes: Sequence[Probe]) -> str:
    """The whole page."""
    known = estimate([probe for probe in probes if not probe.disturbs], "eu-central-1")
    minutes, dollars = -(-known.minutes // 10) * 10, int(known.dollars) + 1
    alone = " ".join(f"`{it.id}` {it.disturbs}: it is asked only if `--only` names it." for it in probes if it.disturbs)
    parts = [_HEAD.format(minutes=minutes, dollars=dollars, alone=alone)]
    for section in dict.fromkeys(probe.section for probe in probes):
        parts.append(_section(section, (probe for probe in probes if probe.section == section)))
    return "\n".join(parts)


def _section(name: str, probes: Iterable[Probe]) -> str:
    head = "| point | what we rely on | if it is otherwise | how to look |\n|---|---|---|---|\n"
    return f"## {name}\n\n{head}" + "".join(_row(probe) for probe in probes)


def _row(probe: Probe) -> str:
    cells = (f"`{probe.id}`", probe.relies, probe.otherwise, probe.look)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"
