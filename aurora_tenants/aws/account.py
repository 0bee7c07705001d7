"""What an account is like, read for `doctor`: who calls, what the caller may do, what the region offers.

Every function makes read-only calls that cost nothing, and raises AwsError; what its facts mean is doctor's affair.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from aurora_tenants.aws.clients import Aws, asking, code_of
from aurora_tenants.doctor.caller import Caller, Clock, policy_source, session_role
from aurora_tenants.doctor.permissions import RDS_ROLE, Denial, Need, Permissions, context
from aurora_tenants.doctor.region import Offer, Zones, default_version
from aurora_tenants.doctor.templates import Validated
from aurora_tenants.errors import AwsError, Problem

ENGINE, SERVERLESS = "aurora-mysql", "db.serverless"
_TYPES = {"aws:SecureTransport": "boolean"}  # of condition keys that are no strings
_ASSUME = (
    "you may not assume the role of this profile: its trust policy must name who calls, and "
    "sts:AssumeRole on it must be allowed; or name another profile with --profile"
)
_LET_IN = "`aws sts get-caller-identity` needs no permission: look at the policies of VPC endpoints and of the session"
# "Error retries and timeouts", AWS SDKs and Tools Reference Guide
_THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException"}
)


def read_caller(aws: Aws) -> tuple[Caller, Clock]:
    """Who calls, and how far the clocks are apart. Needs no permission.

    The first call is what gets the credentials: by assuming a profile's role, for one.
    """
    began = datetime.now(UTC)
    with asking("use the AWS credentials", if_denied=_LET_IN):
        answer = aws.client("sts").get_caller_identity()
    clock = _clock(answer["ResponseMetadata"], began)
    return Caller(answer["Arn"], answer["Account"], policy_source(answer["Arn"])), clock or Clock(0)


def is_throttled(error: AwsError) -> bool:
    """Whether AWS only wants the call to be made later."""
    return code_of(error.__cause__) in _THROTTLED


def not_assumed(error: AwsError) -> str:
    """What to do if the role of a profile, or of the environment, may not be assumed; empty for any other error."""
    cause = error.__cause__
    is_assuming = isinstance(cause, ClientError) and cause.operation_name.startswith("AssumeRole")
    return _ASSUME if is_assuming and error.problems[0].code == "access-denied" else ""


def refused_clock(error: AwsError) -> Clock | None:
    """The clock of an answer that refused a call; None if there was no answer, or no time in it."""
    cause = error.__cause__
    if not isinstance(cause, ClientError):
        return None
    clock = _clock(cause.response.get("ResponseMetadata", {}), datetime.now(UTC))
    return Clock(clock.ahead_seconds, is_refused=True) if clock else None


def _clock(metadata: Mapping[str, Any], began: datetime) -> Clock | None:
    """From AWS's header Date, which has whole seconds, and the middle of the time that the call took."""
    date = metadata.get("HTTPHeaders", {}).get("date")
    if not date:
        return None
    middle = began + (datetime.now(UTC) - began) / 2
    return Clock((middle - parsedate_to_datetime(date)).total_seconds())


def simulate(aws: Aws, caller: Caller, needs: tuple[Need, ...]) -> Permissions:
    """What IAM says of these needs: one call for each."""
    iam, role = aws.client("iam"), session_role(caller.arn)
    arn = _role_arn(iam, role) if role else caller.source
    try:
        denials = [denial for need in needs for denial in _denials(iam, arn or caller.source, need, aws.region)]
    except AwsError as error:
        if arn is None and code_of(error.__cause__) == "NoSuchEntity":
            raise AwsError(_without_path(role)) from error
        raise
    return Permissions(tuple(dict.fromkeys(need.command for need in needs)), tuple(denials))


def _role_arn(iam: Any, role: str) -> str | None:
    """With the path, which the ARN of the role's session lacks; None where IAM may not tell it."""
    try:
        with asking(f"read role {role}"):
            return str(iam.get_role(RoleName=role)["Role"]["Arn"])
    except AwsError as error:
        if error.problems[0].code != "access-denied":
            raise
        return None


def _without_path(role: str) -> Problem:
    what = f"could not simulate what the caller may do: IAM knows role {role} only with its path, and may not tell it"
    return Problem("access-denied", what, fix="allow iam:GetRole")


