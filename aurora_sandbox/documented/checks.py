"""How each documented rule is looked at: a function from properties, parameters or a template to AWS's words, or None.

Pure, and no words quote a secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

Values = Mapping[str, Any]
Check = Callable[[Values], str | None]

MAX_TEMPLATE_BYTES = 51_200
MAX_PARAMETER_BYTES = 4096
MAX_ANSWER_BYTES = 4096
MAX_PHYSICAL_ID_BYTES = 1024
MAX_SERVICE_TIMEOUT_SECONDS = 3600
MAX_SYNCHRONOUS_BYTES = 6_291_456
MAX_EVENT_BYTES = 1_048_576
MAX_NUMBER = {"Resources": 500, "Parameters": 200, "Outputs": 200, "Mappings": 200}
_IDENTIFIER = re.compile(r"(?=.{1,63}$)[a-zA-Z](?:-?[a-zA-Z0-9])*")
# Source: "Deprecated runtimes", Lambda Developer Guide: creation is blocked. python3.8 to 3.10, nodejs16.x to 20.x,
# ruby3.2, dotnet6, dotnet8 and provided.al2 follow on 2027-02-01.
_ENDED = re.compile(
    r"nodejs(4\.3(-edge)?|6\.10|8\.10|1[024]\.x)?|python(2\.7|3\.[67])|java8|ruby2\.[57]|go1\.x|provided|dotnetcore[123]\.[01]"
)
# What the runtime sets itself. Source: "Defined runtime environment variables", AWS Lambda Developer Guide.
_RESERVED = re.compile(
    r"_HANDLER|_X_AMZN_TRACE_ID|LAMBDA_(TASK_ROOT|RUNTIME_DIR)|AWS_(REGION|DEFAULT_REGION|EXECUTION_ENV|"
    r"ACCESS_KEY(_ID)?|SECRET_ACCESS_KEY|SESSION_TOKEN|LAMBDA_(FUNCTION_(NAME|MEMORY_SIZE|VERSION)|"
    r"LOG_(GROUP|STREAM)_NAME|INITIALIZATION_TYPE|RUNTIME_API))"
)


def _member(path: str, value: Any, must: str) -> str:
    return f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: Member must {must}"


def at_most(name: str, limit: int, kind: str = "value") -> Check:
    """A number, or with the kind "length" a text, in the words that AWS's services share."""
    path = name[0].lower() + name[1:]

    def broken(values: Values) -> str | None:
        value = values.get(name, 0 if kind == "value" else "")
        size = value if kind == "value" else len(value)
        return _member(path, value, f"have {kind} less than or equal to {limit}") if size > limit else None

    return broken


def unless(name: str, pattern: str, words: str) -> Check:
    """A text that must match the whole pattern; {value} in the words stands for it."""
    allowed = re.compile(pattern)

    def broken(values: Values) -> str | None:
        value = values.get(name)
        return None if value is None or allowed.fullmatch(value) else words.format(value=value)

    return broken


def identifier(name: str) -> Check:
    def broken(values: Values) -> str | None:
        value = values.get(name)
        if value is None or _IDENTIFIER.fullmatch(value):
            return None
        return (
            f"The parameter {name} is not a valid identifier. Identifiers must begin with a letter; must contain only "
            "ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
        )

    return broken


def environment_texts(values: Values) -> str | None:
    variables = values.get("Environment", {}).get("Variables", {})
    is_text = not any(isinstance(value, dict | list) for value in variables.values())
    return None if is_text else "Value of property Variables must be an object with String (or simple type) properties"


def environment_size(values: Values) -> str | None:
    variables = values.get("Environment", {}).get("Variables", {})
    if len(json.dumps(variables, separators=(",", ":"), ensure_ascii=False).encode()) <= 4096:
        return None
    return (
        "Lambda was unable to configure your environment variables because the environment variables you have provided "
        "exceeded the 4KB limit."
    )


def reserved_keys(values: Values) -> str | None:
    names = sorted(filter(_RESERVED.fullmatch, values.get("Environment", {}).get("Variables", {})))
    if not names:
        return None
    return (
        "Lambda was unable to configure your environment variables because the environment variables you have provided "
        "contains reserved keys that are currently not supported for modification. "
        f"Reserved keys used in this request: {', '.join(names)}"
    )


def runtime(values: Values) -> str | None:
    runtime = values.get("Runtime", "")
    if not _ENDED.fullmatch(runtime):
        return None
    return (
        f"The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. "
        "We recommend you use a supported runtime while creating or updating functions."
    )


