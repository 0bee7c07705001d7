"""The two packages of the wheel meet at the command line alone, and the sandbox's tests need nothing of the product."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOOR = ROOT / "aurora_tenants" / "cli" / "sandbox.py"


def imported(module: Path) -> Iterator[str]:
    """The packages that a module imports anywhere: at its top, in a function, or for the sake of types."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def importers(directory: str, package: str) -> list[Path]:
    modules = sorted((ROOT / directory).rglob("*.py"))
    assert modules
    return [module for module in modules if package in imported(module)]


@pytest.mark.parametrize("directory", ["aurora_sandbox", "tests/sandbox"])
def test_the_sandbox_and_its_tests_import_nothing_of_the_product(directory: str):
    assert importers(directory, "aurora_tenants") == []


def test_the_command_line_alone_imports_the_sandbox():
    assert importers("aurora_tenants", "aurora_sandbox") == [DOOR]


def test_the_sandboxs_tests_can_be_collected_where_there_is_no_product():
    """What they share with others, tests/conftest.py and its neighbours, imports it only when a fixture needs it."""
    code = "import sys, pytest; sys.modules['aurora_tenants'] = None; sys.exit(pytest.main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "--collect-only", "-qq", "-p", "no:cacheprovider", "tests/sandbox"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
