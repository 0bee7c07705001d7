"""AWS for Aurora on one machine: a real MySQL behind the APIs that a cluster has, and no AWS account.

Of use to anything that speaks to AWS through AWS_ENDPOINT_URL. Imports nothing of aurora_tenants, whose `sandbox`
command starts it and tells its user what goes wrong. docs/sandbox.md says what it imitates.
"""

ACCOUNT = "123456789012"
REGION = "eu-west-1"
