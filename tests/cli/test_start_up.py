"""What the program loads before it knows what it is asked for, and that it can say what it can do."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import typer.main

from aurora_tenants import __version__
from aurora_tenants.cli import app

HEAVY = ("boto3", "botocore", "jsonschema", "rich", "moto", "pymysql", "cfnlint")


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
    return ended.returncode, ended.stdout, json.loads(ended.stderr)


def test_the_version_needs_nothing_heavy():
    assert loaded_by("--version") == (0, f"{__version__}\n", [])


@pytest.mark.parametrize("arguments", [["--help"], ["plan", "--help"], ["doctor", "--help"], ["sandbox", "--help"]])
def test_help_needs_nothing_heavy(arguments: list[str]):
    code, out, loaded = loaded_by(*arguments)
    assert (code, loaded) == (0, [])
    assert out.startswith("Usage: ")


def test_the_schema_and_the_template_of_the_shared_stack_need_nothing_heavy():
    assert loaded_by("schema")[::2] == (0, [])
    assert loaded_by("shared", "template")[::2] == (0, [])


def test_checking_a_file_needs_no_aws(tmp_path: Any):
    file = tmp_path / "tenants.yaml"
    file.write_text("version: 1\ncluster: {stack: shared}\ntenants:\n  shop: {databases: {shop: }}\n")
    code, _, loaded = loaded_by("validate", "--file", str(file))
    assert (code, {"boto3", "botocore", "moto"} & set(loaded)) == (0, set())


def commands(group: Any, path: str = "aurora-tenants") -> dict[str, Any]:
    found = {}
    for name, command in group.commands.items():
        found |= commands(command, f"{path} {name}") if hasattr(command, "commands") else {f"{path} {name}": command}
    return found


def test_every_command_and_every_option_has_help():
    found = commands(typer.main.get_command(app))
    assert "aurora-tenants shared deploy" in found
    assert [path for path, command in found.items() if not command.help] == []
    assert [
        f"{path} {parameter.name}"
        for path, command in found.items()
        for parameter in command.params
        if not getattr(parameter, "help", None)
    ] == []
