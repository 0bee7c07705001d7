"""S3's refusals become sentences. Most come from botocore's Stubber: the sandbox refuses its user nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from aurora_tenants.aws.bucket import require, upload
from aurora_tenants.aws.code import Archive
from aurora_tenants.errors import AwsError, Problem

ARCHIVE = Archive(b"PK")
PLACE = {"Bucket": "builds", "Key": ARCHIVE.key}
HEAD = PLACE | {"ChecksumMode": "ENABLED"}
CHECKED = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": ARCHIVE.checksum}
PUT = PLACE | CHECKED | {"Body": b"PK", "ContentType": "application/zip"}


@pytest.fixture
def s3() -> Iterator[tuple[Any, Stubber]]:
    client = boto3.client("s3", "eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()


def problem(call: Any, *arguments: Any, **named: Any) -> Problem:
    with pytest.raises(AwsError) as caught:
        call(*arguments, **named)
    [found] = caught.value.problems
    return found


def test_a_bucket_that_may_not_be_listed_but_is_in_the_region_is_taken(s3: tuple[Any, Stubber]):
    client, stubber = s3
    stubber.add_client_error("head_bucket", "403", "Forbidden", 403, response_meta={"HTTPHeaders": {}})
    require(client, "builds", region="eu-west-1")


def test_a_refusal_too_says_that_a_bucket_is_elsewhere(s3: tuple[Any, Stubber]):
    client, stubber = s3
    there = {"HTTPHeaders": {"x-amz-bucket-region": "us-west-2"}}
    stubber.add_client_error("head_bucket", "403", "Forbidden", 403, response_meta=there)
    assert problem(require, client, "builds", region="eu-west-1").what == (
        "bucket builds is in us-west-2, not in eu-west-1"
    )


def test_what_is_there_is_not_uploaded_again(s3: tuple[Any, Stubber]):
    client, stubber = s3
    stubber.add_response("head_object", {"ChecksumSHA256": ARCHIVE.checksum}, HEAD)
    upload(client, "builds", ARCHIVE)


@pytest.mark.parametrize("there", [{}, {"ChecksumSHA256": Archive(b"other").checksum}])
def test_what_is_there_with_another_checksum_is_replaced(s3: tuple[Any, Stubber], there: dict[str, str]):
    client, stubber = s3
    stubber.add_response("head_object", there, HEAD)
    stubber.add_response("put_object", {}, PUT)
    upload(client, "builds", ARCHIVE)


def test_what_cannot_be_looked_for_is_uploaded(s3: tuple[Any, Stubber]):
    """S3 answers 403 for an object that is not there to who may not list the bucket."""
    client, stubber = s3
    stubber.add_client_error("head_object", "403", "Forbidden", 403)
    stubber.add_response("put_object", {}, PUT)
    upload(client, "builds", ARCHIVE)


def test_a_missing_right_is_named(s3: tuple[Any, Stubber]):
    client, stubber = s3
    stubber.add_client_error("head_object", "404", "Not Found", 404)
    stubber.add_client_error("put_object", "AccessDenied", "Access Denied", 403)
    assert problem(upload, client, "builds", ARCHIVE) == Problem(
        "access-denied",
        "could not put the functions' code into bucket builds: Access Denied",
        fix="allow s3:PutObject and s3:GetObject on builds/aurora-tenants/*, here and in the bucket's own policy",
    )


def test_any_other_refusal_is_told_in_s3s_words(s3: tuple[Any, Stubber]):
    client, stubber = s3
    stubber.add_client_error("head_object", "404", "Not Found", 404)
    stubber.add_client_error(
        "put_object", "BadDigest", "The SHA256 you specified did not match.", 400, expected_params=PUT | {"Body": ANY}
    )
    assert problem(upload, client, "builds", ARCHIVE) == Problem(
        "aws-refused",
        "could not put the functions' code into bucket builds: The SHA256 you specified did not match.",
    )
