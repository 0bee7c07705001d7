"""Rotations that meet a fault at a random step, hangs included: which passwords log in meanwhile, and how each ends.

    .venv/bin/python -m bench.rotations [TIMES [SEED]]

Each rotation is begun by RotateSecret, and again by it for as long as it has not ended, as Secrets Manager tries again.
All the time somebody else logs in at MySQL with the current password and with the one before it: the first has to be
accepted always, the second until the next rotation has stored a new one. The function has so little time (see
`_FUNCTION_SECONDS`) that an answer which does not come ends it in the middle of a step.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import boto3
import pymysql

from aurora_sandbox import mysqld, remote
from aurora_sandbox.install import install
from aurora_sandbox.keys import key_in
from aurora_sandbox.mysqld import as_root
from aurora_sandbox.server import Sandbox
from aurora_sandbox.state import Running
from aurora_tenants import data

FUNCTION = "rotation"
PREFIX = "/shared-global/database/"
# Between the faults' rotations: an account keeps two passwords, and the function does not let go of one that was
# current so shortly before.
APART = "+11m"
_FUNCTION_SECONDS = 6
_DEADLINE_SECONDS = 180.0
_PAUSE_SECONDS = 0.25  # between two looks: they must not take the time that the rotation needs
_STEPS = 4
SERVICES = ("rds-data", "secretsmanager")
Fault = dict[str, Any]
Calls = Mapping[str, int]  # how many a whole rotation makes, by service
Choose = Callable[[random.Random, Calls], Fault]


def _event(name: str) -> Choose:
    """A fault of a random step."""
    return lambda chance, calls: {"name": name, "function": FUNCTION, "nth": chance.randint(1, _STEPS)}


def _call(name: str, *, times: int = 1, **more: Any) -> Choose:
    """A fault of a random call of the function, and of those behind it to the same service."""

    def chosen(chance: random.Random, calls: Calls) -> Fault:
        service = chance.choice(SERVICES)
        fault = {"name": name, "by": "function", "service": service, "nth": chance.randint(1, calls[service]), **more}
        return fault | ({"every": 1, "times": times} if times > 1 else {})

    return chosen


def _cluster(name: str, **more: Any) -> Choose:
    """A fault of the cluster, at a random statement."""
    return lambda chance, calls: {"name": name, "nth": chance.randint(1, calls["rds-data"]), **more}


# A client of AWS's asks several times by itself, so a fault that ends a step comes to several calls.
FAULTS: Mapping[str, Choose] = {
    "the function crashes before a step": _event("crash-before"),
    "the function crashes behind a step": _event("crash-after"),
    "the function hangs": _event("hang"),
    "a call hangs until the function's time is over": _call("slow", seconds=_FUNCTION_SECONDS + 3),
    "a step comes twice": _event("called-twice"),
    "AWS throttles": _call("throttle", times=12),
    "AWS has trouble": _call("5xx", times=12),
    "calls are not served": _call("drop-before", times=8),
    "answers are lost": _call("drop-after", times=8),
    "one answer is lost": _call("drop-after"),
    "credentials are too old": _call("expired-credentials", times=3),
    "the cluster is paused": _cluster("paused-cluster", seconds=1.0),
    "MySQL has no connection left": _cluster("early", answer="1040"),
    "a secret is not everywhere yet": _cluster("early", answer="SecretsErrorException"),
}
# What is no fault of the sandbox's, but done by hand in the middle of a rotation.
READ_ONLY, CANCELLED = "MySQL takes no writes", "somebody cancels"
KINDS = (*FAULTS, READ_ONLY, CANCELLED)


class Versions(NamedTuple):
    """What Secrets Manager has of a secret at one time: ids by stage, and passwords."""

    stages: Mapping[str, str]
    passwords: Mapping[str, str] = {}

    def password(self, stage: str) -> str | None:
        return self.passwords.get(self.stages.get(stage, ""))


@dataclass(frozen=True, slots=True)
class Login:
    """A user, its secret, and MySQL where it logs in."""

    secrets: Any
    secret: str
    user: str
    port: int

    def stages(self) -> dict[str, str]:
        """The version of each stage."""
        versions = self.secrets.describe_secret(SecretId=self.secret)["VersionIdsToStages"]
        return {stage: version for version, stages in versions.items() for stage in stages}

    def versions(self) -> Versions:
        """Stages, and the passwords of all that have one. Read one after the other, so they may be of two moments."""
        stages, passwords = self.stages(), dict[str, str]()
        for version in {*stages.values()}:
            try:
                text = self.secrets.get_secret_value(SecretId=self.secret, VersionId=version)["SecretString"]
            except self.secrets.exceptions.ResourceNotFoundException:
                continue  # a rotation has announced it
            passwords[version] = json.loads(text)["password"]
        return Versions(stages, passwords)

    def takes(self, password: str) -> bool:
        """Whether MySQL lets this user in. Raises pymysql.MySQLError for whatever says nothing of the password."""
        try:
            pymysql.connect(
                host="127.0.0.1", port=self.port, user=self.user, password=password, ssl_disabled=True
            ).close()
        except pymysql.OperationalError as error:
            if error.args[0] == 1045:
                return False
            raise
        return True

    def wrong(self) -> str | None:
        """What is other than it has to be at this moment, in a sentence without a password."""
        before = self.versions()
        accepted = {
            stage: self.takes(password)
            for stage in ("AWSPREVIOUS", "AWSCURRENT")
            if (password := before.password(stage)) is not None
        }
        if all(accepted.values()):
            return None
        after = self.versions()
        if not accepted["AWSCURRENT"] and after.stages["AWSCURRENT"] == before.stages["AWSCURRENT"]:
            return "the current password does not log in"
        is_same = after.stages.get("AWSPREVIOUS") == before.stages.get("AWSPREVIOUS")
        is_made = after.stages.get("AWSPENDING") not in (None, after.stages["AWSCURRENT"])
        if not accepted.get("AWSPREVIOUS", True) and is_same and not (is_made and after.password("AWSPENDING")):
            return "the password before it does not log in, and there is no new one"
        return None


@dataclass(slots=True)
class Watch:
    """Somebody who logs in all the time. seen: what was wrong, once each."""

    login: Login
    seen: list[str] = field(default_factory=list)
    checks: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self._ended.wait(_PAUSE_SECONDS):
            self.look()

    def look(self) -> None:
        found = self.login.wrong()
        self.checks += 1
        if found and found not in self.seen:
            self.seen.append(found)

    @contextmanager
    def running(self) -> Iterator[Watch]:
        thread = threading.Thread(target=self.run, name="watch", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a rotation ended. fault: as it was switched on; met: by how many calls. begun: how often it was begun.

    left: secrets that the function has tried a password through and did not live to remove.
    """

    kind: str
    fault: Fault
    met: int
    begun: int
    seconds: float
    checks: int
    left: int
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rotations:
    """Rotations of one secret in a sandbox. function: the ARN of the one that rotates."""

    running: Running
    login: Login
    function: str

    @classmethod
    def of(cls, environ: Mapping[str, str], user: str, function: str) -> Rotations:
        """In the sandbox to which these variables lead."""
        key = key_in(environ)
        running = key and remote.at(environ["AWS_ENDPOINT_URL"], key)
        assert running
        secrets = boto3.client("secretsmanager", **_aws(environ))
        return cls(running, Login(secrets, f"{PREFIX}{user}", user, running.mysqld_port), function)

    def undisturbed(self) -> Calls:
        """How many calls a rotation makes that meets nothing: no fault comes to so late a call as is asked here."""
        for service in SERVICES:
            remote.meet(self.running, {"name": "slow", "service": service, "by": "function", "nth": 1_000_000})
        remote.clock(self.running, APART)
        first = self.login.stages()["AWSCURRENT"]
        while self.login.stages()["AWSCURRENT"] == first:
            self._begin()
            self._settle(first)
        calls = {fault["service"]: fault["counted"] for fault in remote.faults(self.running)}
        remote.clear(self.running)
        return calls

    def one(self, kind: str, chance: random.Random, calls: Calls) -> Ended:
        """A rotation that meets a fault of this kind, until it has ended well or its time is over."""
        login, watch, running = self.login, Watch(self.login), self.running
        remote.clock(running, APART)
        first, began, begun = login.stages()["AWSCURRENT"], time.monotonic(), 0
        fault = FAULTS[kind](chance, calls) if kind in FAULTS else {"seconds": round(chance.uniform(0, 0.6), 2)}
        if kind in FAULTS:
            remote.meet(running, fault)
        elif kind == READ_ONLY:
            self._read_only(on=True)
        try:
            with watch.running():
                while login.stages()["AWSCURRENT"] == first and time.monotonic() - began < _DEADLINE_SECONDS:
                    begun += self._begin()
                    if begun == 1 and kind not in FAULTS:
                        time.sleep(fault["seconds"])
                    if begun == 1 and kind == CANCELLED:
                        login.secrets.cancel_rotate_secret(SecretId=login.secret)
                    self._settle(first)
                    if kind == READ_ONLY:
                        self._read_only(on=False)
            met = sum(each["happened"] for each in remote.faults(running)) if kind in FAULTS else 1
        finally:
            remote.clear(running)
            self._read_only(on=False)
        watch.look()
        ended = login.versions()
        wrong = [*watch.seen]
        wrong += [] if ended.stages["AWSCURRENT"] != first else ["it does not end"]
        wrong += [] if len({*ended.passwords.values()}) > 1 else ["the password is the same"]
        return Ended(kind, fault, met, begun, time.monotonic() - began, watch.checks, self._removed(), tuple(wrong))

    def _begin(self) -> int:
        """Also where one is left unfinished: it is refused then, and that one is tried again."""
        secrets = self.login.secrets
        with suppress(secrets.exceptions.InvalidRequestException):
            secrets.rotate_secret(SecretId=self.login.secret, RotationLambdaARN=self.function)
        return 1

    def _settle(self, first: str) -> None:
        """Waits until the function has done nothing for a moment, or the rotation has ended."""
        idle = 0
        while idle < 3 and self.login.stages()["AWSCURRENT"] == first:
            time.sleep(0.2)
            idle = 0 if remote.status(self.running)["running"] else idle + 1

    def _read_only(self, *, on: bool) -> None:
        """As a server is that fails over."""
        with pymysql.connect(**as_root(self.running.mysqld_socket)) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET GLOBAL super_read_only = {'ON' if on else 'OFF'}")
            cursor.execute("SET GLOBAL read_only = OFF") if not on else None

    def _removed(self) -> int:
        """How many secrets were left that the function has tried a password through; they are gone afterwards."""
        secrets = self.login.secrets
        asked = {"Filters": [{"Key": "name", "Values": [f"{PREFIX}rotation-test/"]}]}
        left = [secret["ARN"] for secret in secrets.list_secrets(**asked)["SecretList"]]
        for arn in left:
            secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
        return len(left)


