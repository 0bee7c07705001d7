"""CloudFormation in memory, faithful enough to develop custom resources against: see docs/sandbox-cloudformation.md."""

from aurora_sandbox.cloudformation.custom import CustomResources
from aurora_sandbox.cloudformation.service import CloudFormation
from aurora_sandbox.cloudformation.types import Outcome, Request, ResourceFailed, ResourceType

__all__ = ["CloudFormation", "CustomResources", "Outcome", "Request", "ResourceFailed", "ResourceType"]
