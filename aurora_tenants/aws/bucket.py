"""The bucket with the functions' code: whether it can be used, and putting the zip there."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from aurora_tenants.aws.clients import asking
from aurora_tenants.aws.code import Archive
from aurora_tenants.errors import AwsError, Problem


def require(s3: Any, bucket: str, *, region: str) -> None:
    """Raises AwsError for a bucket that does not exist, or is in another region than the functions will be."""
    with asking(f"look for bucket {bucket}"):
        try:
            answer = s3.head_bucket(Bucket=bucket)["ResponseMetadata"]
        except ClientError as error:
            # Even a refusal names the bucket's region; botocore's own redirection to other regions relies on that, too.
            answer = error.response["ResponseMetadata"]
    make = f"aws s3 mb s3://NAME --region {region}"
    if answer["HTTPStatusCode"] == 404:
        fix = f"run: {make.replace('NAME', bucket)}, or name another with --code-bucket, or pass --inline-code"
        raise AwsError(Problem("no-bucket", f"there is no bucket {bucket}", "the functions' code goes there", fix))
    where = answer["HTTPHeaders"].get("x-amz-bucket-region", region)
    if where != region:
        what, why = f"bucket {bucket} is in {where}, not in {region}", "Lambda only takes code from its own region"
        raise AwsError(Problem("bucket-elsewhere", what, why, f"name another with --code-bucket; to make one: {make}"))


def upload(s3: Any, bucket: str, archive: Archive) -> None:
    """Puts the zip into the bucket, unless it is there already; S3 verifies the checksum of what arrives."""
    allowed = f"allow s3:PutObject and s3:GetObject on {bucket}/aurora-tenants/*, here and in the bucket's own policy"
    with asking(f"put the functions' code into bucket {bucket}", if_denied=allowed):
        try:
            stored = s3.head_object(Bucket=bucket, Key=archive.key, ChecksumMode="ENABLED")
        except ClientError:  # 403 also for a missing object, if the bucket may not be listed
            stored = {}
        if stored.get("ChecksumSHA256") != archive.checksum:
            checksum = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": archive.checksum}
            content = {"Body": archive.content, "ContentType": "application/zip"}
            s3.put_object(Bucket=bucket, Key=archive.key, **content, **checksum)
