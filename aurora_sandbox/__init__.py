"""The whole thing on one machine, with no AWS account. Imported by the `sandbox` command alone."""

ACCOUNT = "123456789012"
REGION = "eu-west-1"
