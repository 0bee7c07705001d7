"""The documents say commands that exist, name tests and files that are there, and describe every command."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from aurora_tenants.cli.commands import whole

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md"), ROOT / "script" / "demo"])
PACKAGES = (ROOT / "aurora_tenants", ROOT / "aurora_sandbox")
MODULES = sorted(path for each in PACKAGES for path in each.rglob("*.py") if "aurora-tenants " in path.read_text())


def command_lines(text: str) -> list[list[str]]:
    """Every `aurora-tenants …` of a document, as words; what follows a pipe, a redirection or a comment left out."""
    found = re.findall(r"aurora-tenants ([a-z][^\n`'\"#|>&;)]*)", text)
    return [shlex.split(line) for line in found]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_and_options_of_a_document_exist(document: Path):
    check(document.name, document.read_text())


def check(name: str, text: str) -> None:
    for words in command_lines(text):
        command = whole()
        while words and hasattr(command, "commands"):
            assert words[0] in command.commands, f"{name}: aurora-tenants {' '.join(words)}"
            command = command.commands[words.pop(0)]
        options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        used = {word.split("=")[0] for word in words if word.startswith("-") and word != "--"}
        assert used <= options | {"-h", "--help"}, f"{name}: {command.name}"


def texts(module: Path) -> Iterator[str]:
    """Every string of a module; what is put into one at run time stands there as `x`."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_options_of_a_message_exist(module: Path):
    for text in texts(module):
        check(str(module), text)


# Of script/bundle, of every command, and of AWS's command line where the text is put together at run time.
OF_OTHERS = {"--hash", "--help", "--s3-bucket", "--s3-key", "--function-name"} | {
    "--allow-major-version-upgrade",
    "--apply-immediately",
    "--capabilities",
    "--change-set-name",
    "--db-cluster-identifier",
    "--db-instance-class",
    "--deployment-mode",
    "--desired-value",
    "--engine",
    "--enable-iam-database-authentication",
    "--engine-version",
    "--manage-master-user-password",
    "--parameters",
    "--quota-code",
    "--serverless-v2-scaling-configuration",
    "--service-code",
    "--tags",
    "--use-previous-template",
}


def test_flags_that_a_message_asks_for_exist():
    """`--allow-drop shop` in a fix, without the command that it belongs to."""

    def options(command: object) -> set[str]:
        below = getattr(command, "commands", {}).values()
        own = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        return own.union(*map(options, below))

    known = options(whole())
    found = {
        flag
        for module in (ROOT / "aurora_tenants").rglob("*.py")
        for text in texts(module)
        if "aws " not in text  # of its command line
        for flag in re.findall(r"--[a-z][a-z0-9-]*", text)
    } - OF_OTHERS
    assert {"--allow-drop", "--allow-mass-removal", "--allow-access", "--secret"} <= found
    assert found - known == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_of_a_document_lead_somewhere(document: Path):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_a_document_names_exist(document: Path):
    named = re.findall(
        r"`((?:cfn|docs|examples|schema|script|tests|tools|aurora_tenants|aurora_sandbox)/[\w./-]+)`",
        document.read_text(),
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_command_says_what_it_does():
    def helpless(command: object, name: str) -> list[str]:
        below = getattr(command, "commands", {})
        own = [] if getattr(command, "help", None) else [name]
        return own + [found for key, each in below.items() for found in helpless(each, f"{name} {key}")]

    assert helpless(whole(), "aurora-tenants") == []


def imported(module: Path) -> Iterator[str]:
    """The modules and packages of the first level that a module imports from, its own left out."""
    package = ROOT / "aurora_tenants"
    own = module.relative_to(package).parts[0].removesuffix(".py")
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == package.name:
            _, *inner = node.module.split(".")
            yield from {*(inner[:1] or [alias.name for alias in node.names])} - {own, "__version__"}


def test_imports_go_the_way_that_is_written_down():
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("Imports go one way")[2]
    lines = [line.split(", ") for line in text.split("```")[1].split("\n") if line]
    floors = {name: floor for floor, names in enumerate(lines) for name in names}
    wrong = []
    for module in sorted((ROOT / "aurora_tenants").rglob("*.py")):
        own = module.relative_to(ROOT / "aurora_tenants").parts[0].removesuffix(".py")
        if own not in ("__init__", "__main__"):
            known = set(imported(module))
            wrong += [f"{module.name} -> {name}" for name in sorted(known) if not floors[name] < floors[own]]
    assert wrong == []
