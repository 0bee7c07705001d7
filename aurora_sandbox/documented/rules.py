"""The rules: data, a line each. of: a resource type, "service:Operation", or a part of CloudFormation.

The words of a rule are AWS's own where `is_quoted`: somebody has published them; else only the limit is known.
"""

from __future__ import annotations

from dataclasses import dataclass

from aurora_sandbox.documented import checks
from aurora_sandbox.documented.checks import (
    MAX_ANSWER_BYTES,
    MAX_PARAMETER_BYTES,
    MAX_PHYSICAL_ID_BYTES,
    MAX_TEMPLATE_BYTES,
    Check,
)

_CFN = "CloudFormation User Guide, CloudFormation quotas"
_CFN_TEMPLATE = "CloudFormation User Guide, template anatomy"
_CUSTOM = "CloudFormation Template Reference, custom resource response objects"
_LAMBDA = "Lambda Developer Guide, Lambda quotas"
_FUNCTION_TYPE = "CloudFormation Template Reference, AWS::Lambda::Function"
_IAM = "IAM User Guide, IAM and STS quotas"
_GRAMMAR = "IAM User Guide, grammar of the IAM JSON policy language"
_RDS = "RDS API Reference"
_SECRETS = "Secrets Manager API Reference"
_ROTATION = "Secrets Manager User Guide, rotation schedules"
_EC2 = "EC2 API Reference"
_TAGS = "Tagging AWS Resources User Guide"


@dataclass(frozen=True, slots=True)
class Rule:
    """broken: AWS's words for what breaks the rule, or None. code: of the refusal of a request, if it is not the usual.

    A rule that cannot be looked at by the values alone is `elsewhere`: where the limit matters.
    """

    of: str
    what: str
    broken: Check
    source: str
    is_quoted: bool = True
    code: str | None = None


EVERY_RESOURCE, EVERY_REQUEST = "every resource type", "every request"
_STACK_NAME = checks.unless(
    "StackName",
    "[a-zA-Z][-a-zA-Z0-9]*",
    "1 validation error detected: Value '{value}' at 'stackName' failed to satisfy constraint: "
    "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*",
)
_SUBNETS = "SubnetIds are in at least two Availability Zones"
_FUNCTION, _ROLE, _QUEUE = "AWS::Lambda::Function", "AWS::IAM::Role", "AWS::SQS::Queue"
_CLUSTER, _SUBNET_GROUP = "AWS::RDS::DBCluster", "AWS::RDS::DBSubnetGroup"
_PARAMETERS = "AWS::RDS::DBClusterParameterGroup"

