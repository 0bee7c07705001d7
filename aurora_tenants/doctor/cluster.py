"""Whether a cluster is fit for tenants, and the command that mends what is not. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from aurora_tenants.doctor.finding import Verdict, ok, problem, warning
from aurora_tenants.doctor.region import DATA_API, PAUSES, number

SERVERLESS = "db.serverless"
# The Data API answers while these last. ("DB cluster status", Aurora User Guide)
USABLE = frozenset({"available", "backing-up", "modifying", "maintenance", "storage-optimization"})
_UNREACHED = "nothing can reach MySQL"


class Instance(NamedTuple):
    """An instance of a cluster. kind: its class, such as db.serverless."""

    identifier: str
    kind: str
    is_writer: bool


class ClusterFacts(NamedTuple):
    """A cluster as RDS describes it. has_secret: RDS keeps the master's password in Secrets Manager.

    least_acu: of Serverless v2, None where it does not scale. engine_mode: `serverless` is Serverless v1.
    master_secret, master_key: ARNs of the secret that RDS keeps and of its KMS key, empty where there is none.
    """

    identifier: str
    arn: str
    engine: str
    version: str
    status: str
    engine_mode: str
    has_data_api: bool
    has_iam: bool
    has_secret: bool
    least_acu: float | None
    instances: tuple[Instance, ...]
    host: str = ""
    port: int = 0
    resource_id: str = ""
    master_user: str = ""
    master_secret: str = ""
    master_key: str = ""


class NoCluster(NamedTuple):
    """There is no cluster of this name here."""

    name: str
    region: str


def check_cluster(cluster: ClusterFacts | NoCluster) -> Iterator[Verdict]:
    """A line for each thing that is not as it should be; one line where everything is."""
    if isinstance(cluster, NoCluster):
        fix = "`aws rds describe-db-clusters` lists those there are; --region takes another region"
        yield problem(f"there is no cluster {cluster.name} in {cluster.region}", fix=fix)
        return
    if unfit := _unfit_for_ever(cluster):
        yield unfit
        return
    found = [*_of_version(cluster), *_of_state(cluster), *_of_instances(cluster), *_of_logins(cluster)]
    yield from found
    if not found:
        yield ok(f"cluster {cluster.identifier}: {cluster.version}, {_kind(cluster)}, fit for tenants")


def unavailable(identifier: str, status: str) -> Verdict | None:
    """What a cluster's status alone says against using it, None for nothing; a warning where that passes by itself."""
    if status in USABLE:
        return None
    what, start = (
        f"cluster {identifier} is {status}",
        f"run: aws rds start-db-cluster --db-cluster-identifier {identifier}",
    )
    if status == "stopped":
        return problem(what, _UNREACHED, start)
    if status == "stopping":
        return problem(what, _UNREACHED, f"wait until it is stopped, then {start}")
    if status == "inaccessible-encryption-credentials-recoverable":
        return problem(what, "RDS may not use the KMS key of its storage", f"enable that key, then {start}")
    if status in ("deleting", "inaccessible-encryption-credentials"):
        fix = "name another cluster, or restore a snapshot into a new one"
        return problem(what, "its databases will not come back", fix)
    wait = f"run: aws rds wait db-cluster-available --db-cluster-identifier {identifier}, then try again"
    return warning(what, _UNREACHED, wait)


def _unfit_for_ever(cluster: ClusterFacts) -> Verdict | None:
    """What no command mends."""
    what = f"cluster {cluster.identifier}"
    if cluster.engine != "aurora-mysql":
        return problem(f"{what} is {cluster.engine}, not aurora-mysql", fix="name a cluster of Aurora MySQL")
    if cluster.engine_mode == "serverless":
        fix = "upgrade it to Serverless v2, or restore a snapshot of it into a new cluster"
        return problem(f"{what} is Serverless v1", "its engine is too old, and it has another Data API", fix)
    if cluster.engine_mode not in ("", "provisioned"):
        fix = "restore a snapshot of it into a new cluster without an engine mode"
        return problem(f"{what} has the engine mode {cluster.engine_mode}", "it has no Data API", fix)
    return None


