"""botocore's session for a region and a profile: what boto3 makes its clients by, without boto3's own resources and
transfers, which nothing here uses and which take a sixth of the time until there is a client.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, DataNotFoundError
from botocore.loaders import Loader
from botocore.session import Session
from botocore.utils import parse_timestamp

# As AWS writes times in XML.
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")


def session_of(*, region: str | None, profile: str | None) -> Any:
    """As boto3.Session has it: without them, those of the environment and the AWS configuration."""
    session = Session()
    if profile is not None:
        session.set_config_variable("profile", profile)
    if region is not None:
        session.set_config_variable("region", region)
    usual = session.get_component("data_loader")
    paths = list(usual.search_paths)
    session.register_component("data_loader", _Models(extra_search_paths=paths, include_default_search_paths=False))
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=time_of)
    return session


def time_of(value: Any) -> datetime:
    """What botocore makes of a time in an answer, in a tenth of its time: the times of a thousand stacks and of their
    secrets take dateutil as long as all else of these answers.
    """
    if type(value) is str and _ISO.fullmatch(value):
        return datetime.fromisoformat(value)
    if type(value) in (int, float) and abs(value) < 1e11:
        return datetime.fromtimestamp(value, UTC).astimezone()
    found: datetime = parse_timestamp(value)
    return found


# What asks people for something, or runs a program that may, when credentials are needed.
_ASKS = frozenset({"mfa_serial", "credential_process"})


def needs_nobody(profile: str | None) -> bool:
    """Whether nobody is asked for anything, such as the code of a device, to get credentials; False if not known."""
    if profile is None and os.environ.get("AWS_ACCESS_KEY_ID"):
        return True
    try:
        session = session_of(region=None, profile=profile)
        profiles = session.full_config.get("profiles", {})
        name, seen = session.get_config_variable("profile") or "default", set[str]()
    except BotoCoreError:
        return False
    while name and name not in seen:
        section = profiles.get(name, {})
        if _ASKS & section.keys():
            return False
        seen.add(name)
        name = section.get("source_profile", "")
    return True


class _Models(Loader):  # type: ignore[misc]  # botocore has no types
    """botocore's descriptions of services. It looks into the directories of all 400 to know whether there is one."""

    def list_available_services(self, type_name: str) -> Any:
        return _Services(self, type_name)


class _Services:
    """The services that have a description of a type, each looked for when it is asked for."""

    def __init__(self, loader: Loader, type_name: str) -> None:
        self._loader, self._type_name = loader, type_name

    def __contains__(self, name: str) -> bool:
        try:
            self._loader.list_api_versions(name, self._type_name)
        except DataNotFoundError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(Loader.list_available_services(self._loader, self._type_name))
