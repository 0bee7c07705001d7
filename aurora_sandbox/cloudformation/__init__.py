"""CloudFormation in memory, faithful enough to develop custom resources against: see docs/sandbox-cloudformation.md."""
