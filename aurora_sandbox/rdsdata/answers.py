"""What AWS does not document of the Data API's answers, or gives only now and then: each as a switch.

    answers.set(error_numbers="none", base64=True, reversed_keys=True)
    raise answers.early(arn, "503")

By default an answer is as the documentation and other clients' code have it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from aurora_sandbox.wire import Broken, ServiceError

Numbers = Literal["state", "ending", "sqlx", "client", "postgres", "none"]
NUMBERS: tuple[Numbers, ...] = get_args(Numbers)

_ENDPOINT_OFF = "HttpEndpoint is not enabled for resource {arn}"
# What a new cluster, a busy one, or something on the way to it answers; it passes. Two of them are no answers of the
# Data API at all. Sources: botocore's model of rds-data for the codes, reports of other clients' users for the texts.
_EARLY: dict[str, tuple[str, str, int]] = {
    "HttpEndpointNotEnabledException": ("HttpEndpointNotEnabledException", _ENDPOINT_OFF, 400),
    "BadRequestException": ("BadRequestException", _ENDPOINT_OFF, 400),
    "DatabaseNotFoundException": ("DatabaseNotFoundException", "Database instance of {arn} is not found", 404),
    "InvalidResourceStateException": ("InvalidResourceStateException", "DB cluster {arn} is in state creating", 400),
    "SecretsErrorException": ("SecretsErrorException", "Secrets Manager can't find the specified secret.", 400),
    "1040": ("DatabaseErrorException", "", 400),
    "500": ("", "", 500),
    "503": ("", "", 503),
}


@dataclass
class Answers:
    """error_numbers: how a message of MySQL's holds its number. base64: text columns with the BINARY flag (those of a
    `_bin` collation) come as bytes. reversed_keys: the keys of a JSON record are not in the order of the columns.
    """

    error_numbers: Numbers = "state"
    base64: bool = False
    reversed_keys: bool = False

    def set(self, *, error_numbers: str = "state", base64: bool = False, reversed_keys: bool = False) -> None:
        """Raises ValueError for a form of numbers that there is not."""
        if error_numbers not in NUMBERS:
            raise ValueError(f"error_numbers is one of {', '.join(NUMBERS)}")
        self.error_numbers, self.base64, self.reversed_keys = error_numbers, base64, reversed_keys

    def early(self, arn: str, name: str) -> ServiceError | Broken:
        """One of the answers in `EARLY` to a call to this cluster."""
        code, text, status = _EARLY[name]
        if not code:
            return Broken(status)
        said = text.format(arn=arn) or self.text("Too many connections", 1040, "08004")
        return ServiceError(code, said, status=status)

    def text(self, message: str, number: int, state: str) -> str:
        """The text of an error of MySQL's."""
        return {
            "state": f"{message}; Error code: {number}; SQLState: {state}",
            "ending": f"{message} ({number})",
            "sqlx": f"{number} ({state}): {message}",
            "postgres": f"ERROR: {message}; SQLState: {state}",
            "client": f"ERROR {number} ({state}): {message}",
            "none": message,
        }[self.error_numbers]