def one_source(values: Values) -> str | None:
    is_there = values.get("ZipFile") or values.get("ImageUri") or {"S3Bucket", "S3Key"} <= values.keys()
    return None if is_there else "Please provide a source for function code."


def zip_needs(values: Values) -> str | None:
    if "Code" not in values or _is_image(values) or (values.get("Runtime") and values.get("Handler")):
        return None
    return "Runtime and Handler are mandatory parameters for functions created with deployment packages."


def code(values: Values) -> str | None:
    return one_source(values["Code"]) if "Code" in values and not _is_image(values) else None


def image(values: Values) -> str | None:
    is_missing = values.get("PackageType") == "Image" and not values.get("Code", {}).get("ImageUri")
    return "Please provide ImageUri when creating a function with packageType Image." if is_missing else None


def _is_image(values: Values) -> bool:
    return values.get("PackageType") == "Image" or "ImageUri" in values.get("Code", {})


def policy_size(document: Any) -> int:
    """In characters; IAM does not count white space."""
    text = document if isinstance(document, str) else json.dumps(document, separators=(",", ":"))
    return len(re.sub(r"\s", "", text))


def trust_size(values: Values) -> str | None:
    is_long = policy_size(values.get("AssumeRolePolicyDocument", "")) > 2048
    return "Cannot exceed quota for ACLSizePerRole: 2048" if is_long else None


def inline_size(values: Values) -> str | None:
    size = sum(policy_size(policy.get("PolicyDocument", "")) for policy in values.get("Policies") or ())
    return (
        f"Maximum policy size of 10240 bytes exceeded for role {values.get('RoleName', '')}" if size > 10_240 else None
    )


def statements(*names: str) -> Check:
    """Of properties that are policies, and of the policies in Policies: each has a statement, if it is no text."""

    def broken(values: Values) -> str | None:
        inline = [policy.get("PolicyDocument") for policy in values.get("Policies") or ()]
        documents = [*(values.get(name) for name in names), *inline]
        is_empty = any(isinstance(each, Mapping) and each.get("Statement") in ([], {}) for each in documents)
        return "Syntax errors in policy." if is_empty else None

    return broken


def one_inline_size(values: Values) -> str | None:
    if not values.get("Roles") or policy_size(values.get("PolicyDocument", "")) <= 10_240:
        return None
    return f"Maximum policy size of 10240 bytes exceeded for role {values['Roles'][0]}"


def managed_size(values: Values) -> str | None:
    is_long = policy_size(values.get("PolicyDocument", "")) > 6144
    return "Cannot exceed quota for PolicySize: 6144" if is_long else None


def managed_number(values: Values) -> str | None:
    is_much = len(values.get("ManagedPolicyArns") or ()) > 10
    return "Cannot exceed quota for PoliciesPerRole: 10" if is_much else None


def fifo(values: Values) -> str | None:
    is_named_so = values.get("QueueName", "").endswith(".fifo")
    if "QueueName" not in values or is_named_so == bool(values.get("FifoQueue")):
        return None
    return (
        "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with "
        ".fifo suffix and be 1 to 80 in length."
    )


def master_password(values: Values) -> str | None:
    password = values.get("MasterUserPassword")
    if password is None:
        return None
    if len(password) < 8:
        return "The parameter MasterUserPassword is not a valid password because it is shorter than 8 characters."
    if len(password) > 41:
        return "The parameter MasterUserPassword is not a valid password because it is longer than 41 characters."
    if re.fullmatch(r"[!#-.0-?A-~]+", password):
        return None
    return (
        "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides "
        "'/', '@', '\"', ' ' may be used."
    )


def master_name(values: Values) -> str | None:
    """Those of RDS itself; MySQL's own words are reserved as well, and not looked at."""
    name = values.get("MasterUsername", "")
    is_reserved = name.lower() in ("rdsadmin", "rdsrepladmin", "rdstopmgr")
    return f"MasterUsername {name} cannot be used as it is a reserved word used by the engine" if is_reserved else None


def retention(values: Values) -> str | None:
    days = values.get("BackupRetentionPeriod", 1)
    return None if 1 <= days <= 35 else f"Invalid backup retention period: {days}. It must be between 1 and 35 days."


def port(values: Values) -> str | None:
    port = values.get("Port")
    return None if port is None or 1150 <= int(port) <= 65_535 else f"Invalid database port: {port}"


