"""What `sandbox fault` switches on, and what it prints of that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from aurora_sandbox.faults import KINDS
from tests.cli.conftest import CommandLine, Ended
from tests.cloud import PROVIDER, Cloud


@pytest.fixture(autouse=True)
def none(cloud: Cloud) -> Iterator[None]:
    """No fault is on afterwards."""
    yield
    cloud.clear()


def test_a_fault_is_switched_on_listed_with_how_often_it_was_met_and_cleared(run: CommandLine, cloud: Cloud):
    command = "throttle --service cloudformation --operation DescribeStacks --by user --rate 50% --seed 7 --times 9"
    said = "throttle --service cloudformation --operation DescribeStacks --by user --rate 50% --seed 7 --times 9"
    assert run(f"aurora-tenants sandbox fault {command}") == Ended(0, f"On until it is cleared: {said}\n", "")
    cloudformation = cloud.client("cloudformation")
    refused = 0
    for _ in range(10):
        try:
            cloudformation.describe_stacks()
        except ClientError as error:
            assert error.response["Error"] == {"Type": "Sender", "Code": "Throttling", "Message": "Rate exceeded"}
            refused += 1
    assert 0 < refused < 10
    met = f"{said}  (met by {refused} of 10)"
    assert run("aurora-tenants sandbox fault list") == Ended(0, f"{met}\n", "")
    assert run("aurora-tenants sandbox fault clear 5xx") == Ended(0, "No such fault is on.\n", "")
    assert run("aurora-tenants sandbox fault clear") == Ended(0, f"Cleared: {met}\n", "")
    assert run("aurora-tenants sandbox fault") == Ended(0, "No fault is on.\n", "")


def test_faults_as_json(run: CommandLine, cloud: Cloud):
    on = json.loads(run("aurora-tenants sandbox fault drop-before --service sts --nth 1 --output json").out)
    assert on == [{"name": "drop-before", "service": "sts", "nth": 1, "counted": 0, "happened": 0}]
    with pytest.raises(ConnectionClosedError):
        cloud.client("sts").get_caller_identity()
    run("aurora-tenants sandbox fault limit --service rds-data --rate 5/s")
    listed = json.loads(run("aurora-tenants sandbox fault list --output json").out)
    limit = {"name": "limit", "service": "rds-data", "per_second": 5, "counted": 0, "happened": 0}
    assert listed == [on[0] | {"counted": 1, "happened": 1}, limit]
    assert json.loads(run("aurora-tenants sandbox fault clear limit --output json").out) == [limit]
    run("aurora-tenants sandbox fault clear")
    assert json.loads(run("aurora-tenants sandbox fault clear --output json").out) == []


def test_a_cluster_pauses_at_once_and_again_after_so_many_calls_that_it_served(run: CommandLine, cloud: Cloud):
    run("aurora-tenants sandbox fault paused-cluster --seconds 0.01 --nth 1 --every 3")
    assert json.loads(run("aurora-tenants sandbox status --output json").out)["cluster"]["state"] == "paused"
    run("aurora-tenants sandbox fault clear")


def test_every_fault_has_an_example_in_the_documentation_that_works(run: CommandLine, cloud: Cloud):
    page = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()
    examples = re.findall(r"\| `aurora-tenants sandbox fault ([^`]+)` \|", page)
    assert sorted(example.split()[0] for example in examples) == sorted(KINDS)
    help_text = " ".join(run("aurora-tenants sandbox fault --help").out.split())
    assert [name for name in KINDS if f" {name}" not in help_text] == []
    for example in examples:
        ended = run(f"aurora-tenants sandbox fault {example}")
        assert (ended.code, ended.err) == (0, ""), example
    cloud.post("pause", {"seconds": 0})


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("throtle", "there is no fault throtle; did you mean throttle?"),
        ("throttle --service cfn", "AWS has no service cfn"),
        ("throttle --rate 5/s", "only a limit has so many calls a second; throttle has a share of them"),
        ("limit", "a limit needs how many calls a second pass, for example 5/s"),
        ("slow --seconds 0", "seconds is more than 0, up to 3600, and not 0"),
        ("early --answer 404", "answer is one of HttpEndpointNotEnabledException, "),
        ("hang --function nobody", f"there is no function nobody; there are {PROVIDER}, "),
        ("clear everything", "there is no fault everything: throttle, "),
    ],
)
def test_what_is_no_fault_is_refused_with_a_sentence(run: CommandLine, command: str, sentence: str):
    ended = run(f"aurora-tenants sandbox fault {command}")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("error: nothing was switched  [no-such-fault]\n    why: " + sentence)
    assert ended.err.endswith("fix: see: aurora-tenants sandbox fault --help\n")


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (
            "throttle --rate 20",
            "--rate cannot be 20  [no-rate]\n    fix: for example: --rate 20%, at most 100%; or for limit: --rate 5/s",
        ),
        ("list --nth 1", "list takes no option but --output  [unused-option]\n    fix: leave --nth out"),
        (
            "throttle cloudformation",
            "throttle takes no cloudformation  [unused-argument]\n"
            "    fix: for example: aurora-tenants sandbox fault throttle",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_before_a_sandbox_is_asked(run: CommandLine, command: str, error: str):
    ended = run(f"aurora-tenants sandbox fault {command}")
    assert (ended.code, ended.out, ended.err) == (64, "", f"error: {error}\nNothing was changed.\n")
