"""botocore's session for a region and a profile: what boto3 makes its clients by, without boto3's own resources and
transfers, which nothing here uses and which take a sixth of the time until there is a client.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, DataNotFoundError
from botocore.loaders import Loader
from botocore.session import Session


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
    return session


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
