"""AWS::CloudFormation::Stack, of which there is one kind here: what AWS's transform makes of a HostedRotationLambda.

A role and a function, the stand-in of hostedrotation.py, as the stack that AWS nests has them. Any other nested stack
is refused. Sources: "AWS::SecretsManager::RotationSchedule HostedRotationLambda", CloudFormation Template Reference;
"Lambda rotation function execution role permissions", Secrets Manager User Guide.
"""

from __future__ import annotations

import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import aurora_sandbox
from aurora_sandbox.cloudformation.transform import TEMPLATE_URL
from aurora_sandbox.cloudformation.types import Outcome, Request, ResourceFailed
from aurora_sandbox.functions import Function, Functions
from aurora_sandbox.resources.api import Boto, Properties, arn, call, generated_name
from aurora_sandbox.resources.identity import Role

STAND_IN = Path(aurora_sandbox.__file__).with_name("hostedrotation.py")
STANDS_FOR = "SANDBOX_STANDS_FOR"  # a variable of such a function's environment, with the name of AWS's
SINGLE_USER = "MySQLSingleUser"
_ENGINES = ("Db2", "MySQL", "MariaDB", "MongoDB", "Oracle", "PostgreSQL", "Redshift", "SQLServer")
ROTATION_TYPES = frozenset(f"{engine}{users}User" for engine in _ENGINES for users in ("Single", "Multi"))
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}],
}
_VERBS = ("DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")
_EXCLUDED = "/@\"'\\"  # what AWS's function leaves out of passwords if nothing is said


