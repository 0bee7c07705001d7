"""The wheel holds what the program needs, and the program needs nothing of the sandbox or of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from aurora_tenants.aws import code

ROOT = Path(__file__).parents[1]
NOT_INSTALLED = ("moto", "pymysql", "cfnlint", "cryptography", "pytest", "hypothesis")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel made from this checkout, unpacked."""
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    command += ["--wheel-dir", str(directory), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    [wheel] = directory.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory / "unpacked")
    return directory / "unpacked"


def run(unpacked: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line out of the wheel, where none of the packages above can be imported."""
    code = f"import sys; sys.modules.update(dict.fromkeys({NOT_INSTALLED!r})); import aurora_tenants.cli"
    code += f"; assert aurora_tenants.__file__.startswith({str(unpacked)!r}); aurora_tenants.cli.main({arguments!r})"
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, cwd=unpacked, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        (["schema"], "schema/tenants.schema.json"),
        (["schema", "--plan"], "schema/plan.schema.json"),
        (["schema", "--status"], "schema/status.schema.json"),
        (["shared", "template"], "cfn/shared.yml"),
    ],
)
def test_files_of_other_languages_come_with_the_wheel(unpacked: Path, arguments: list[str], file: str):
    done = run(unpacked, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, (ROOT / file).read_text(), "")


def test_the_zip_for_a_bucket_is_the_same_from_the_wheel_and_from_a_checkout(unpacked: Path):
    """What `script/bundle --hash` prints in a checkout is what an installed program uploads."""
    done = run(unpacked, "shared", "template", "--code-bucket", "builds")
    assert (done.stdout, done.stderr) == (code.template("builds", code.build()), "")


def test_a_file_is_validated_without_the_sandbox_or_the_tests(unpacked: Path):
    done = run(unpacked, "validate", "--file", str(ROOT / "examples" / "tenants.yaml"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("is valid: 3 tenants, 3 databases, 7 users, 2 roles.\n")


def test_the_sandbox_says_what_is_missing(unpacked: Path):
    done = run(unpacked, "sandbox", "up")
    assert done.returncode == 1
    assert "fix: install the package with its extra `sandbox`; in a clone: pip install '.[sandbox]'\n" in done.stderr


def test_what_builds_the_product_is_not_in_the_wheel(unpacked: Path):
    assert {path.name for path in unpacked.iterdir() if path.is_dir()} == {
        "aurora_sandbox",
        "aurora_tenants",
        next(unpacked.glob("*.dist-info")).name,
    }


@pytest.mark.parametrize("package", ["aurora_tenants", "aurora_sandbox"])
def test_each_package_says_that_it_is_typed(unpacked: Path, package: str):
    assert (unpacked / package / "py.typed").exists()
