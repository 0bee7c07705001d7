"""The functions' code in a bucket: there, staying there, compared with what Lambda says, and back in the template."""

from __future__ import annotations

import re
import uuid
import zipfile
from collections.abc import Iterator
from io import BytesIO

import boto3
import pytest

from aurora_tenants import data
from aurora_tenants.aws import code
from aurora_tenants.aws.code import Archive, build, zipped
from tests.cli.conftest import CommandLine, Ended
from tests.cloud import PROVIDER, ROTATION, Cloud
from tests.endpoint import environment, until

ARCHIVE = build()
TENANTS = "  shop: {databases: {shop: }, users: {shop: {privileges: [{permission: ALL, database: shop}]}}}\n"
SECRET = "/shared-global/database/shop"
NOTHING = "Nothing was changed.\n"


def make_bucket(cloud: Cloud, region: str = "eu-west-1") -> str:
    name = f"builds-{uuid.uuid4().hex[:8]}"
    with environment(cloud.environment):
        s3 = boto3.Session().client("s3", region)  # not the default one, which remembers another sandbox's key
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    return name


@pytest.fixture
def bucket(cloud: Cloud, run: CommandLine, clean: None) -> Iterator[str]:
    """A bucket. The code is back in the template afterwards."""
    yield make_bucket(cloud)
    assert run("aurora-tenants shared deploy --yes --inline-code").code == 0


def told(bucket: str, archive: Archive = ARCHIVE) -> str:
    return (
        f"The functions' code: bucket {bucket}, key {archive.key}\n"
        f"SHA-256 {archive.sha256}, as Lambda writes it {archive.checksum}\n"
    )


def runs(cloud: Cloud) -> dict[str, tuple[str, bool]]:
    """The handler of each function, and whether its code is the zip."""
    client = cloud.client("lambda")
    found = [client.get_function_configuration(FunctionName=name) for name in (PROVIDER, ROTATION)]
    return {it["FunctionName"]: (it["Handler"], it["CodeSha256"] == ARCHIVE.checksum) for it in found}


INLINE = {PROVIDER: ("index.provider", False), ROTATION: ("index.rotation", False)}
ZIPPED = {
    PROVIDER: ("aurora_tenants.lambdas.provider.handler", True),
    ROTATION: ("aurora_tenants.lambdas.rotation.handler", True),
}
SAME = "Lambda says the same SHA-256 of both functions.\n"


def test_the_functions_run_from_a_bucket_until_they_are_told_otherwise(run: CommandLine, cloud: Cloud, bucket: str):
    s3, secrets = cloud.client("s3"), cloud.client("secretsmanager")
    ended = run(f"aurora-tenants shared deploy --yes --code-bucket {bucket}")
    assert (ended.code, ended.out) == (0, "Stack shared-global is deployed.\n")
    assert (ended.err.startswith(told(bucket)), ended.err.endswith(SAME)) == (True, True)
    assert (runs(cloud), [it["Key"] for it in s3.list_objects_v2(Bucket=bucket)["Contents"]]) == (ZIPPED, [ARCHIVE.key])

    run.file(TENANTS)
    assert run("aurora-tenants apply --yes").code == 0
    before = secrets.get_secret_value(SecretId=SECRET)
    # The schedule's own trial of the rotation, which goes on when the stack is there.
    until(lambda: "AWSPENDING" not in str(secrets.describe_secret(SecretId=SECRET)["VersionIdsToStages"]))
    version = secrets.rotate_secret(SecretId=SECRET)["VersionId"]
    until(lambda: secrets.get_secret_value(SecretId=SECRET)["VersionId"] == version)
    assert secrets.get_secret_value(SecretId=SECRET)["SecretString"] != before["SecretString"]
    assert cloud.log(ROTATION).rstrip().splitlines()[-1].startswith("finishSecret of ")

    # Uploaded again where it is gone, though the stack is as it should be.
    s3.delete_object(Bucket=bucket, Key=ARCHIVE.key)
    up_to_date = Ended(0, "Stack shared-global is up to date: nothing was changed.\n", told(bucket) + SAME)
    assert run("aurora-tenants shared deploy --yes") == up_to_date
    there = s3.head_object(Bucket=bucket, Key=ARCHIVE.key, ChecksumMode="ENABLED")
    assert there["ChecksumSHA256"] == ARCHIVE.checksum

    assert run("aurora-tenants shared deploy --yes --inline-code").out == "Stack shared-global is deployed.\n"
    assert runs(cloud) == INLINE
    assert run("aurora-tenants shared deploy --yes") == Ended(
        0, "Stack shared-global is up to date: nothing was changed.\n", ""
    )