def main(times: int, seed: int) -> int:
    """Prints a line for each rotation and for each kind of fault. Returns 1 if anything was other than it should be."""
    chance, ended = random.Random(seed), list[Ended]()
    kinds = [KINDS[number % len(KINDS)] for number in range(times)]
    chance.shuffle(kinds)
    binary = mysqld.find() or install(mysqld.default_cache(), print)
    with Sandbox.start(binary=binary) as sandbox:
        rotations = Rotations.of(sandbox.environment(), "app", _deployed(sandbox.environment()))
        calls = rotations.undisturbed()
        print(f"a rotation makes {calls} calls", flush=True)
        for number, kind in enumerate(kinds):
            ended.append(one := rotations.one(kind, chance, calls))
            at = {name: value for name, value in one.fault.items() if name not in ("name", "function", "by")}
            told = f"{kind} {at}: met {one.met} times, begun {one.begun} times, {one.seconds:.1f} s"
            print(f"{number:>3} {told}", *one.wrong, flush=True)
    print(f"\nseed {seed}\n{'fault':<50} rotations  met it  begun again    longest  looked at  left  wrong")
    of = defaultdict[str, list[Ended]](list)
    for each in ended:
        of[each.kind].append(each)
    for kind in (kind for kind in KINDS if of[kind]):
        again = sum(each.begun > 1 for each in of[kind])
        longest, checks = max(each.seconds for each in of[kind]), sum(each.checks for each in of[kind])
        left = sum(each.left for each in of[kind])
        wrong, met = sum(bool(each.wrong) for each in of[kind]), sum(each.met > 0 for each in of[kind])
        print(f"{kind:<50} {len(of[kind]):>9} {met:>7} {again:>12} {longest:>8.1f} s {checks:>10} {left:>5} {wrong:>6}")
    return 1 if any(each.wrong for each in ended) else 0


