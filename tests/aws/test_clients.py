"""What goes wrong between here and AWS is a sentence, whether or not AWS answered."""

from __future__ import annotations

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, HTTPClientError, ReadTimeoutError

from aurora_tenants.aws.clients import asking, code_of, problem_of
from aurora_tenants.errors import AwsError

URL = "https://rds-data.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    "error",
    [
        ReadTimeoutError(endpoint_url=URL),
        ConnectionClosedError(endpoint_url=URL),
        HTTPClientError(error="the connection broke"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_connection_that_breaks_off_is_told_as_such(error: BotoCoreError):
    """botocore gives these errors a `response`, which is None."""
    assert code_of(error) == ""
    problem = problem_of(error, "read the stacks")
    assert (problem.code, problem.what) == ("aws-unreachable", f"could not read the stacks: {error}")


def test_aws_own_sentence_is_told_without_what_stands_around_it():
    answer = {"Error": {"Code": "ValidationError", "Message": "Stack with id x does not exist"}}
    with pytest.raises(AwsError) as caught, asking("read stack x"):
        raise ClientError(answer, "DescribeStacks")
    (problem,) = caught.value.problems
    assert problem.what == "could not read stack x: Stack with id x does not exist"
    assert code_of(caught.value.__cause__) == "ValidationError"
