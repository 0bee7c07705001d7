"""What happens when a schedule fires: its target is called with its role's rights, or a dead letter is left.

One target is run, arn:aws:scheduler:::aws-sdk:rds:modifyDBCluster. Its Input is JSON with the names of AWS's SDK for
Java (DbClusterIdentifier, not DBClusterIdentifier), and nobody reads it before it is needed: a mistake in it shows when
the schedule fires, as on AWS. Sources: "Using universal targets", "Configuring a dead-letter queue", "Set up the
execution role", EventBridge Scheduler User Guide.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError
from botocore.model import Shape, StructureShape
from botocore.validate import ParamValidator

from aurora_sandbox import wire
from aurora_sandbox.clock import shown
from aurora_sandbox.faults import Faults
from aurora_sandbox.iam import Guard
from aurora_sandbox.policies import Need
from aurora_sandbox.scheduler.schedules import Schedule
from aurora_sandbox.wire import Caller, Service, ServiceError

PREFIX = "arn:aws:scheduler:::aws-sdk:"
MODIFY = f"{PREFIX}rds:modifyDBCluster"
RETRIES = 185
_MAX_ERROR = 1024  # characters of a dead letter's ERROR_MESSAGE
_THROTTLED = frozenset({"Throttling", "ThrottlingException"})


@dataclass(frozen=True, slots=True)
class Firing:
    """A schedule that fired, and how: error is empty where its target was called and did what it was asked."""

    at: datetime
    schedule: str
    target: str
    error: str = ""


class Targets:
    """Calls targets. count takes a metric's name and the schedule's group; sqs gives a boto3 client."""

    def __init__(
        self,
        *,
        rds: Service,
        guard: Guard,
        faults: Faults,
        sqs: Callable[[], Any],
        arn: Callable[[Schedule], str],
        count: Callable[[str, str], None],
    ) -> None:
        self._rds, self._guard, self._faults, self._sqs, self._arn, self._count = rds, guard, faults, sqs, arn, count

    def fire(self, schedule: Schedule, at: datetime) -> Firing:
        """Calls the target, again and at once as long as it is throttled or fails inside and the retry policy allows.

        Any other refusal is final. (AWS waits between attempts, for up to the policy's age.)
        """
        target = schedule.target
        retries = target.get("RetryPolicy", {}).get("MaximumRetryAttempts", RETRIES)
        fired = Firing(at, f"{schedule.group}/{schedule.name}", target["Arn"].removeprefix(PREFIX))
        for attempt in range(1 + retries):
            facts = self._facts(schedule, at, attempt + 1)
            self._count("InvocationAttemptCount", schedule.group)
            try:
                self._call(target, _filled(target.get("Input", "{}"), facts), facts)
                return fired
            except ServiceError as error:
                refused = error
            is_throttled = refused.code in _THROTTLED
            self._count("TargetErrorThrottledCount" if is_throttled else "TargetErrorCount", schedule.group)
            if not is_throttled and refused.status < 500:
                break
        self._count("InvocationDroppedCount", schedule.group)
        self._leave_dead_letter(schedule, refused, facts, is_exhausted=attempt == retries and retries > 0)
        return Firing(fired.at, fired.schedule, fired.target, f"{refused.code}: {refused.message}")

    def _facts(self, schedule: Schedule, at: datetime, attempt: int) -> dict[str, str]:
        """What can be asked for in an Input, as <aws.scheduler.…>."""
        return {
            "schedule-arn": self._arn(schedule),
            "scheduled-time": shown(at),
            "execution-id": uuid.uuid4().hex[:16],
            "attempt-number": str(attempt),
        }

    def _call(self, target: Mapping[str, Any], text: str, facts: Mapping[str, str]) -> None:
        if target["Arn"] != MODIFY:
            raise ServiceError("ValidationException", f"There is no API {target['Arn'].removeprefix(PREFIX)}.")
        shape = wire.service_model("rds").operation_model("ModifyDBCluster").input_shape
        assert isinstance(shape, StructureShape)
        parameters = _parameters(shape, text)
        self._guard.check_assumed(target["RoleArn"], _group(facts["schedule-arn"]))
        self._guard.check_role(target["RoleArn"], facts["execution-id"], "rds", "ModifyDBCluster", parameters)
        self._faults.check("rds", "ModifyDBCluster")
        self._rds.handle("ModifyDBCluster", parameters, Caller("scheduler"))

    def _leave_dead_letter(
        self, schedule: Schedule, error: ServiceError, facts: Mapping[str, str], *, is_exhausted: bool
    ) -> None:
        """Leaves the input and what is known of the failure in the dead-letter queue, if there is one."""
        target = schedule.target
        queue_arn = target.get("DeadLetterConfig", {}).get("Arn")
        if not queue_arn:
            return
        known = {
            "ERROR_CODE": error.code,
            "ERROR_MESSAGE": error.message[:_MAX_ERROR],
            "EXECUTION_ID": facts["execution-id"],
            "IS_PAYLOAD_TRUNCATED": "false",
            "RETRY_ATTEMPTS": str(int(facts["attempt-number"]) - 1),
            "SCHEDULED_TIME": facts["scheduled-time"],
            "SCHEDULE_ARN": facts["schedule-arn"],
            "TARGET_ARN": target["Arn"],
        }
        if is_exhausted:
            known["EXHAUSTED_RETRY_CONDITION"] = "MaximumRetryAttempts"
        try:
            need = Need("sqs:SendMessage", queue_arn)
            self._guard.check_needs(target["RoleArn"], facts["execution-id"], (need,))
            url = self._sqs().get_queue_url(QueueName=queue_arn.rpartition(":")[2])["QueueUrl"]
            attributes = {name: {"DataType": "String", "StringValue": value} for name, value in known.items()}
            self._sqs().send_message(QueueUrl=url, MessageBody=target.get("Input", "{}"), MessageAttributes=attributes)
        except (ServiceError, ClientError):
            self._count("InvocationsFailedToBeSentToDeadLetterCount", schedule.group)
        else:
            self._count("InvocationsSentToDeadLetterCount", schedule.group)


def _filled(text: str, facts: Mapping[str, str]) -> str:
    for name, value in facts.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def _parameters(shape: StructureShape, text: str) -> dict[str, Any]:
    """The parameters in an Input. Raises ServiceError for what its operation does not know."""
    try:
        given = json.loads(text)
    except ValueError as error:
        raise ServiceError("ValidationException", f"The input is not JSON: {error}.") from error
    parameters = _renamed(shape, given)
    report = ParamValidator().validate(parameters, shape)
    if report.has_errors():
        raise ServiceError("ValidationException", report.generate_report())
    return dict(parameters)


def _renamed(shape: Shape, value: Any) -> Any:
    """A value with the members' names as the API has them; what is no structure or list is left for the validator."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        members = {java_name(name): name for name in shape.members}
        if unknown := sorted(value.keys() - members.keys()):
            raise ServiceError("ValidationException", f"{shape.name} has no member {', '.join(unknown)}.")
        return {members[name]: _renamed(shape.members[members[name]], inner) for name, inner in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [_renamed(shape.member, inner) for inner in value]
    return value


def java_name(name: str) -> str:
    """A member's name in AWS's SDK for Java 2, where abbreviations are words: DBCluster is DbCluster.

    Source: splitOnWordBoundaries in that SDK's code generator.
    """
    apart = re.sub(r"([^A-Z]{2,})V([0-9]+)", r"\1 V\2 ", name)
    apart = re.sub(r"([a-z])([A-Z])", r"\1 \2", apart)
    apart = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1 \2", apart)
    apart = re.sub(r"([0-9])([a-zA-Z])", r"\1 \2", apart)
    return "".join(word.capitalize() for word in apart.split())


def _group(schedule_arn: str) -> str:
    """The ARN of a schedule's group, which is what a role's trust policy may ask for as aws:SourceArn."""
    prefix, _, name = schedule_arn.partition(":schedule/")
    return f"{prefix}:schedule-group/{name.partition('/')[0]}"