SERVICE = """
Resources:
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties:
      Name: !Sub '/shared-global/database/${AWS::StackName}'
      GenerateSecretString:
        SecretStringTemplate: !Sub '{"username": "${AWS::StackName}"}'
        GenerateStringKey: password
        ExcludePunctuation: true
  User:
    Type: Custom::DatabaseUser
    Properties:
      ServiceToken: !ImportValue 'shared-global-database-user-service-token'
      SecretId: !Ref Secret
      Privileges: []
"""


def _deployed(environ: Mapping[str, str]) -> str:
    """A user in a sandbox with the shared stack, whose rotation function has little time: that function's ARN."""
    awake = {"DeletionProtection": "false", "MinCapacity": "0.5"}  # or it pauses whenever the clock is moved
    cluster = _made(environ, "shared-global-cluster", data.text("cluster.yml"), **awake)
    before, mark, behind = data.text("shared.yml").partition("DatabaseSecretRotation:\n")
    text = before + mark + behind.replace("Timeout: 300", f"Timeout: {_FUNCTION_SECONDS}", 1)
    assert text != data.text("shared.yml")
    names = boto3.client("cloudformation", **_aws(environ)).get_template_summary(TemplateBody=text)["Parameters"]
    given = {name: cluster[name] for name in (each["ParameterKey"] for each in names) if name in cluster}
    outputs = _made(environ, "shared-global", text, **given)
    _made(environ, "app", SERVICE)
    return outputs["DatabaseSecretRotationLambda"]


def _made(environ: Mapping[str, str], name: str, template: str, **parameters: str) -> dict[str, str]:
    cloudformation = boto3.client("cloudformation", **_aws(environ))
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    cloudformation.create_stack(
        StackName=name, TemplateBody=template, Parameters=given, Capabilities=["CAPABILITY_IAM"]
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 300}
    )
    outputs = cloudformation.describe_stacks(StackName=name)["Stacks"][0].get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def _aws(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        "region_name": environ["AWS_REGION"],
        "endpoint_url": environ["AWS_ENDPOINT_URL"],
        "aws_access_key_id": environ["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": environ["AWS_SECRET_ACCESS_KEY"],
    }


def _arguments(words: Sequence[str]) -> tuple[int, int]:
    times, seed = [*map(int, words), *(200, 1)[len(words) :]]
    return times, seed


if __name__ == "__main__":
    sys.exit(main(*_arguments(sys.argv[1:])))
