"""Rules of AWS's documentation: each is broken once, in AWS's words; the page that lists them is made here.

`AURORA_TENANTS_WRITE_GOLDENS=1 script/test sandbox` writes docs/sandbox-constraints.md anew after a change.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from aurora_sandbox.documented import RULES, broken_by, refused
from aurora_sandbox.documented.checks import elsewhere

PAGE = Path(__file__).parents[2] / "docs" / "sandbox-constraints.md"
HEAD = """\
# Constraints the sandbox holds

The sandbox refuses what AWS refuses, in three layers. Every request to a service that it answers itself, every call of
a CloudFormation handler, and every answer is compared with botocore's model of the operation: required members,
types, lengths, ranges, patterns, enumerations, at every depth. The properties of every resource are compared with the
schema of its type that comes with cfn-lint, once intrinsic functions are resolved. What only AWS's documentation says
is the table below. `aurora_sandbox/documented/rules.py` holds it; a test makes this page of it, breaks every rule that
values alone can break, and knows by its name the test that breaks each of the others where its limit matters.

Words: "seen" where somebody has published AWS's sentence, and the sandbox says that one; "inferred" where only the
limit is documented. Some are shorter than AWS's: the sandbox repeats neither environment variables nor secrets.

| of | rule | words | source |
|---|---|---|---|
"""
TEXT = "x" * 5000
POLICY = {"Statement": [{"Resource": ["arn:aws:s3:::" + "x" * 100] * 100}]}
MEMBER = "1 validation error detected: Value '{}' at '{}' failed to satisfy constraint: Member must {}"
IDENTIFIER = (
    "The parameter {} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII "
    "letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
)
FORMAT = "Template format error: {}"
RESERVED_TAG = "aws: prefixed tag key names are not allowed for external use."

# What breaks the rule, and what is said; nothing else of the table is broken by it.
BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("template", {"Description": 2024}, FORMAT.format("Every Description member must be a string.")),
    ("template", {"Outputs": {"A": {"Description": 6}}}, FORMAT.format("Every Description member must be a string.")),
    ("template", {"Description": "é" * 513}, FORMAT.format("'Description' length is greater than 1024.")),
    (
        "template",
        {"AWSTemplateFormatVersion": "2011-09-09"},
        FORMAT.format("unsupported value for AWSTemplateFormatVersion."),
    ),
    *(
        (
            "template",
            {section: {f"N{number}": {} for number in range(most + 1)}},
            FORMAT.format(f"Number of {section.lower()}, {most + 1}, is greater than maximum allowed, {most}"),
        )
        for section, most in (("Resources", 500), ("Parameters", 200), ("Outputs", 200), ("Mappings", 200))
    ),
    ("template", {"Resources": {"my-queue": {}}}, FORMAT.format("Resource name my-queue is non alphanumeric.")),
    ("template", {"Parameters": {"USE_IT": {}}}, FORMAT.format("Parameter name USE_IT is non alphanumeric.")),
    ("template", {"Outputs": {"queue.url": {}}}, FORMAT.format("Output name queue.url is non alphanumeric.")),
    (
        "template",
        {"Outputs": {"x" * 256: {}}},
        f"{FORMAT[:-2]}Output name {'x' * 16}… is longer than 255 characters.",
    ),
    ("template", {"Mappings": {"a_b": {}}}, FORMAT.format("Mapping name a_b is non alphanumeric.")),
    (
        "template",
        {"Outputs": {"A": {"Description": "d" * 1025}}},
        FORMAT.format("'Description' length of output A is greater than 1024."),
    ),
    (
        "template",
        {"Parameters": {"A": {"Description": "d" * 4001}}},
        FORMAT.format("'Description' length of parameter A is greater than 4000."),
    ),
    (
        "template",
        {"Resources": {"A": {"Properties": ["{{resolve:ssm:a}}"] * 61}}},
        FORMAT.format("Number of dynamic references, 61, is greater than 60."),
    ),
    (
        "template",
        {"Resources": {"A": {"Type": "Custom::My.Thing"}}},
        FORMAT.format("Unrecognized resource types: [Custom::My.Thing]"),
    ),
    (
        "export",
        {"Output": "A", "Export": "shop/url"},
        FORMAT.format(
            "Output A is malformed. The Name field of every Export member must be specified and consist only of "
            "alphanumeric characters, colons, or hyphens."
        ),
    ),
    (
        "cloudformation:CreateStack",
        {"StackName": "s" * 129},
        MEMBER.format("s" * 129, "stackName", "have length less than or equal to 128"),
    ),
    (
        "cloudformation:CreateStack",
        {"StackName": "a_b"},
        MEMBER.format("a_b", "stackName", "satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"),
    ),
    ("cloudformation:UpdateStack", {"Tags": [{"Key": "aws:x", "Value": "y"}]}, RESERVED_TAG),
    ("AWS::SQS::Queue", {"Tags": [{"Key": "AWS:x", "Value": "y"}]}, RESERVED_TAG),
    (
        "AWS::Lambda::Function",
        {"FunctionName": "f" * 65},
        MEMBER.format("f" * 65, "functionName", "have length less than or equal to 64"),
    ),
    ("AWS::Lambda::Function", {"Timeout": 901}, MEMBER.format(901, "timeout", "have value less than or equal to 900")),
    (
        "AWS::Lambda::Function",
        {"MemorySize": 10_241},
        MEMBER.format(10_241, "memorySize", "have value less than or equal to 10240"),
    ),
    (
        "AWS::Lambda::Function",
        {"Environment": {"Variables": {"ABC": ["a"]}}},
        "Value of property Variables must be an object with String (or simple type) properties",
    ),
    (
        "AWS::Lambda::Function",
        {"Environment": {"Variables": {"ABC": TEXT}}},
        "Lambda was unable to configure your environment variables because the environment variables you have provided "
        "exceeded the 4KB limit.",
    ),
    (
        "AWS::Lambda::Function",
        {"Environment": {"Variables": {"AWS_REGION": "x", "OK": "y"}}},
        "Lambda was unable to configure your environment variables because the environment variables you have provided "
        "contains reserved keys that are currently not supported for modification. Reserved keys used in this request: "
        "AWS_REGION",
    ),
    (
        "AWS::Lambda::Function",
        {"Runtime": "python3.7"},
        "The runtime parameter of python3.7 is no longer supported for creating or updating AWS Lambda functions. "
        "We recommend you use a supported runtime while creating or updating functions.",
    ),
    ("AWS::Lambda::Function", {"Code": {}}, "Please provide a source for function code."),
    *(
        (
            "AWS::Lambda::Function",
            {"Code": {"ZipFile": "x"}, **given},
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        )
        for given in ({"Runtime": "python3.13"}, {"Handler": "index.handler"})
    ),
    (
        "AWS::Lambda::Function",
        {"Code": {"ZipFile": "x"}, "PackageType": "Image"},
        "Please provide ImageUri when creating a function with packageType Image.",
    ),
    ("lambda:UpdateFunctionCode", {"S3Bucket": "builds"}, "Please provide a source for function code."),
    (
        "AWS::IAM::Role",
        {"AssumeRolePolicyDocument": POLICY},
        "Cannot exceed quota for ACLSizePerRole: 2048",
    ),
    *(
        (of, values, "Syntax errors in policy.")
        for of, values in (
            ("AWS::IAM::Role", {"AssumeRolePolicyDocument": {"Statement": []}}),
            ("AWS::IAM::Role", {"Policies": [{"PolicyDocument": {"Statement": []}}]}),
            ("AWS::IAM::Policy", {"PolicyDocument": {"Statement": []}}),
            ("AWS::IAM::ManagedPolicy", {"PolicyDocument": {"Statement": {}}}),
        )
    ),
    (
        "AWS::IAM::Role",
        {"RoleName": "shop", "Policies": [{"PolicyDocument": POLICY}]},
        "Maximum policy size of 10240 bytes exceeded for role shop",
    ),
    ("AWS::IAM::Role", {"ManagedPolicyArns": ["arn"] * 11}, "Cannot exceed quota for PoliciesPerRole: 10"),
    (
        "AWS::IAM::Policy",
        {"Roles": ["shop"], "PolicyDocument": POLICY},
        "Maximum policy size of 10240 bytes exceeded for role shop",
    ),
    ("AWS::IAM::ManagedPolicy", {"PolicyDocument": POLICY}, "Cannot exceed quota for PolicySize: 6144"),
    (
        "AWS::SQS::Queue",
        {"QueueName": "q" * 81},
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
    ),
    (
        "AWS::SQS::Queue",
        {"QueueName": "mail", "FifoQueue": True},
        "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with "
        ".fifo suffix and be 1 to 80 in length.",
    ),
    *(
        ("AWS::RDS::DBCluster", {"MasterUserPassword": password}, f"The parameter MasterUserPassword is not a {why}")
        for password, why in (
            ("seven77", "valid password because it is shorter than 8 characters."),
            ("x" * 42, "valid password because it is longer than 41 characters."),
            (
                "pass@word1",
                "valid password. Only printable ASCII characters besides '/', '@', '\"', ' ' may be used.",
            ),
        )
    ),
    ("AWS::RDS::DBCluster", {"MasterUsername": "a" * 17}, f"Master user name {'a' * 17} is not valid."),
    (
        "AWS::RDS::DBCluster",
        {"DatabaseName": "a-b"},
        "DatabaseName must begin with a letter and contain only alphanumeric characters.",
    ),
    (
        "AWS::RDS::DBCluster",
        {"MasterUsername": "RdsAdmin"},
        "MasterUsername RdsAdmin cannot be used as it is a reserved word used by the engine",
    ),
    ("rds:ModifyDBCluster", {"Port": 80}, "Invalid database port: 80"),
    (
        "rds:ModifyDBCluster",
        {"BackupRetentionPeriod": 36},
        "Invalid backup retention period: 36. It must be between 1 and 35 days.",
    ),
    ("AWS::RDS::DBCluster", {"Port": 80}, "Invalid database port: 80"),
    (
        "AWS::RDS::DBSubnetGroup",
        {"DBSubnetGroupName": "Default"},
        "The parameter DBSubnetGroupName is not a valid identifier.",
    ),
    ("rds:CreateDBCluster", {"DBClusterIdentifier": "a--b"}, IDENTIFIER.format("DBClusterIdentifier")),
    ("rds:CreateDBInstance", {"DBInstanceIdentifier": "a" * 64}, IDENTIFIER.format("DBInstanceIdentifier")),
    ("rds:ModifyDBCluster", {"NewDBClusterIdentifier": "1a"}, IDENTIFIER.format("NewDBClusterIdentifier")),
    (
        "rds:CreateDBClusterSnapshot",
        {"DBClusterSnapshotIdentifier": "a--b"},
        IDENTIFIER.format("DBClusterSnapshotIdentifier"),
    ),
    ("rds:CreateDBClusterSnapshot", {"Tags": [{"Key": "a", "Value": "a$b"}]}, "Invalid value of a tag: a$b"),
    (
        "rds:ModifyDBCluster",
        {"MasterUserPassword": "seven77"},
        "The parameter MasterUserPassword is not a valid password because it is shorter than 8 characters.",
    ),
    ("AWS::EC2::VPC", {"CidrBlock": "10.0.0.0/8"}, "The CIDR '10.0.0.0/8' is invalid."),
    ("AWS::EC2::Subnet", {"CidrBlock": "10.0.0.0/29"}, "The CIDR '10.0.0.0/29' is invalid."),
    ("AWS::EC2::SecurityGroup", {"GroupName": "sg-mine"}, "Invalid value 'sg-mine' for groupName."),
]
# Rules that need more than values, and the tests that break them.
ELSEWHERE = {
    "Payload has at most 6,291,456 bytes, for an Event 1,048,576": "test_a_payload_has_a_size",
    "Payload is JSON": "test_a_payload_is_json",
    "has at most 51,200 bytes": "test_a_template_has_51200_bytes_at_most",
    "a parameter's value has at most 4,096 bytes": "test_a_parameters_value_has_4096_bytes_at_most",
    "an answer has at most 4,096 bytes": "test_an_improper_answer_fails_the_resource",
    "a physical id has at most 1,024 bytes": "test_an_improper_answer_fails_the_resource",
    "ServiceTimeout is from 1 to 3,600": "test_a_service_timeout_is_a_number_of_seconds_up_to_an_hour",
    "SubnetIds are in at least two Availability Zones": "test_a_subnet_group_covers_two_zones",
    "SubnetIds cover at least two Availability Zones": "test_a_group_in_one_zone_is_neither_made_nor_left",
    "RotateMasterUserPassword with ApplyImmediately, while RDS manages the password": (
        "test_what_the_reference_does_not_allow_together_is_refused"
    ),
    "MasterUserSecretKmsKeyId where ManageMasterUserPassword is turned on": (
        "test_what_the_reference_does_not_allow_together_is_refused"
    ),
    "MaxRecords is from 20 to 100, as for other lists": "test_a_page_has_20_to_100_clusters",
    "not SecretString with SecretBinary": "test_a_secret_has_one_value",
    "Name has letters, digits and /_+=.@!-": "test_a_name_with_a_blank_is_refused",
    "not ForceDeleteWithoutRecovery with RecoveryWindowInDays": "test_a_forced_deletion_has_no_recovery_window",
    "RecoveryWindowInDays is from 7 to 30": "test_a_recovery_window_outside_7_to_30_days_is_refused",
    "AutomaticallyAfterDays is from 1 to 1,000": "test_rules_that_aws_refuses_are_refused",
    "a rate is of 4 hours to 999 days": "test_rules_that_aws_refuses_are_refused",
    "a cron has six fields, 0 minutes, and * as the year": "test_rules_that_aws_refuses_are_refused",
    "a cron's times are 4 hours to a year apart": "test_rules_that_aws_refuses_are_refused",
    "Duration is from 1h to 24h": "test_rules_that_aws_refuses_are_refused",
    "a window ends before the next one and the next UTC day": "test_rules_that_aws_refuses_are_refused",
    "not AutomaticallyAfterDays with ScheduleExpression": "test_rules_that_aws_refuses_are_refused",
}


@pytest.mark.parametrize(("of", "values", "words"), BROKEN, ids=[f"{of} {sorted(values)}" for of, values, _ in BROKEN])
def test_what_aws_documents_is_refused_in_its_words(of: str, values: dict[str, Any], words: str):
    assert refused(of, values) == words


def test_every_rule_is_broken_once():
    broken = {id(broken_by(of, values)) for of, values, _ in BROKEN}
    untried = {rule.what for rule in RULES if id(rule) not in broken}
    assert untried == {rule.what for rule in RULES if rule.broken is elsewhere} == ELSEWHERE.keys()


def test_rules_that_are_broken_elsewhere_have_a_test_there():
    tests = {
        name
        for file in Path(__file__).parent.rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", file.read_text())
    }
    assert {name for name in ELSEWHERE.values() if name not in tests} == set()


@pytest.mark.parametrize(
    ("of", "values"),
    [
        (
            "AWS::Lambda::Function",
            {"FunctionName": "f" * 64, "Timeout": 900, "MemorySize": 10_240},
        ),
        ("AWS::Lambda::Function", {"Runtime": "python3.13"}),
        (
            "AWS::Lambda::Function",
            {"Environment": {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/x", "AWS_XRAY_CONTEXT_MISSING": "y"}}},
        ),
        ("AWS::SQS::Queue", {"QueueName": "q" * 75 + ".fifo", "FifoQueue": True}),
        ("AWS::RDS::DBCluster", {"MasterUserPassword": "a!#$%^&*()_+~'", "MasterUsername": "admin", "Port": 3306}),
        ("AWS::RDS::DBSubnetGroup", {"DBSubnetGroupName": "defaults of mine_1.2"}),
        ("rds:CreateDBCluster", {"DBClusterIdentifier": "a-b-9" + "x" * 58}),
        ("AWS::EC2::VPC", {"CidrBlock": "10.0.0.0/16"}),
        ("AWS::IAM::Role", {"AssumeRolePolicyDocument": "{" + " " * 9000 + "}"}),
        ("export", {"Output": "A", "Export": "shop:url-1"}),
        ("export", {"Output": "A", "Export": None}),
        ("cloudformation:CreateStack", {"StackName": "s" * 128, "Tags": [{"Key": "away", "Value": "aws:"}]}),
    ],
)
def test_what_just_fits_is_taken(of: str, values: dict[str, Any]):
    assert refused(of, values) is None


def test_the_page_lists_the_rules():
    lines = [
        f"| {rule.of} | {rule.what} | {'seen' if rule.is_quoted else 'inferred'} | {rule.source} |" for rule in RULES
    ]
    page = HEAD + "\n".join(lines) + f"\n\n{len(RULES)} rules.\n"
    if os.environ.get("AURORA_TENANTS_WRITE_GOLDENS"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page