def block(values: Values) -> str | None:
    block = values.get("CidrBlock")
    found = re.fullmatch(r"(\d{1,3}\.){3}\d{1,3}/(\d+)", block or "")
    return None if block is None or (found and 16 <= int(found[2]) <= 28) else f"The CIDR '{block}' is invalid."


def own_tags(values: Values) -> str | None:
    """Of a resource or a request; the keys of aws:… are AWS's own."""
    tags = values.get("Tags") or ()
    is_reserved = any(tag.get("Key", "").lower().startswith("aws:") for tag in tags if isinstance(tag, Mapping))
    return "aws: prefixed tag key names are not allowed for external use." if is_reserved else None


def tag_values(values: Values) -> str | None:
    """Of RDS, whose pattern is written for Java. ("Tag", RDS API Reference)"""
    written = [tag.get("Value", "") for tag in values.get("Tags") or () if isinstance(tag, Mapping)]
    wrong = next((value for value in written if not re.fullmatch(r"[\w\s.:/=+@-]{0,256}", value)), None)
    return None if wrong is None else f"Invalid value of a tag: {wrong}"


def texts(values: Values) -> str | None:
    """Of a template: its descriptions. CloudFormation may take a number for one; no source says that it does."""
    parts = [part for section in ("Parameters", "Outputs") for part in (values.get(section) or {}).values()]
    described = [values, *(part for part in parts if isinstance(part, Mapping))]
    is_text = all(isinstance(part.get("Description", ""), str) for part in described)
    return None if is_text else "Template format error: Every Description member must be a string."


def description(values: Values) -> str | None:
    is_long = len(str(values.get("Description", "")).encode()) > 1024
    return "Template format error: 'Description' length is greater than 1024." if is_long else None


def format_version(values: Values) -> str | None:
    is_known = str(values.get("AWSTemplateFormatVersion", "2010-09-09")) == "2010-09-09"
    return None if is_known else "Template format error: unsupported value for AWSTemplateFormatVersion."


def numbers(values: Values) -> str | None:
    for section, most in MAX_NUMBER.items():
        if len(values.get(section) or ()) > most:
            number = len(values[section])
            return (
                f"Template format error: Number of {section.lower()}, {number}, is greater than maximum allowed, {most}"
            )
    return None


def names(section: str, called: str) -> Check:
    def broken(values: Values) -> str | None:
        wrong = next(
            (name for name in values.get(section) or () if not re.fullmatch(r"[A-Za-z0-9]{1,255}", name)), None
        )
        if wrong is None:
            return None
        if len(wrong) > 255:
            return f"Template format error: {called} name {wrong[:16]}… is longer than 255 characters."
        return f"Template format error: {called} name {wrong} is non alphanumeric."

    return broken


def output_descriptions(values: Values) -> str | None:
    for name, output in (values.get("Outputs") or {}).items():
        if isinstance(output, dict) and len(str(output.get("Description", "")).encode()) > 1024:
            return f"Template format error: 'Description' length of output {name} is greater than 1024."
    return None


def parameter_descriptions(values: Values) -> str | None:
    for name, parameter in (values.get("Parameters") or {}).items():
        if isinstance(parameter, dict) and len(str(parameter.get("Description", ""))) > 4000:
            return f"Template format error: 'Description' length of parameter {name} is greater than 4000."
    return None


def references(values: Values) -> str | None:
    number = json.dumps(values, default=str).count("{{resolve:")
    return (
        f"Template format error: Number of dynamic references, {number}, is greater than 60." if number > 60 else None
    )


def custom_types(values: Values) -> str | None:
    for resource in (values.get("Resources") or {}).values():
        name = str(resource.get("Type", "")) if isinstance(resource, dict) else ""
        if name.startswith("Custom::") and not re.fullmatch(r"Custom::[A-Za-z0-9_@-]{1,60}", name):
            return f"Template format error: Unrecognized resource types: [{name}]"
    return None


def export_name(values: Values) -> str | None:
    name = values.get("Export")
    if name is None or re.fullmatch(r"[a-zA-Z0-9:-]{1,255}", name):
        return None
    return (
        f"Template format error: Output {values['Output']} is malformed. The Name field of every Export member must be "
        "specified and consist only of alphanumeric characters, colons, or hyphens."
    )


def elsewhere(values: Values) -> str | None:
    """For limits above that are looked at where they matter, with the constants of this module."""
    return None
