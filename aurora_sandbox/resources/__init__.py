"""The AWS resource types that the sandbox's CloudFormation can create, update and delete.

Each is a `ResourceType`: three functions from a `Request` to an `Outcome`. What needs to be real is real (the cluster's
server, secrets, functions), the rest are records in moto. A type that is not here is refused before a stack is touched.
"""

from __future__ import annotations

from collections.abc import Callable

from aurora_sandbox.backing import Backing
from aurora_sandbox.cloudformation.types import ResourceType
from aurora_sandbox.functions import Functions
from aurora_sandbox.resources.api import Boto
from aurora_sandbox.resources.credentials import credential_types
from aurora_sandbox.resources.dbcluster import DbCluster
from aurora_sandbox.resources.endpoints import VpcEndpoint
from aurora_sandbox.resources.hosted import NestedStack
from aurora_sandbox.resources.identity import identity_types
from aurora_sandbox.resources.lambdas import lambda_types
from aurora_sandbox.resources.network import network_types
from aurora_sandbox.resources.notices import notice_types
from aurora_sandbox.resources.plain import plain_types
from aurora_sandbox.secretsmanager.service import SecretsManager


def resource_types(
    *, secrets: SecretsManager, functions: Functions, backing: Backing, boto: Boto, rules_changed: Callable[[], None]
) -> dict[str, ResourceType]:
    """Every type by its name. `boto(service)` gives a boto3 client to moto, the same one for the same service.

    rules_changed: is called when a rule of EventBridge may be another.
    """
    return {
        **network_types(boto),
        **identity_types(boto),
        **notice_types(boto, rules_changed),
        **plain_types(boto, backing.clusters),
        **lambda_types(boto, functions),
        **credential_types(secrets, backing.clusters),
        "AWS::CloudFormation::Stack": NestedStack(boto, functions),
        "AWS::EC2::VPCEndpoint": VpcEndpoint(boto),
        "AWS::RDS::DBCluster": DbCluster(boto, backing),
    }
