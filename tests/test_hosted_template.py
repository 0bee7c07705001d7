"""What the stack of AWS's hosted rotation function promises: it is the article's way, and opens nothing else."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from aurora_sandbox.cloudformation.yaml import load
from aurora_tenants.model import Cluster
from aurora_tenants.naming import ENDPOINT_TAG, HOSTED_EXPORT, HOSTED_USER, OF_SHARED_STACK, TIGHTEST, secret_name
from tests.test_shared_template import REGIONS

FILE = Path(__file__).parents[1] / "cfn" / "hosted-rotation.yml"
FUNCTION = {
    "Fn::Sub": "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${SharedStack}-hosted-rotation"
}


@cache
def template() -> dict[str, Any]:
    return load(FILE.read_text())


def properties(name: str) -> dict[str, Any]:
    found: dict[str, Any] = template()["Resources"][name]["Properties"]
    return found


def test_cfn_lint_finds_nothing_in_any_region():
    command = [str(Path(sys.executable).with_name("cfn-lint")), str(FILE), "--regions", *REGIONS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_transform_makes_the_function_for_a_user_who_may_do_nothing():
    assert template()["Transform"] == "AWS::SecretsManager-2024-09-16"
    hosted = properties("Rotation")["HostedRotationLambda"]
    assert hosted["RotationType"] == "MySQLSingleUser"
    assert not {"MasterSecretArn", "SuperuserSecretArn"} & hosted.keys()
    assert properties("Rotation")["RotateImmediatelyOnUpdate"] is False
    assert properties("Secret")["Name"]["Fn::Sub"].replace("${SharedStack}", "x") == secret_name(
        Cluster("x"), HOSTED_USER
    )
    assert not {"Privileges", "Roles", "Adopt"} & properties("User").keys()


def test_a_template_of_a_tenant_finds_what_it_imports_and_a_plan_what_is_paid_for():
    names = [it["Export"]["Name"]["Fn::Sub"] for it in template()["Outputs"].values() if "Export" in it]
    assert names == [f"${{SharedStack}}-{HOSTED_EXPORT}", f"${{SharedStack}}-{HOSTED_EXPORT}-name"]
    assert template()["Outputs"]["RotationLambda"]["Value"] == FUNCTION
    [tag] = properties("Secret")["Tags"]
    assert tag["Key"] == ENDPOINT_TAG


def test_the_function_has_the_name_that_its_permission_is_for():
    """Nothing in the template is a resource that the transform adds, so no tool has to know it."""
    assert properties("Rotation")["HostedRotationLambda"]["RotationLambdaName"] == {
        "Fn::Sub": "${SharedStack}-hosted-rotation"
    }
    [statement] = properties("InvokePolicy")["PolicyDocument"]["Statement"]
    assert statement == {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": FUNCTION}


def test_its_function_can_be_called_so_beside_every_shared_stack():
    assert TIGHTEST in OF_SHARED_STACK
    assert len("x" * TIGHTEST.longest_stack + "-hosted-rotation") <= 64


def test_the_endpoint_lets_in_the_network_that_it_takes_the_name_for():
    [rule] = properties("EndpointSecurityGroup")["SecurityGroupIngress"]
    assert (rule["CidrIp"], rule["FromPort"], rule["ToPort"]) == ({"Ref": "VpcCidr"}, 443, 443)
    assert properties("Endpoint")["PrivateDnsEnabled"] is True
    made = {name for name, it in template()["Resources"].items() if it.get("Condition") == "MakesEndpoint"}
    assert made == {"Endpoint", "EndpointSecurityGroup"}
