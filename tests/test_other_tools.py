"""The templates in the hands of other tools: AWS SAM takes them as they are, and CDK's CfnInclude gives them back.

Skipped where the tools are not there; CONTRIBUTING.md says how to get them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from aurora_sandbox.cloudformation.yaml import load
from aurora_tenants import config
from aurora_tenants.schedule.template import pause_template
from aurora_tenants.tenant.template import template
from tests.schedule.test_template import CLUSTER, OFFICE, SHARED

CHECKOUT = Path(__file__).parents[1]
TOOLS = Path(os.environ.get("AURORA_TENANTS_TOOLS", CHECKOUT / ".venv-tools")) / "bin"
SAM = shutil.which("sam", path=f"{TOOLS}{os.pathsep}{os.environ['PATH']}")
CDK = next(iter(TOOLS.glob("../lib/python3*/site-packages/aws_cdk")), None)
TEMPLATES = ("shared.yml", "shop-dev.json", "shop-prod.json", "billing.json", "pause.json")
APP = """
import sys
import aws_cdk
from aws_cdk.cloudformation_include import CfnInclude
app = aws_cdk.App(outdir=sys.argv[1])
for number, file in enumerate(sys.argv[2:]):
    stack = aws_cdk.Stack(app, f"s{number}", synthesizer=aws_cdk.BootstraplessSynthesizer())
    CfnInclude(stack, "Included", template_file=file)
app.synth()
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The shared stack's template, and what is deployed for the examples and for a pause schedule."""
    directory = tmp_path_factory.mktemp("templates")
    made = {"shared.yml": (CHECKOUT / "cfn" / "shared.yml").read_text()}
    example = config.load(CHECKOUT / "examples" / "tenants.yaml")
    made |= {f"{tenant.name}.json": template(example.cluster, tenant).text() for tenant in example.tenants}
    made["pause.json"] = pause_template(CLUSTER, OFFICE, SHARED).text()
    assert made.keys() == {*TEMPLATES}
    for name, text in made.items():
        (directory / name).write_text(text)
    return {name: directory / name for name in made}


def run(command: Sequence[str], directory: Path) -> str:
    """What a tool says, which must succeed. Without credentials: nothing here may ask AWS."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    variables |= {"AWS_DEFAULT_REGION": "eu-west-1", "SAM_CLI_TELEMETRY": "0", "HOME": str(directory)}
    done = subprocess.run(command, cwd=directory, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(SAM is None, reason="there is no sam, neither in .venv-tools nor on PATH")
@pytest.mark.parametrize("name", TEMPLATES)
def test_sam_finds_nothing_wrong(name: str, files: Mapping[str, Path], tmp_path: Path):
    assert SAM is not None
    assert "is a valid SAM Template" in run([SAM, "validate", "--lint", "--template", str(files[name])], tmp_path)


def alike(value: Any, key: str = "") -> Any:
    """A part of a template with what has several spellings in one of them."""
    match key, value:
        case "Fn::GetAtt", str():
            return value.split(".", 1)
        case "DependsOn", _:
            return sorted([value] if isinstance(value, str) else value)
        case _, dict():
            return {name: alike(inner, name) for name, inner in value.items()}
        case _, list():
            return [alike(inner) for inner in value]
    return value


@pytest.fixture(scope="module")
def synthesized(files: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What CDK makes of each template; all at once, because it takes a quarter of a minute to start."""
    directory = tmp_path_factory.mktemp("cdk")
    (directory / "app.py").write_text(APP)
    run([str(TOOLS / "python"), "app.py", "out", *map(str, files.values())], directory)
    return {name: json.loads((directory / "out" / f"s{n}.template.json").read_text()) for n, name in enumerate(files)}


@pytest.mark.skipif(CDK is None, reason="there is no aws-cdk-lib in .venv-tools")
@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node, which CDK needs")
@pytest.mark.parametrize("name", TEMPLATES)
def test_cdk_gives_back_what_it_includes(name: str, files: Mapping[str, Path], synthesized: Mapping[str, Any]):
    assert alike(synthesized[name]) == alike(load(files[name].read_text()))