RULES: tuple[Rule, ...] = (
    Rule(EVERY_RESOURCE, "no Tags with keys of aws:", checks.own_tags, _TAGS),
    Rule(EVERY_REQUEST, "no Tags with keys of aws:", checks.own_tags, _TAGS),
    Rule("template", f"has at most {MAX_TEMPLATE_BYTES:,} bytes", checks.elsewhere, _CFN),
    Rule("template", "Description is text, also of a parameter or an output", checks.texts, _CFN_TEMPLATE),
    Rule("template", "Description has at most 1,024 bytes", checks.description, _CFN),
    Rule("template", "AWSTemplateFormatVersion is 2010-09-09", checks.format_version, _CFN_TEMPLATE),
    Rule("template", "has at most 500 resources and 200 parameters, outputs, mappings each", checks.numbers, _CFN),
    Rule("template", "a resource's name is alphanumeric", checks.names("Resources", "Resource"), _CFN_TEMPLATE),
    Rule("template", "a parameter's name is alphanumeric, at most 255", checks.names("Parameters", "Parameter"), _CFN),
    Rule("template", "an output's name is alphanumeric, at most 255", checks.names("Outputs", "Output"), _CFN),
    Rule("template", "a mapping's name is alphanumeric, at most 255", checks.names("Mappings", "Mapping"), _CFN, False),
    Rule("template", "an output's Description has at most 1,024 bytes", checks.output_descriptions, _CFN, False),
    Rule(
        "template", "a parameter's Description has at most 4,000 characters", checks.parameter_descriptions, _CFN, False
    ),
    Rule("template", "has at most 60 dynamic references", checks.references, _CFN, False),
    Rule("template", "Custom:: is followed by 1 to 60 of a-z, A-Z, 0-9, _, @, -", checks.custom_types, _CUSTOM, False),
    Rule("export", "a name has letters, digits, colons and hyphens, at most 255", checks.export_name, _CFN_TEMPLATE),
    Rule("stack", f"a parameter's value has at most {MAX_PARAMETER_BYTES:,} bytes", checks.elsewhere, _CFN, False),
    Rule("custom resource", f"an answer has at most {MAX_ANSWER_BYTES:,} bytes", checks.elsewhere, _CUSTOM),
    Rule("custom resource", f"a physical id has at most {MAX_PHYSICAL_ID_BYTES:,} bytes", checks.elsewhere, _CUSTOM),
    Rule("custom resource", "ServiceTimeout is from 1 to 3,600", checks.elsewhere, _CUSTOM, False),
    Rule(
        "cloudformation:CreateStack",
        "StackName has at most 128 characters",
        checks.at_most("StackName", 128, "length"),
        _CFN,
    ),
    Rule(
        "cloudformation:CreateStack", "StackName begins with a letter, then letters, digits, hyphens", _STACK_NAME, _CFN
    ),
    Rule(_FUNCTION, "FunctionName has at most 64 characters", checks.at_most("FunctionName", 64, "length"), _LAMBDA),
    Rule(_FUNCTION, "Timeout is at most 900", checks.at_most("Timeout", 900), _LAMBDA),
    Rule(_FUNCTION, "MemorySize is at most 10,240", checks.at_most("MemorySize", 10_240), _LAMBDA),
    Rule(
        _FUNCTION,
        "Environment has texts, numbers and booleans",
        checks.environment_texts,
        "Lambda Developer Guide, environment variables",
    ),
    Rule(_FUNCTION, "Environment has at most 4,096 bytes", checks.environment_size, _LAMBDA),
    Rule(
        _FUNCTION,
        "Environment has no reserved names",
        checks.reserved_keys,
        "Lambda Developer Guide, environment variables",
    ),
    Rule(
        _FUNCTION,
        "Runtime is none of which creation is blocked",
        checks.runtime,
        "Lambda Developer Guide, Lambda runtimes",
    ),
    Rule(_FUNCTION, "Code has a source", checks.code, "Lambda API Reference"),
    Rule(_FUNCTION, "Code in a zip has a Runtime and a Handler", checks.zip_needs, _FUNCTION_TYPE),
    Rule(_FUNCTION, "Code has an ImageUri if PackageType is Image", checks.image, _FUNCTION_TYPE),
    Rule("lambda:Invoke", "Payload has at most 6,291,456 bytes, for an Event 1,048,576", checks.elsewhere, _LAMBDA),
    Rule("lambda:Invoke", "Payload is JSON", checks.elsewhere, "Lambda API Reference"),
    Rule(
        "lambda:UpdateFunctionCode",
        "there is a source",
        checks.one_source,
        "Lambda API Reference",
        code="InvalidParameterValueException",
    ),
    *(
        Rule(of, "a policy has a statement", checks.statements(*names), _GRAMMAR, False)
        for of, *names in (
            (_ROLE, "AssumeRolePolicyDocument"),
            ("AWS::IAM::Policy", "PolicyDocument"),
            ("AWS::IAM::ManagedPolicy", "PolicyDocument"),
        )
    ),
    Rule(_ROLE, "AssumeRolePolicyDocument has at most 2,048 characters", checks.trust_size, _IAM),
    Rule(_ROLE, "Policies have at most 10,240 characters together", checks.inline_size, _IAM),
    Rule(_ROLE, "at most 10 ManagedPolicyArns", checks.managed_number, _IAM),
    Rule("AWS::IAM::Policy", "PolicyDocument has at most 10,240 characters for a role", checks.one_inline_size, _IAM),
    Rule("AWS::IAM::ManagedPolicy", "PolicyDocument has at most 6,144 characters", checks.managed_size, _IAM),
    Rule(
        _QUEUE,
        "QueueName has 1 to 80 letters, digits, hyphens, underscores, and .fifo",
        checks.unless(
            "QueueName",
            r"(?=.{1,80}$)[A-Za-z0-9_-]+(\.fifo)?",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        ),
        "SQS API Reference, CreateQueue",
    ),
    Rule(
        _QUEUE,
        "QueueName ends in .fifo if FifoQueue is true, and only then",
        checks.fifo,
        "SQS API Reference, CreateQueue",
    ),
    Rule(
        _CLUSTER,
        'MasterUserPassword has 8 to 41 printable ASCII characters but / @ " and space',
        checks.master_password,
        _RDS,
    ),
    Rule(
        _CLUSTER,
        "MasterUsername has at most 16 letters, digits and underscores, first a letter",
        checks.unless("MasterUsername", "[a-zA-Z][a-zA-Z0-9_]{0,15}", "Master user name {value} is not valid."),
        _RDS,
        False,
    ),
    Rule(
        _CLUSTER,
        "DatabaseName has at most 64 letters, digits and underscores, first a letter",
        checks.unless(
            "DatabaseName",
            "[a-zA-Z][a-zA-Z0-9_]{0,63}",
            "DatabaseName must begin with a letter and contain only alphanumeric characters.",
        ),
        _RDS,
    ),
    Rule(_CLUSTER, "MasterUsername is no name of RDS's own", checks.master_name, _RDS),
    Rule(_CLUSTER, "Port is from 1,150 to 65,535", checks.port, _RDS, False),
    Rule(_SUBNET_GROUP, _SUBNETS, checks.elsewhere, _RDS),
    Rule("rds:CreateDBSubnetGroup", "SubnetIds cover at least two Availability Zones", checks.elsewhere, _RDS),
    Rule(
        "rds:ModifyDBCluster",
        "RotateMasterUserPassword with ApplyImmediately, while RDS manages the password",
        checks.elsewhere,
        _RDS,
        False,
    ),
    Rule(
        "rds:ModifyDBCluster",
        "MasterUserSecretKmsKeyId where ManageMasterUserPassword is turned on",
        checks.elsewhere,
        _RDS,
        False,
    ),
    Rule(
        _SUBNET_GROUP,
        "DBSubnetGroupName has 1 to 255 letters, digits, spaces, dots, _, -, and is not default",
        checks.unless(
            "DBSubnetGroupName",
            r"(?!(?i:default)$)[a-zA-Z0-9 ._-]{1,255}",
            "The parameter DBSubnetGroupName is not a valid identifier.",
        ),
        _RDS,
        False,
    ),
    Rule(
        "rds:CreateDBCluster",
        "DBClusterIdentifier has 1 to 63 letters, digits, single hyphens, first a letter",
        checks.identifier("DBClusterIdentifier"),
        _RDS,
        code="InvalidParameterValue",
    ),
    Rule(
        "rds:CreateDBInstance",
        "DBInstanceIdentifier likewise",
        checks.identifier("DBInstanceIdentifier"),
        _RDS,
        code="InvalidParameterValue",
    ),
    Rule(
        "rds:ModifyDBCluster",
        "NewDBClusterIdentifier likewise",
        checks.identifier("NewDBClusterIdentifier"),
        _RDS,
        code="InvalidParameterValue",
    ),
    Rule(
        "rds:ModifyDBCluster",
        "MasterUserPassword as in AWS::RDS::DBCluster",
        checks.master_password,
        _RDS,
        code="InvalidParameterValue",
    ),
    Rule(
        "rds:ModifyDBCluster",
        "Port as in AWS::RDS::DBCluster",
        checks.port,
        _RDS,
        False,
        code="InvalidParameterValue",
    ),
    Rule(
        "rds:ModifyDBCluster",
        "BackupRetentionPeriod is from 1 to 35",
        checks.retention,
        _RDS,
        False,
        code="InvalidParameterValue",
    ),
    Rule(
        "rds:CreateDBClusterSnapshot",
        "DBClusterSnapshotIdentifier as DBClusterIdentifier",
        checks.identifier("DBClusterSnapshotIdentifier"),
        _RDS,
        code="InvalidParameterValue",
    ),
    Rule(
        "rds:CreateDBClusterSnapshot",
        "values of Tags have 256 letters, digits, spaces and _.:/=+-@ at most",
        checks.tag_values,
        _RDS,
        False,
        code="InvalidParameterValue",
    ),
    Rule("rds:DescribeDBClusters", "MaxRecords is from 20 to 100, as for other lists", checks.elsewhere, _RDS),
    Rule("AWS::EC2::VPC", "CidrBlock is from /16 to /28", checks.block, _EC2),
    Rule("AWS::EC2::Subnet", "CidrBlock is from /16 to /28", checks.block, _EC2),
    Rule(
        "AWS::EC2::SecurityGroup",
        "GroupName has at most 255 characters and does not begin with sg-",
        checks.unless("GroupName", r"(?!sg-).{1,255}", "Invalid value '{value}' for groupName."),
        _EC2,
        False,
    ),
    Rule("secretsmanager:CreateSecret", "not SecretString with SecretBinary", checks.elsewhere, _SECRETS),
    Rule("secretsmanager:CreateSecret", "Name has letters, digits and /_+=.@!-", checks.elsewhere, _SECRETS),
    Rule(
        "secretsmanager:DeleteSecret",
        "not ForceDeleteWithoutRecovery with RecoveryWindowInDays",
        checks.elsewhere,
        _SECRETS,
    ),
    Rule("secretsmanager:DeleteSecret", "RecoveryWindowInDays is from 7 to 30", checks.elsewhere, _SECRETS),
    Rule("secretsmanager:RotateSecret", "AutomaticallyAfterDays is from 1 to 1,000", checks.elsewhere, _SECRETS, False),
    Rule("secretsmanager:RotateSecret", "a rate is of 4 hours to 999 days", checks.elsewhere, _ROTATION, False),
    Rule(
        "secretsmanager:RotateSecret",
        "a cron has six fields, 0 minutes, and * as the year",
        checks.elsewhere,
        _ROTATION,
        False,
    ),
    Rule(
        "secretsmanager:RotateSecret",
        "a cron's times are 4 hours to a year apart",
        checks.elsewhere,
        _ROTATION,
        False,
    ),
    Rule("secretsmanager:RotateSecret", "Duration is from 1h to 24h", checks.elsewhere, _ROTATION, False),
    Rule(
        "secretsmanager:RotateSecret",
        "a window ends before the next one and the next UTC day",
        checks.elsewhere,
        _ROTATION,
        False,
    ),
    Rule(
        "secretsmanager:RotateSecret",
        "not AutomaticallyAfterDays with ScheduleExpression",
        checks.elsewhere,
        _SECRETS,
    ),
)
