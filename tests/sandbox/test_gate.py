"""Who is let in, by what a request says before its body; and keys, which are not to be guessed or shown."""

from __future__ import annotations

import time

import pytest

from aurora_sandbox.gate import Gate, Signature, signature
from aurora_sandbox.keys import AccessKey, Sessions, key_in, new_key
from aurora_sandbox.wire import Request

SCOPE = "AKIA/20261123/eu-west-1/rds-data/aws4_request"
HEADER = f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature=00"
KEY = new_key()


def request(target: str = "/", method: str = "GET", **headers: str) -> Request:
    return Request(method, target, {"host": "127.0.0.1:4000", **headers}, b"")


def test_a_signature_says_who_calls_which_service():
    assert signature(request(authorization=HEADER)) == Signature("AKIA", "eu-west-1", "rds-data")


def test_the_signature_of_a_presigned_url_is_in_its_query():
    target = f"/bucket/key?X-Amz-Credential={SCOPE.replace('/', '%2F')}&X-Amz-Signature=00"
    assert signature(request(target)) == Signature("AKIA", "eu-west-1", "rds-data")


@pytest.mark.parametrize("value", ["", "Basic eDp5", "Credential=a/b", "AWS AKIA:c2lnbmF0dXJl", HEADER[5:]])
def test_a_request_may_be_unsigned(value: str):
    assert signature(request(authorization=value)) is None
    assert signature(request(f"/?X-Amz-Credential={value}")) is None


def test_a_function_is_let_in_to_aws_alone():
    gate = Gate(KEY, port=4000, is_function=lambda key_id: key_id == "AKIA", sessions=Sessions())
    assert gate.refusal(request(authorization=HEADER)) is None
    refused = gate.refusal(request("/_sandbox/status", authorization=HEADER))
    assert refused is not None
    assert refused.status == 403


def test_a_header_that_is_no_ascii_is_only_a_wrong_one():
    gate = Gate(KEY, port=4000, is_function=lambda _: False, sessions=Sessions())
    for target in ("/", "/_sandbox/status"):
        refused = gate.refusal(request(target, authorization=HEADER.replace("AKIA", "AKIÄ\udce4")))
        assert refused is not None
        assert refused.status == 403


@pytest.mark.parametrize("piece", ["Credential=", "AWS4-HMAC-SHA256 Credential=", "a/20261123/"])
def test_a_long_header_is_refused_as_fast_as_a_short_one(piece: str):
    """Or a stranger stops the sandbox for seconds with each request."""
    gate = Gate(KEY, port=4000, is_function=lambda _: False, sessions=Sessions())
    long = request(authorization="AWS4-HMAC-SHA256 Credential=" + piece * (65_000 // len(piece)))
    began = time.perf_counter()
    for _ in range(100):
        assert gate.refusal(long) is not None
    assert time.perf_counter() - began < 1, "it would be 290 s, were each piece looked at"


def test_keys_are_new_each_time_and_long():
    keys = {new_key() for _ in range(100)}
    assert len({key.id for key in keys} | {key.secret for key in keys}) == 200
    assert min(len(key.id.removeprefix("AKIASANDBOX")) * 5 for key in keys) >= 128  # five bits a letter
    assert min(len(key.secret) * 6 for key in keys) >= 128


def test_a_key_is_not_shown_where_a_value_is_printed():
    assert repr(KEY) == "AccessKey()"


def test_a_key_of_aws_is_not_taken_for_a_sandboxs():
    """Or it would be shown to whatever listens at AWS_ENDPOINT_URL."""
    assert key_in({"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}) is None
    assert key_in({}) is None
    assert key_in({"AWS_ACCESS_KEY_ID": KEY.id, "AWS_SECRET_ACCESS_KEY": KEY.secret}) == KEY


def test_a_key_is_right_as_a_whole():
    assert KEY.has_id(KEY.id)
    assert not KEY.has_id(KEY.id[:-1])
    assert not KEY.has_id("")
    assert KEY.is_basic(KEY.basic)
    assert not KEY.is_basic(AccessKey(KEY.id, "").basic)
