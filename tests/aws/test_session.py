"""That a session finds what boto3's finds, with less."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ProfileNotFound, UnknownServiceError
from botocore.loaders import Loader
from botocore.session import Session
from botocore.utils import parse_timestamp
from hypothesis import given
from hypothesis import strategies as st

from aurora_tenants.aws.session import needs_nobody, session_of, time_of

TYPES = ("service-2", "endpoint-rule-set-1", "paginators-1", "waiters-2", "nothing-1")


@pytest.fixture(autouse=True)
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_DATA_PATH"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    config, credentials = tmp_path / "config", tmp_path / "credentials"
    config.write_text(
        "[default]\nregion = eu-west-1\n"
        "[profile other]\nregion = eu-west-2\n"
        "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/it\nsource_profile = other\nregion = eu-north-1\n"
        "[profile bare]\n"
    )
    credentials.write_text(
        "[default]\naws_access_key_id = DEFAULT\naws_secret_access_key = x\n"
        "[other]\naws_access_key_id = OTHER\naws_secret_access_key = x\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def found(session: Any) -> tuple[object, ...]:
    """What decides where calls go, and as whom."""
    try:
        credentials = session.get_credentials()
        who = credentials and (credentials.method, type(credentials).__name__)
        key = credentials.access_key if who and credentials.method != "assume-role" else None
        return who, key, session.get_config_variable("region"), session.profile
    except ProfileNotFound as error:
        return type(error), str(error)


@pytest.mark.parametrize("profile", [None, "default", "other", "role", "bare", "nobody"])
@pytest.mark.parametrize("region", [None, "us-east-1"])
@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"AWS_PROFILE": "other"},
        {"AWS_DEFAULT_PROFILE": "other"},
        {"AWS_PROFILE": "nobody"},
        {"AWS_DEFAULT_REGION": "ap-south-1"},
        {"AWS_ACCESS_KEY_ID": "FROMENV", "AWS_SECRET_ACCESS_KEY": "x", "AWS_PROFILE": "role"},
    ],
    ids=str,
)
def test_profile_region_and_credentials_are_those_of_boto3(
    profile: str | None, region: str | None, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    try:
        session: Any = boto3.Session(profile_name=profile, region_name=region)._session
    except ProfileNotFound as error:
        with pytest.raises(ProfileNotFound, match=re.escape(str(error))):
            session_of(profile=profile, region=region).create_client("cloudformation")
        return
    assert found(session_of(profile=profile, region=region)) == found(session)


def loaders() -> tuple[Any, Any]:
    return session_of(region=None, profile=None).get_component("data_loader"), Session().get_component("data_loader")


@pytest.mark.parametrize("type_name", TYPES)
def test_services_are_those_that_botocore_lists(type_name: str):
    ours, usual = loaders()
    listed = usual.list_available_services(type_name)
    known = {*Loader().list_available_services("service-2"), "nothing"}
    named = ours.list_available_services(type_name)
    assert {name for name in known if name in named} == {name for name in known if name in listed}
    assert list(named) == listed


@pytest.mark.parametrize("service", ["cloudformation", "rds-data", "secretsmanager", "rds", "s3"])
def test_descriptions_of_services_are_botocores(service: str):
    ours, usual = loaders()
    for type_name in TYPES[:3]:
        assert ours.load_service_model(service, type_name) == usual.load_service_model(service, type_name)


def test_a_service_that_there_is_not_is_refused_as_botocore_does():
    said = []
    for loader in loaders():
        with pytest.raises(UnknownServiceError) as refused:
            loader.load_service_model("nothing", "service-2")
        said.append(str(refused.value))
    assert said[0] == said[1]


def test_descriptions_of_the_users_own_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """AWS_DATA_PATH is for services that botocore does not have, or has otherwise."""
    place = tmp_path / "models" / "mine" / "2020-01-01"
    place.mkdir(parents=True)
    (place / "service-2.json").write_text(json.dumps({"metadata": {}}))
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path / "models"))
    for loader in loaders():
        assert loader.load_service_model("mine", "service-2") == {"metadata": {}}


TIMES = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2099, 1, 1))


@given(TIMES, st.integers(0, 6))
def test_a_time_in_xml_is_botocores(time: datetime, digits: int):
    text = f"{time:%Y-%m-%dT%H:%M:%S}" + (f".{time.microsecond:06}"[: digits + 1] if digits else "") + "Z"
    assert time_of(text) == parse_timestamp(text)
    assert time_of(text).utcoffset() == timedelta(0)


@given(st.one_of(st.integers(-(10**9), 4 * 10**9), st.floats(-1e9, 4e9)))
def test_a_time_in_json_is_botocores(seconds: float):
    ours, theirs = time_of(seconds), parse_timestamp(seconds)
    assert (ours, ours.utcoffset(), f"{ours}") == (theirs, theirs.utcoffset(), f"{theirs}")


@pytest.mark.parametrize("value", ["Wed, 02 Oct 2002 13:00:00 GMT", "2026-11-28T04:05:06+01:00", "1700000000", 1e11])
def test_any_other_time_is_left_to_botocore(value: Any):
    assert time_of(value) == parse_timestamp(value)


@pytest.mark.parametrize("value", ["2026-13-28T04:05:06Z", "soon"])
def test_what_is_no_time_is_refused(value: str):
    with pytest.raises(ValueError):
        time_of(value)


ASKING = """\
[default]
aws_access_key_id = AKIA
aws_secret_access_key = secret
[profile plain]
role_arn = arn:aws:iam::123456789012:role/reader
source_profile = default
[profile code]
role_arn = arn:aws:iam::123456789012:role/reader
source_profile = default
mfa_serial = arn:aws:iam::123456789012:mfa/me
[profile behind]
role_arn = arn:aws:iam::123456789012:role/writer
source_profile = code
[profile program]
credential_process = vault
[profile circle]
source_profile = circle
"""


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        *((None, True), ("default", True), ("plain", True), ("circle", True)),
        *(("code", False), ("behind", False), ("program", False), ("nobodys", False)),
    ],
)
def test_who_asks_for_a_code_is_not_asked_before_the_file_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str | None, expected: bool
):
    """A question in the middle of what is wrong with a file is answered by nobody."""
    path = tmp_path / "asking"
    path.write_text(ASKING)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    assert needs_nobody(profile) is expected
    monkeypatch.setenv("AWS_PROFILE", profile or "default")
    assert needs_nobody(None) is expected
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")  # goes before a profile that only the environment names
    assert needs_nobody(None)
