"""Which account answers, and whether it is the one that the file names.

account = require_account(aws, cluster)      "123456789012"; one call of STS
"""

from __future__ import annotations

from aurora_tenants.aws.clients import Aws, asking
from aurora_tenants.errors import AwsError, Problem
from aurora_tenants.model import Cluster

_LET_IN = "`aws sts get-caller-identity` needs no permission: look at the policies of VPC endpoints and of the session"


def who(aws: Aws) -> str:
    """The number of the account that the credentials are of, 12 digits. Needs no permission. Raises AwsError."""
    with asking("learn which account this is", if_denied=_LET_IN):
        return str(aws.client("sts").get_caller_identity()["Account"])


def require_account(aws: Aws, cluster: Cluster) -> str:
    """The same. Raises AwsError if the file names another account; then nothing else may be asked of this one."""
    account = who(aws)
    compare(account, cluster)
    return account


def compare(account: str, cluster: Cluster) -> None:
    """Raises AwsError if the file names another account than this one."""
    if cluster.account in (None, account):
        return
    what = f"the AWS credentials are of account {account}, and cluster.account is {cluster.account}"
    why = "the file is about the cluster of that account"
    fix = f"use credentials of account {cluster.account}, by --profile or AWS_PROFILE, or correct cluster.account"
    raise AwsError(Problem("wrong-account", what, why, fix, cluster.account_where, "cluster"))
