"""The account that probes ask: clients, names, time, and the product's own command line.

world.run("apply --yes")           Ended(0, "…", "…"): aurora-tenants, in this process
world.outputs()["DatabaseServer"]
world.once("fired", fire)          what `fire` gives, asked once however many probes need it
"""

from __future__ import annotations

import io
import json
import secrets
import shlex
import string
from collections.abc import Callable, Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from botocore.exceptions import ClientError

from aurora_tenants.aws.clients import Aws, connect
from aurora_tenants.aws.stacks import read_stack
from aurora_tenants.cli import main
from tools.smoke.clock import Clock
from tools.smoke.probe import NotRun

T = TypeVar("T")
_ALPHABET = string.ascii_letters + string.digits


# AWS's codes for credentials that were good once.
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})


class Place(NamedTuple):
    """Where the things of one name are. flags: what a command line needs to look there, after a space."""

    name: str
    region: str
    profile: str | None = None

    @property
    def flags(self) -> str:
        return f" --region {self.region}" + (f" --profile {shlex.quote(self.profile)}" if self.profile else "")

    @property
    def hint(self) -> str:
        """The command that deletes all of it."""
        return f"script/smoke --clean {self.name}{self.flags}"


class Ended(NamedTuple):
    """What came of a command line."""

    code: int
    out: str
    err: str


@dataclass(slots=True)
class World:
    """One account and region, and the name under which everything is made there.

    directory: where tenants.yaml is. secret_values: what may never be recorded. is_sandbox: there are things that only
    an account has, and a probe of them says so.
    """

    name: str
    account: str
    region: str
    profile: str | None
    clock: Clock
    directory: Path
    is_sandbox: bool = False
    secret_values: set[str] = field(default_factory=set)
    _clients: dict[str, Any] = field(default_factory=dict)
    _known: dict[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        return Place(self.name, self.region, self.profile)

    @property
    def bucket(self) -> str:
        """What the bucket for the functions' code is called."""
        return bucket_of(self.name)

    @property
    def file(self) -> Path:
        return self.directory / "tenants.yaml"

    def aws(self) -> Aws:
        """The product's own clients."""
        return self.once("aws", lambda: connect(region=self.region, profile=self.profile))

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self.aws().client(service)
        return self._clients[service]

    def once(self, what: str, ask: Callable[[], T]) -> T:
        """The answer to something that several probes need; asked again only if it failed."""
        if what not in self._known:
            self._known[what] = ask()
        found: T = self._known[what]
        return found

    def forget(self, what: str) -> None:
        self._known.pop(what, None)

    def outputs(self) -> Mapping[str, str]:
        """Those of the shared stack."""
        return self.once("outputs", self._outputs)

    def _outputs(self) -> Mapping[str, str]:
        stack = read_stack(self.aws().cloudformation, self.name)
        if stack is None or "DatabaseServer" not in stack.outputs:
            raise NotRun("the shared stack is not deployed")
        return stack.outputs

    @property
    def cluster_arn(self) -> str:
        return self.outputs()["DatabaseServer"]

    @property
    def cluster(self) -> str:
        """The cluster's identifier."""
        return self.cluster_arn.rpartition(":")[2]

    def describe_cluster(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.client("rds").describe_db_clusters(DBClusterIdentifier=self.cluster)
        return found

    def master_secret(self) -> str:
        """The ARN of the secret that RDS keeps for the master user."""
        return self.once(
            "master secret", lambda: str(self.describe_cluster()["DBClusters"][0]["MasterUserSecret"]["SecretArn"])
        )

    def run(self, line: str) -> Ended:
        """A command line of the product, without `aurora-tenants`, in the directory of tenants.yaml."""
        words = [*shlex.split(line), "--region", self.region]
        if self.profile:
            words += ["--profile", self.profile]
        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
        code = 0
        with chdir(self.directory), redirect_stdout(out), redirect_stderr(err):
            try:
                main(words)
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else 1
        return Ended(code, *(_written(stream) for stream in (out, err)))

    def password(self) -> str:
        """A new one, which is never recorded."""
        made = "".join(secrets.choice(_ALPHABET) for _ in range(24))
        self.secret_values.add(made)
        return made

    def make_secret(self, user: str, password: str) -> str:
        """The ARN of a secret to log in to the Data API with; deleted with everything else."""
        made = self.client("secretsmanager").create_secret(
            Name=f"/{self.name}/probe/{user}-{secrets.token_hex(4)}",
            SecretString=json.dumps({"username": user, "password": password}),
        )
        return str(made["ARN"])

    def secret_value(self, secret: str, stage: str = "AWSCURRENT") -> Mapping[str, str]:
        """The content of a secret, which is never recorded."""
        text = self.client("secretsmanager").get_secret_value(SecretId=secret, VersionStage=stage)["SecretString"]
        content: Mapping[str, str] = json.loads(text)
        self.secret_values.update({text, content["password"]})
        return content


def bucket_of(name: str) -> str:
    return f"{name}-code"


def refusal(error: ClientError) -> dict[str, str]:
    """What an answer records of an error of AWS's."""
    said = error.response["Error"]
    return {"code": str(said.get("Code", "")), "message": str(said.get("Message", ""))}


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode("utf-8")