def _of_version(cluster: ClusterFacts) -> Iterator[Verdict]:
    upgrade = _modify(cluster, "--engine-version VERSION --allow-major-version-upgrade --apply-immediately")
    if number(cluster.version) >= (3, 0):
        upgrade = _modify(cluster, "--engine-version VERSION --apply-immediately")
    what = f"cluster {cluster.identifier} has engine version {cluster.version}"
    if number(cluster.version) < DATA_API:
        yield problem(what, "the Data API is there from 3.07 on, and pauses from 3.08 on", upgrade)
    elif number(cluster.version) < PAUSES:
        yield warning(what, "it cannot pause: that is from 3.08 on", upgrade)


def _of_state(cluster: ClusterFacts) -> Iterator[Verdict]:
    what = f"cluster {cluster.identifier}"
    if state := unavailable(cluster.identifier, cluster.status):
        yield state
    elif cluster.status != "available":
        yield warning(f"{what} is {cluster.status}", fix="wait until it is available")
    if not cluster.has_data_api:
        fix = f"run: aws rds enable-http-endpoint --resource-arn {cluster.arn}"
        yield problem(f"the Data API of {what} is off", "plans and the functions reach MySQL through it alone", fix)


def _of_instances(cluster: ClusterFacts) -> Iterator[Verdict]:
    what = f"cluster {cluster.identifier}"
    writer = next((each for each in cluster.instances if each.is_writer), None)
    if writer is None:
        fix = (
            f"run: aws rds create-db-instance --db-instance-identifier {cluster.identifier}-1 --engine aurora-mysql "
            f"--db-instance-class {SERVERLESS} --db-cluster-identifier {cluster.identifier}"
        )
        yield problem(f"{what} has no instance that writes", "the Data API answers DatabaseNotFoundException", fix)
        return
    to_serverless = (
        f"run: aws rds modify-db-instance --db-instance-identifier NAME --db-instance-class {SERVERLESS} "
        "--apply-immediately, which restarts it"
    )
    if cluster.least_acu is None:
        scaling = (
            "MinCapacity=0,MaxCapacity=2" if number(cluster.version) >= PAUSES else "MinCapacity=0.5,MaxCapacity=2"
        )
        scale = _modify(cluster, f"--serverless-v2-scaling-configuration {scaling}")
        to_serverless = f"{scale}; then {to_serverless}"
    if writer.kind.startswith("db.t"):
        found = f"the writer {writer.identifier} of {what} is a {writer.kind}"
        yield problem(found, "there is no Data API on db.t classes", to_serverless.replace("NAME", writer.identifier))
        return
    provisioned = [each for each in cluster.instances if each.kind != SERVERLESS]
    if provisioned:
        names = ", ".join(f"{each.identifier} ({each.kind})" for each in provisioned)
        kind = "provisioned" if len(provisioned) == len(cluster.instances) else "provisioned in part"
        why = "a cluster with a provisioned instance never pauses, so it costs the same at night"
        fix = to_serverless.replace("NAME", provisioned[0].identifier)
        yield warning(f"{what} is {kind}: {names}", why, fix)


def _of_logins(cluster: ClusterFacts) -> Iterator[Verdict]:
    what = f"cluster {cluster.identifier}"
    if not cluster.has_secret:
        fix = _modify(cluster, "--manage-master-user-password --apply-immediately")
        why = "the functions log in with it; careful: the command gives the master user another password at once"
        yield problem(f"the master user's password of {what} is not kept in Secrets Manager by RDS", why, fix)
    if not cluster.has_iam:
        fix = _modify(cluster, "--enable-iam-database-authentication --apply-immediately")
        yield warning(f"{what} has no IAM authentication", "users with `auth: iam` could not log in", fix)


def _kind(cluster: ClusterFacts) -> str:
    least = "" if cluster.least_acu is None else f" from {cluster.least_acu:g} ACU"
    return f"Serverless v2{least}"


def _modify(cluster: ClusterFacts, options: str) -> str:
    return f"run: aws rds modify-db-cluster --db-cluster-identifier {cluster.identifier} {options}"