@dataclass(frozen=True, slots=True)
class NestedStack:
    """Its physical id is an ARN that holds the name of its role; its Outputs are RotationLambdaARN alone."""

    boto: Boto
    functions: Functions

    def create(self, request: Request) -> Outcome:
        self._check(request)
        name = generated_name(request)
        stack_arn = arn(request, "cloudformation", f"stack/{name}/{uuid.uuid4()}")
        if self.functions.get(_function_name(request, name)):
            raise ResourceFailed(f"Function already exist: {_function_name(request, name)}")
        Role(self.boto).create(self._role(request, name))
        return self._with_function(request, stack_arn)

    def update(self, request: Request) -> Outcome:
        """A function of another name takes the place of the one before."""
        self._check(request)
        stack_arn = request.physical_id or ""
        before = replace(request, properties=request.old_properties or {})
        name, former = (_function_name(each, _name(stack_arn)) for each in (request, before))
        Role(self.boto).update(replace(self._role(request, _name(stack_arn)), physical_id=_name(stack_arn)))
        outcome = self._with_function(request, stack_arn)
        if name != former:
            self.functions.remove(former)
        return outcome

    def delete(self, request: Request) -> None:
        name = _name(request.physical_id or "")
        self.functions.remove(_function_name(request, name))
        Role(self.boto).delete(replace(self._role(request, name), physical_id=name))

    def read(self, request: Request) -> Properties | None:
        function = self.functions.get(_function_name(request, _name(request.physical_id or "")))
        return None if function is None else {}

    def _check(self, request: Request) -> None:
        """Raises ResourceFailed for what AWS would not make, and for what nobody has imitated."""
        if request.properties["TemplateURL"] != TEMPLATE_URL:
            raise ResourceFailed("The sandbox imitates no nested stacks but those of a HostedRotationLambda.")
        for needed in ("CAPABILITY_AUTO_EXPAND", "CAPABILITY_IAM"):
            named = needed == "CAPABILITY_IAM" and "CAPABILITY_NAMED_IAM" in request.capabilities
            if needed not in request.capabilities and not named:
                raise ResourceFailed(f"Requires capabilities : [{needed}]")
        hosted = _parameters(request)
        kind = hosted.get("RotationType")
        if kind not in ROTATION_TYPES:
            raise ResourceFailed(f"HostedRotationLambda has no RotationType {kind}.")
        if kind != SINGLE_USER:
            raise ResourceFailed(f"The sandbox imitates the RotationType {SINGLE_USER} alone, not {kind}.")
        self._check_network(hosted)

    def _check_network(self, hosted: Mapping[str, Any]) -> None:
        """Lambda takes security groups and subnets of one network, both or neither."""
        groups, subnets = (_listed(hosted.get(name)) for name in ("VpcSecurityGroupIds", "VpcSubnetIds"))
        if bool(groups) != bool(subnets):
            raise ResourceFailed("A function in a VPC needs both VpcSecurityGroupIds and VpcSubnetIds.")
        if not groups:
            return
        ec2 = self.boto("ec2")
        networks = {item["VpcId"] for item in call(ec2, "describe_subnets", SubnetIds=subnets)["Subnets"]}
        found = call(ec2, "describe_security_groups", GroupIds=groups)["SecurityGroups"]
        if len(networks) > 1 or {item.get("VpcId") for item in found} != networks:
            raise ResourceFailed("Security Groups are required to be in the same VPC as the subnets.")

    def _role(self, request: Request, name: str) -> Request:
        function_arn = arn(request, "lambda", f"function:{_function_name(request, name)}")
        only = {"StringEquals": {"secretsmanager:resource/AllowRotationLambdaArn": function_arn}}
        statements: list[dict[str, Any]] = [
            {
                "Effect": "Allow",
                "Action": [f"secretsmanager:{verb}" for verb in _VERBS],
                "Resource": arn(request, "secretsmanager", "secret:*"),
                "Condition": only,
            },
            {"Effect": "Allow", "Action": "secretsmanager:GetRandomPassword", "Resource": "*"},
        ]
        if key := _parameters(request).get("KmsKeyArn"):
            use = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
            statements.append({"Effect": "Allow", "Action": use, "Resource": key})
        policy = {"PolicyName": "rotation", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}
        properties = {"RoleName": name, "AssumeRolePolicyDocument": _TRUST, "Policies": [policy]}
        return replace(request, type="AWS::IAM::Role", properties=properties, old_properties=properties)

    def _with_function(self, request: Request, stack_arn: str) -> Outcome:
        hosted, name = _parameters(request), _function_name(request, _name(stack_arn))
        region = request.stack_id.split(":")[3]
        function = Function(
            name=name,
            arn=arn(request, "lambda", f"function:{name}"),
            code=_code(),
            handler="lambda_function.lambda_handler",
            role_arn=f"arn:aws:iam::{request.stack_id.split(':')[4]}:role/{_name(stack_arn)}",
            timeout_seconds=30,
            environment={
                "SECRETS_MANAGER_ENDPOINT": f"https://secretsmanager.{region}.amazonaws.com",
                "EXCLUDE_CHARACTERS": hosted.get("ExcludeCharacters", _EXCLUDED),
                STANDS_FOR: "SecretsManagerRDSMySQLRotationSingleUser",
            },
            runtime=hosted.get("Runtime", "python3.13"),
        )
        self.functions.put(function)
        details = {"Action": "lambda:InvokeFunction"}
        self.functions.permit(name, "SecretsManager", "secretsmanager.amazonaws.com", **details)
        return Outcome(stack_arn, {"Outputs.RotationLambdaARN": function.arn})


def _parameters(request: Request) -> Mapping[str, Any]:
    parameters: Mapping[str, Any] = request.properties.get("Parameters") or {}
    return parameters


def _function_name(request: Request, nested: str) -> str:
    """As the template has it, or one of the nested stack's."""
    return str(_parameters(request).get("RotationLambdaName") or nested)


def _name(stack_arn: str) -> str:
    return stack_arn.rpartition(":")[2].split("/")[1]


def _listed(text: str | None) -> list[str]:
    return [item.strip() for item in (text or "").split(",") if item.strip()]


def _code() -> bytes:
    written = BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr(zipfile.ZipInfo("lambda_function.py"), STAND_IN.read_text())
    return written.getvalue()