@pytest.mark.long
def test_a_newer_program_puts_its_code_beside_the_one_before(
    run: CommandLine, cloud: Cloud, bucket: str, monkeypatch: pytest.MonkeyPatch
):
    assert run(f"aurora-tenants shared deploy --yes --code-bucket {bucket}").code == 0
    files = zipfile.ZipFile(BytesIO(ARCHIVE.content))
    changed = {name: files.read(name) + b"# newer\n" for name in files.namelist()}
    newer = Archive(zipped(changed))
    monkeypatch.setattr(code, "build", lambda: newer)  # what the next release of the program would build
    ended = run("aurora-tenants shared deploy --yes")
    assert (ended.out, ended.err.startswith(told(bucket, newer))) == ("Stack shared-global is deployed.\n", True)
    found = cloud.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert {it["Key"] for it in found} == {ARCHIVE.key, newer.key}
    sha256 = cloud.client("lambda").get_function_configuration(FunctionName=PROVIDER)["CodeSha256"]
    assert sha256 == newer.checksum


def test_a_function_that_was_changed_beside_the_stack_is_told(run: CommandLine, cloud: Cloud, bucket: str):
    assert run(f"aurora-tenants shared deploy --yes --code-bucket {bucket}").code == 0
    client = cloud.client("lambda")
    with_other = client.update_function_code(FunctionName=ROTATION, ZipFile=ARCHIVE.content + b"\0\0")
    assert run("aurora-tenants shared deploy --yes") == Ended(
        1,
        "",
        f"{told(bucket)}"
        f"error: function {ROTATION} runs other code: its CodeSha256 is {with_other['CodeSha256']}  [other-code]\n"
        "    why: somebody changed the function by hand, or the zip in the bucket before Lambda read it\n"
        f"    fix: aws lambda update-function-code --s3-bucket {bucket} --s3-key {ARCHIVE.key}"
        f" --function-name {ROTATION}\n",
    )
    client.update_function_code(FunctionName=ROTATION, S3Bucket=bucket, S3Key=ARCHIVE.key)
    assert run("aurora-tenants shared deploy --yes").code == 0


def test_a_bucket_that_is_not_there_or_elsewhere_is_told_before_anything_is_changed(run: CommandLine, cloud: Cloud):
    far = make_bucket(cloud, "us-west-2")
    assert run("aurora-tenants shared deploy --yes --code-bucket no-such-builds") == Ended(
        1,
        "",
        "error: there is no bucket no-such-builds  [no-bucket]\n"
        "    why: the functions' code goes there\n"
        "    fix: run: aws s3 mb s3://no-such-builds --region eu-west-1, or name another with --code-bucket,"
        f" or pass --inline-code\n{NOTHING}",
    )
    assert run(f"aurora-tenants shared deploy --yes --code-bucket {far}") == Ended(
        1,
        "",
        f"error: bucket {far} is in us-west-2, not in eu-west-1  [bucket-elsewhere]\n"
        "    why: Lambda only takes code from its own region\n"
        "    fix: name another with --code-bucket; to make one: aws s3 mb s3://NAME --region eu-west-1\n"
        f"{NOTHING}",
    )
    assert runs(cloud) == INLINE


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--code-bucket ''", "error: --code-bucket is empty  [invalid-bucket]"),
        ("--code-bucket s3://builds", "error: --code-bucket cannot be s3://builds  [invalid-bucket]"),
        ("--code-bucket builds --inline-code", "error: --code-bucket and --inline-code contradict each other"),
        ("--parameter CodeBucket=builds", "error: CodeBucket is not set as a parameter  [invalid-parameter]"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(
    run: CommandLine, monkeypatch: pytest.MonkeyPatch, options: str, said: str
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    ended = run(f"aurora-tenants shared deploy --yes {options}")
    assert (ended.code, ended.out, ended.err.startswith(said)) == (64, "", True)


def test_other_tools_get_the_template_of_the_hosted_function(run: CommandLine):
    assert run("aurora-tenants shared template --hosted-rotation") == Ended(0, data.text("hosted-rotation.yml"), "")
    assert run("aurora-tenants shared template --hosted-rotation --code-bucket builds").code == 64


def test_other_tools_get_the_template_and_the_zip(run: CommandLine):
    ended = run("aurora-tenants shared template --code-bucket builds --code-zip functions.zip")
    assert (run.directory / "functions.zip").read_bytes() == ARCHIVE.content
    assert ended.err == f"The template takes functions.zip from bucket builds, key {ARCHIVE.key}\n"
    assert f"S3Key: {ARCHIVE.key}}}\n" in ended.out
    assert run("aurora-tenants shared template --code-bucket builds") == Ended(0, ended.out, "")
    assert run("aurora-tenants shared template --code-zip functions.zip").code == 64
    ended = run("aurora-tenants shared template --code-bucket builds --code-zip none/functions.zip")
    assert (ended.code, ended.out) == (64, "")
    assert re.match(r"error: none/functions\.zip cannot be written: No such file", ended.err)
