"""The functions' code as a zip in a bucket."""

from __future__ import annotations

import threading
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from aurora_tenants.aws import code
from aurora_tenants.aws.preparation import prepare
from aurora_tenants.aws.rollout import AGREES, execute
from aurora_tenants.errors import AuroraTenantsError
from tools.smoke import deployment
from tools.smoke.probe import NotRun, Probe
from tools.smoke.world import World

Json = Any
SECTION = "The functions' code in a bucket"
_FUNCTIONS = ("database-provider", "database-secret-rotation")


def _deployed(world: World) -> Json:
    """`shared deploy --code-bucket`, with applies of a tenant as long as it runs; once for all probes."""
    return world.once("code in bucket", lambda: _deploy(world))


def _deploy(world: World) -> Json:
    deployment.need_tenants(world)
    world.once("bucket", lambda: _make_bucket(world))
    ended: dict[str, Json] = {}

    def in_background() -> None:
        try:
            prepared = prepare(
                region=world.region, profile=world.profile, stack=world.name, parameters={}, code_bucket=world.bucket
            )
            ended["changed"] = execute(prepared, AGREES)
        except AuroraTenantsError as error:
            ended["error"] = str(error)

    thread = threading.Thread(target=in_background, name="code", daemon=True)
    thread.start()
    applies = 0
    failed: dict[str, None] = {}
    is_moving = True
    while is_moving:
        is_moving = thread.is_alive()
        done = deployment.apply(world, comment=f"number {applies}")
        applies += 1
        if done.code:
            failed[done.err[-1000:]] = None
    thread.join()
    # How many there were in the meantime is chance.
    return {"deploy": ended, "applied": applies > 1, "failed": [*failed]}


def _make_bucket(world: World) -> None:
    place = {} if world.region == "us-east-1" else {"LocationConstraint": world.region}
    options = {"CreateBucketConfiguration": place} if place else {}
    world.client("s3").create_bucket(Bucket=world.bucket, **options)


def _checksums(world: World) -> Json:
    deployed = _deployed(world)["deploy"]
    client = world.client("lambda")
    names = [f"{world.name}-{name}" for name in _FUNCTIONS]
    found = {name: client.get_function_configuration(FunctionName=name)["CodeSha256"] for name in names}
    return {"deploy": deployed, "same": {name: it == code.build().checksum for name, it in found.items()}}


def _expect_checksums(answer: Json) -> str:
    if "error" in answer["deploy"]:
        return f"shared deploy --code-bucket: {answer['deploy']['error']}"
    others = [name for name, is_same in answer["same"].items() if is_same is not True]
    return f"another CodeSha256: {', '.join(others)}" if others else ""


def _import(world: World) -> Json:
    _deployed(world)
    facts = world.client("lambda").get_function_configuration(FunctionName=f"{world.name}-{_FUNCTIONS[0]}")
    applied = deployment.apply(world, comment="from the zip")
    return {"handler": facts["Handler"], "exit": applied.code, "text": applied.err[-2000:] if applied.code else ""}


def _expect_import(answer: Json) -> str:
    if answer["exit"]:
        return f"apply exits {answer['exit']}: {answer['text']}"
    wanted = f"{code.ENTRIES['provider']}.handler"
    return "" if answer["handler"] == wanted else f"the handler is {answer['handler']}"


def _checksum_of_object(world: World) -> Json:
    _deployed(world)
    key = code.build().key
    found = world.client("s3").head_object(Bucket=world.bucket, Key=key, ChecksumMode="ENABLED")
    return {"checksum": found.get("ChecksumSHA256"), "is_same": found.get("ChecksumSHA256") == code.build().checksum}


def _expect_checksum_of_object(answer: Json) -> str:
    return "" if answer["is_same"] is True else f"ChecksumSHA256 is {answer['checksum']}"


def _region_of_bucket(world: World) -> Json:
    """HeadBucket by somebody who has no rights at all, and asks in another region."""
    if world.is_sandbox:
        raise NotRun("in the sandbox the caller of the command line may do everything, and nobody else may ask")
    _deployed(world)
    elsewhere = "us-west-2" if world.region != "us-west-2" else "us-east-1"
    stranger = boto3.client("s3", region_name=elsewhere, config=Config(signature_version=UNSIGNED))
    try:
        answer = stranger.head_bucket(Bucket=world.bucket)["ResponseMetadata"]
    except ClientError as error:
        answer = error.response["ResponseMetadata"]
    region = answer["HTTPHeaders"].get("x-amz-bucket-region")
    return {"status": answer["HTTPStatusCode"], "says_region": region == world.region}


def _expect_region_of_bucket(answer: Json) -> str:
    if answer["says_region"] is not True:
        return f"status {answer['status']} without the bucket's region"
    return "" if answer["status"] in (301, 403) else f"the status is {answer['status']}"


def _in_between(world: World) -> Json:
    return _deployed(world)


def _expect_in_between(answer: Json) -> str:
    if "error" in answer["deploy"]:
        return f"shared deploy --code-bucket: {answer['deploy']['error']}"
    if answer["failed"]:
        return f"apply failed: {answer['failed'][0]}"
    return "" if answer["applied"] else "nothing was applied meanwhile"


PROBES = (
    Probe(
        "code-sha256",
        SECTION,
        "Lambda's CodeSha256 is the SHA-256 of exactly the bytes in the bucket.",
        "`shared deploy` ends with an error of code `other-code`, though the stack is deployed.",
        "`aurora-tenants shared deploy --code-bucket BUCKET`, then `script/bundle --hash` and `aws lambda "
        "get-function-configuration --function-name shared-global-database-provider --query CodeSha256`",
        "the zip's SHA-256, of both functions",
        _checksums,
        _expect_checksums,
        takes_seconds=120,
        needs=("tenant-by-service-role",),
    ),
    Probe(
        "import-from-zip",
        SECTION,
        "Lambda imports `aurora_tenants.lambdas.provider` from the zip, and may read files of mode 0644.",
        "The inspector is not created or updated, and the function's log says why.",
        "the same, then change anything in a tenant and `aurora-tenants apply`",
        "apply exits 0",
        _import,
        _expect_import,
        takes_seconds=60,
        needs=("code-sha256",),
    ),
    Probe(
        "checksum-of-object",
        SECTION,
        "S3 verifies the checksum of an upload, and HeadObject returns it.",
        "The zip is uploaded at every deployment; CodeSha256 is compared all the same.",
        "`aws s3api head-object --checksum-mode ENABLED --bucket BUCKET --key KEY`",
        "ChecksumSHA256 of the zip",
        _checksum_of_object,
        _expect_checksum_of_object,
        needs=("code-sha256",),
    ),
    Probe(
        "region-of-bucket",
        SECTION,
        "HeadBucket returns a bucket's region even to those who may not list it.",
        "CloudFormation fails with Lambda's sentence about the region instead of ours.",
        "`shared deploy --code-bucket` with a bucket of another region, as a role without `s3:ListBucket`",
        "403, or 301, with x-amz-bucket-region",
        _region_of_bucket,
        _expect_region_of_bucket,
        needs=("code-sha256",),
    ),
    Probe(
        "code-moves-in-between",
        SECTION,
        "When the code moves between template and bucket, handler and code change one after the other; an event in "
        "between fails and Lambda repeats it.",
        "A tenant that is applied in these seconds fails; apply again.",
        "`aurora-tenants apply` of many tenants while `shared deploy --code-bucket BUCKET` runs",
        "every apply exits 0",
        _in_between,
        _expect_in_between,
        takes_seconds=0,
        needs=("code-sha256",),
    ),
)