def has_rds_role(aws: Aws) -> bool | None:
    """Whether somebody has used RDS in the account, so that its service-linked role is there; None if IAM is silent."""
    try:
        with asking(f"read role {RDS_ROLE}"):
            aws.client("iam").get_role(RoleName=RDS_ROLE)
    except AwsError as error:
        return False if code_of(error.__cause__) == "NoSuchEntity" else None
    return True


def _denials(iam: Any, source: str, need: Need, region: str) -> Iterator[Denial]:
    entries = [
        {"ContextKeyName": key, "ContextKeyType": _TYPES.get(key, "string"), "ContextKeyValues": [value]}
        for key, value in context(need, source, region).items()
    ]
    with asking("simulate what the caller may do", if_denied="allow iam:SimulatePrincipalPolicy and iam:GetRole"):
        pages = iam.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=source, ActionNames=[*need.actions], ResourceArns=[need.resource], ContextEntries=entries
        )
        results = [result for page in pages for result in page["EvaluationResults"]]
    for result in results:
        if result["EvalDecision"] != "allowed":
            told = (result, *result.get("ResourceSpecificResults", ()))
            missing = dict.fromkeys(key for each in told for key in each.get("MissingContextValues", ()))
            yield Denial(
                need.command, result["EvalActionName"], need.resource, _denied_by(told), (*need.depends, *missing)
            )


def _denied_by(told: tuple[Mapping[str, Any], ...]) -> str:
    """told: a result, and those of its resources."""
    if any(not each.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True) for each in told):
        return "organization"
    bounds = [each.get("PermissionsBoundaryDecisionDetail", {}) for each in told]
    return "" if all(each.get("AllowedByPermissionsBoundary", True) for each in bounds) else "boundary"


def validate_template(aws: Aws, about: str, body: str) -> Validated:
    """CloudFormation's word on a template."""
    try:
        with asking("validate a template", if_denied="allow cloudformation:ValidateTemplate"):
            answer = aws.cloudformation.validate_template(TemplateBody=body)
    except AwsError as error:
        if code_of(error.__cause__) != "ValidationError":
            raise
        return Validated(about, error.problems[0].what.removeprefix("could not validate a template: "))
    return Validated(about, capabilities=tuple(answer.get("Capabilities", ())))


def read_offer(aws: Aws, template: str, deployed: str) -> Offer:
    """Whether the engine version can be had. deployed: of a cluster that is there; else the template's default."""
    version, rds = deployed or default_version(template), aws.client("rds")
    with asking("read the engine versions", if_denied="allow rds:DescribeDBEngineVersions"):
        pages = rds.get_paginator("describe_db_engine_versions").paginate(Engine=ENGINE)
        offered = {entry["EngineVersion"]: entry for page in pages for entry in page["DBEngineVersions"]}
    if version not in offered:
        return Offer(version, False, False, others=tuple(offered), is_deployed=bool(deployed))
    with asking("read the instance classes", if_denied="allow rds:DescribeOrderableDBInstanceOptions"):
        options = rds.describe_orderable_db_instance_options(
            Engine=ENGINE, EngineVersion=version, DBInstanceClass=SERVERLESS
        )["OrderableDBInstanceOptions"]
    least = offered[version].get("ServerlessV2FeaturesSupport", {}).get("MinCapacity")
    return Offer(version, True, bool(options), least, tuple(offered), is_deployed=bool(deployed))


def read_zones(aws: Aws) -> Zones:
    """Local Zones and Wavelength Zones left out, as GetAZs does."""
    ec2 = aws.client("ec2")
    allow = "allow ec2:DescribeAvailabilityZones and ec2:DescribeSubnets"
    with asking("read the Availability Zones", if_denied=allow):
        described = ec2.describe_availability_zones(Filters=[{"Name": "state", "Values": ["available"]}])
        pages = ec2.get_paginator("describe_subnets").paginate(Filters=[{"Name": "default-for-az", "Values": ["true"]}])
        subnets = {subnet["AvailabilityZone"] for page in pages for subnet in page["Subnets"]}
    zones = [
        zone["ZoneName"]
        for zone in described["AvailabilityZones"]
        if zone.get("ZoneType", "availability-zone") == "availability-zone"
    ]
    return Zones(tuple(sorted(zones)), tuple(sorted(subnets & {*zones})))
