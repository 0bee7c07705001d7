"""What the program loads before it knows what it is asked for, and that it can say what it can do."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from typing import Any

import pytest
import typer.main

from aurora_tenants import __version__
from aurora_tenants.cli import NAME, main
from aurora_tenants.cli.commands import COMMANDS, app, whole

HEAVY = ("boto3", "botocore", "jsonschema", "rich", "moto", "pymysql", "cfnlint", "pydantic")


def loaded_by(*arguments: str) -> tuple[int, str, list[str]]:
    """Exit code and output of a command line in a process of its own, and which heavy modules it loaded."""
    program = (
        "import json, sys\n"
        "from aurora_tenants.cli import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "finally:\n"
        f"    print(json.dumps([name for name in {HEAVY} if name in sys.modules]), file=sys.stderr)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)
    return ended.returncode, ended.stdout, json.loads(ended.stderr.splitlines()[-1])


def test_the_version_needs_nothing_heavy():
    assert loaded_by("--version") == (0, f"{__version__}\n", [])


def test_the_version_is_said_before_typer_is_loaded():
    program = "import sys; from aurora_tenants.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-X", "importtime", "-c", program, "--version"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, f"{__version__}\n")
    loaded = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "aurora_tenants.cli" in loaded
    assert loaded & {"typer", "typing", "dataclasses", "aurora_tenants.cli.commands"} == set()


def test_the_version_is_what_typer_says(capsys: pytest.CaptureFixture[str]):
    assert app(["--version"], prog_name=NAME, standalone_mode=False) == 0
    by_typer = capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr()) == (0, by_typer)


@pytest.mark.parametrize(
    ("arguments", "code", "out"),
    [
        (["--version", "--version"], 0, f"{__version__}\n"),
        (["--version", "plan"], 0, f"{__version__}\n"),
        (["--version", "--nonsense"], 64, ""),
        (["--version=yes"], 64, ""),
        (["plan", "--version"], 64, ""),
    ],
)
def test_with_anything_beside_it_typer_answers(
    arguments: list[str], code: int, out: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert (ended.value.code, capsys.readouterr().out) == (code, out)


def test_a_command_is_only_loaded_when_it_is_asked_for():
    program = (
        "import json, sys\n"
        "from aurora_tenants.cli import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "finally:\n"
        "    print(json.dumps(sorted(name for name in sys.modules if name.startswith('aurora_'))), file=sys.stderr)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True)
    assert [name for name in json.loads(ended.stderr) if name.startswith("aurora_tenants.cli")] == [
        "aurora_tenants.cli",
        "aurora_tenants.cli.commands",
        "aurora_tenants.cli.conversion",
        "aurora_tenants.cli.group",
    ]


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("line", ["--help", "-h", "", "plna", "shard", "sandox up", "--nonsense", "--vers"])
def test_what_is_said_of_commands_is_the_same_when_all_are_loaded(
    line: str, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Of a command that is not asked for, only its name and what it is for are known."""
    monkeypatch.setenv("COLUMNS", str(columns))

    def said(group: Any) -> tuple[str, str]:
        try:
            group.main(shlex.split(line), prog_name=NAME, standalone_mode=False)
        except Exception as error:
            return capsys.readouterr().out, error.format_message()  # type: ignore[attr-defined]
        return capsys.readouterr().out, ""

    some: Any = typer.main.get_command(app)
    assert said(some) == said(whole())


def test_each_command_says_of_itself_what_the_list_says_of_it():
    group = whole()
    assert {name: command.help for name, command in group.commands.items()} == {
        name: later.help for name, later in COMMANDS.items()
    }
    assert {command.rich_markup_mode for command in group.commands.values()} == {None}


def test_plain_options_need_no_pydantic(tmp_path: Any):
    """Of typer since 0.28 any option does."""
    words = ("plan", "--file", str(tmp_path / "nowhere"), "--tenant", "shop", "--region", "eu-west-1", "--explain")
    code, _, loaded = loaded_by(*words)
    assert (code, {"pydantic", "rich"} & set(loaded)) == (1, set())


def commands(group: Any, path: str = "aurora-tenants") -> dict[str, Any]:
    found = {}
    for name, command in group.commands.items():
        found |= commands(command, f"{path} {name}") if hasattr(command, "commands") else {f"{path} {name}": command}
    return found


def test_every_command_and_every_option_has_help():
    found = commands(whole())
    assert "aurora-tenants shared deploy" in found
    assert [path for path, command in found.items() if not command.help] == []
    assert [
        f"{path} {parameter.name}"
        for path, command in found.items()
        for parameter in command.params
        if not getattr(parameter, "help", None)
    ] == []
