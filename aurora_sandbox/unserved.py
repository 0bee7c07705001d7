"""What AWS's services answer to a call that they do not serve, whatever it asks for: throttled, failed, expired.

    throttled("lambda")        ServiceError("TooManyRequestsException", "Rate exceeded", status=429)

Sources: botocore's models where they have such an error (lambda, scheduler, rds-data, secretsmanager, kms, logs, sqs),
the "Common errors" of the services' API References, "Billing for Amazon S3 error responses", and what users of other
clients report: issue 110 of awsdocs/amazon-rds-user-guide (rds-data), 8604 of aws/aws-cli (rds), 404 of
aws/aws-durable-execution-sdk-python and 1171 of cloudquery/cq-provider-aws (lambda), 55 of cfn-sphere/cfn-sphere and
1649 of aws/aws-sdk-java-v2 (iam, sts: 403), 187 of awslabs/ssosync (JSON's 400), 60 of guardian/ssm-scala (ec2).
"""

from __future__ import annotations

from aurora_sandbox import wire
from aurora_sandbox.wire import ServiceError

_RATE = "Rate exceeded"
_THROTTLED = {
    "ec2": ("RequestLimitExceeded", "Request limit exceeded.", 503),
    "kms": ("ThrottlingException", "You have exceeded the rate at which you may call KMS.", 400),
    "lambda": ("TooManyRequestsException", _RATE, 429),
    "s3": ("SlowDown", "Please reduce your request rate.", 503),
    "scheduler": ("ThrottlingException", _RATE, 429),
    "sqs": ("RequestThrottled", _RATE, 400),
}
_EXPIRED = {
    "ec2": ("RequestExpired", "Request has expired.", 400),
    "s3": ("ExpiredToken", "The provided token has expired.", 400),
}
# By service, for its 500 and its 503; None where its protocol says it all.
_FAILED = {
    "ec2": ("InternalError", "Unavailable"),
    "kms": ("KMSInternalException", None),
    "lambda": ("ServiceException", None),
    "logs": ("InternalServerException", "ServiceUnavailableException"),
    "rds": ("InternalFailure", "ServiceUnavailable"),
    "rds-data": ("InternalServerErrorException", "ServiceUnavailableError"),
    "s3": ("InternalError", "ServiceUnavailable"),
    "scheduler": ("InternalServerException", None),
    "secretsmanager": ("InternalServiceError", None),
}
_SAID = {
    500: "The request processing has failed because of an unknown error, exception or failure.",
    503: "The request has failed due to a temporary failure of the server.",
}
# What a new cluster, a busy one, or something on the way to it answers; it passes: codes of rds-data, a number of
# MySQL's, and statuses of what is no answer of the Data API at all. Texts: rdsdata/answers.py.
EARLY = (
    "HttpEndpointNotEnabledException",
    "BadRequestException",
    "DatabaseNotFoundException",
    "InvalidResourceStateException",
    "SecretsErrorException",
    "1040",
    "500",
    "503",
)


def throttled(service: str) -> ServiceError:
    code, message, status = _THROTTLED.get(service) or (_exception("Throttling", service), _RATE, 400)
    return ServiceError(code, message, status=status)


def expired(service: str) -> ServiceError:
    """What a caller gets whose temporary credentials are too old."""
    said = "The security token included in the request is expired"
    by_default = _exception("ExpiredToken", service), said, 400 if _protocol(service) == "json" else 403
    code, message, status = _EXPIRED.get(service) or by_default
    return ServiceError(code, message, status=status)


def failed(service: str, status: int) -> ServiceError:
    """A fault of AWS's own, 500 or 503."""
    internal, unavailable = _FAILED.get(service, (None, None))
    known = internal if status == 500 else unavailable
    by_default = "InternalFailure" if status == 500 else _exception("ServiceUnavailable", service)
    return ServiceError(known or by_default, _SAID[status], status=status)


def _exception(code: str, service: str) -> str:
    """The code as the service's protocol has it: in XML as it is, in JSON an exception."""
    return code if _protocol(service) in ("query", "ec2", "rest-xml") else f"{code}Exception"


def _protocol(service: str) -> str:
    return "query" if service == "cloudwatch" else str(wire.service_model(service).metadata["protocol"])
