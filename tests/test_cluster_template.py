"""What the template of a new cluster promises: what is kept, who gets in, and that it fits into any region."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from aurora_sandbox.cloudformation.yaml import load
from aurora_tenants.aws.clusters import READ_FROM_CLUSTER
from tests.test_shared_template import REGIONS

FILE = Path(__file__).parents[1] / "cfn" / "cluster.yml"


@cache
def template() -> dict[str, Any]:
    return load(FILE.read_text())


def resources(kind: str) -> dict[str, Any]:
    return {key: value for key, value in template()["Resources"].items() if value["Type"] == kind}


def test_cfn_lint_finds_nothing_in_any_region() -> None:
    command = [str(Path(sys.executable).with_name("cfn-lint")), str(FILE), "--regions", *REGIONS, "us-west-1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_its_outputs_are_the_shared_stacks_parameters_and_its_network() -> None:
    assert template()["Outputs"].keys() == READ_FROM_CLUSTER - {"MasterSecretKeyArn"} | {
        "VPC",
        "Subnets",
        "SecurityGroup",
    }


def test_cluster_is_kept_encrypted_and_protected() -> None:
    [cluster] = resources("AWS::RDS::DBCluster").values()
    assert (cluster["DeletionPolicy"], cluster["UpdateReplacePolicy"]) == ("Snapshot", "Snapshot")
    assert cluster["Properties"]["StorageEncrypted"] is True
    assert cluster["Properties"]["DeletionProtection"] == {"Ref": "DeletionProtection"}
    assert template()["Parameters"]["DeletionProtection"]["Default"] == "true"


def test_no_instance_moves_the_cluster_to_another_version() -> None:
    """The default is true, and one instance that says so is enough."""
    assert {it["Properties"]["AutoMinorVersionUpgrade"] for it in resources("AWS::RDS::DBInstance").values()} == {False}


def test_database_lets_in_nothing_but_its_clients() -> None:
    groups = resources("AWS::EC2::SecurityGroup")
    rules = {name: group["Properties"].get("SecurityGroupIngress", []) for name, group in groups.items()}
    [rule] = rules.pop("DatabaseSecurityGroup")
    assert rules == {"ClientSecurityGroup": []}
    assert rule.keys() == {"SourceSecurityGroupId", "FromPort", "ToPort", "IpProtocol"}


@pytest.mark.parametrize("number", range(1, 6))
def test_a_reader_is_there_for_its_number_and_every_greater_one(number: int) -> None:
    conditions = template()["Conditions"]
    condition, numbers = conditions[f"HasReader{number}"], []
    while "Fn::Or" in condition:
        [higher, equals] = condition["Fn::Or"]
        numbers.append(equals["Fn::Equals"][1])
        condition = conditions[higher["Condition"]]
    assert [*numbers, condition["Fn::Equals"][1]] == [*range(number, 6)]
