"""What nobody should read is taken out of answers, and the file has them after each probe."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tools.smoke.answers import HIDDEN, Answers, UnusableAnswers, load, redacted

FACTS = {"name": "smoke-1a2b3c4d", "account": "123456789012", "region": "eu-west-1"}


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("CREATE USER u IDENTIFIED BY 'abc'", "'abc'"),
        ("CREATE USER u IDENTIFIED WITH 'p' AS '$A$005$abc'", "'$A$005$abc'"),
        ("ALTER USER u IDENTIFIED WITH p BY 'abc' RETAIN CURRENT PASSWORD", "'abc'"),
        ('{"username": "u", "password": "abc"}', '"abc"'),
        ("host:3306/?X-Amz-Credential=AKIA123&X-Amz-Signature=0a1b", "0a1b"),
        ("host:3306/?X-Amz-Security-Token=abc%2F&x=1", "abc%2F"),
        ("key AKIAIOSFODNN7EXAMPLE here", "AKIAIOSFODNN7EXAMPLE"),
        ("*6BB4837EB74329105EE4568DDA7DC67ED2CA2AD9", "6BB4837EB7"),
        (json.dumps({"b": json.dumps({"password": "abc", "c": 1})}), "abc"),
        (json.dumps({"b": json.dumps({"password": 'ab"cde', "c": 1})}), "cde"),
        (json.dumps({"a": json.dumps({"b": json.dumps({"SecretString": "abc"})})}), "abc"),
        ("the parameters are {'password': 'abc'}", "abc"),
        ("mysql://u?password=abc&x=1", "abc"),
        ("db_password='abc'", "abc"),
        ('CREATE USER u IDENTIFIED BY "abc"', "abc"),
        ("CREATE USER u IDENTIFIED BY 'ab''cde'", "cde"),
        ("CREATE USER u IDENTIFIED WITH 'p' BY 'abc' REPLACE 'cde'", "cde"),
        ("CREATE USER u IDENTIFIED WITH 'p'  BY  'abc'", "abc"),
        ("SET PASSWORD = 'abc'", "abc"),
        ("SET PASSWORD FOR 'u'@'%' = 'abc' RETAIN CURRENT PASSWORD", "abc"),
        ("CREATE USER u IDENTIFIED WITH 'caching_sha2_password' AS 0x24412430303524A1", "24A1"),
        ("AS 0x2441243030352441A2B3C4D5E6F7A8B9C0", "B3C4D5"),
        ("https://b.s3.amazonaws.com/k?AWSAccessKeyId=abc&Signature=cde%3D&Expires=1", "cde"),
        ("AWS4-HMAC-SHA256 Credential=abc/20260101/eu/rds, SignedHeaders=host, Signature=0a1b2c", "0a1b2c"),
        ("AWS4-HMAC-SHA256 Credential=abc/20260101/eu/rds, SignedHeaders=host, Signature=0a1b2c", "abc/"),
        ("Authorization: Bearer abc.cde", "abc"),
        ("the token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdef is", "abcdef"),
        ("access_token=abc", "abc"),
        ('{"refresh_token": "abc"}', "abc"),
        ("User: arn:aws:sts::123456789012:assumed-role/Admin/anna@example.org is not authorized", "anna@example.org"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, hidden: str):
    shown = redacted({"message": text}, set())["message"]
    assert hidden not in shown
    assert HIDDEN in shown


def test_what_is_known_to_be_secret_is_hidden_wherever_it_stands():
    raw = {"a": ["x s3cret y", {"b": ("s3cret",)}], "c": 1, "d": None, "e": True}
    assert redacted(raw, {"s3cret"}) == {"a": [f"x {HIDDEN} y", {"b": [HIDDEN]}], "c": 1, "d": None, "e": True}


@pytest.mark.parametrize(
    "key", ["Password", "SecretString", "SessionToken", "SecretAccessKey", "authentication_string", "token"]
)
def test_what_stands_under_the_name_of_a_secret_is_hidden(key: str):
    assert redacted({key: "abc"}, set()) == {key: HIDDEN}


def test_everything_under_the_name_of_a_secret_is_hidden():
    raw = {
        "Passwords": ["abc", {"old": "cde", "n": 12}],
        "Credentials": {"Expiration": "x", "is_set": True, "no": None},
    }
    shown = {"Passwords": [HIDDEN, {"old": HIDDEN, "n": HIDDEN}]}
    assert redacted(raw, set()) == shown | {"Credentials": {"Expiration": HIDDEN, "is_set": True, "no": None}}


def test_what_is_known_to_be_secret_is_hidden_in_other_forms_too():
    known = {'a"b/c'}
    assert redacted({"text": json.dumps({"x": 'a"b/c'}), "url": "?x=a%22b%2Fc", 'a"b/c': 1}, known) == {
        "text": json.dumps({"x": HIDDEN}),
        "url": f"?x={HIDDEN}",
        HIDDEN: 1,
    }


@pytest.mark.parametrize(
    "text",
    [
        "Access denied for user 'u'@'h' (using password: YES)",
        "CREATE USER u IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL",
        "CREATE USER u ACCOUNT LOCK PASSWORD EXPIRE",
        "ALTER USER u DISCARD OLD PASSWORD",
        "SELECT 'a:b' AS a, '::1' AS b",
        "arn:aws:iam::123456789012:role/Admin",
    ],
)
def test_what_only_speaks_of_secrets_stays(text: str):
    assert redacted(text, set()) == text


def test_ordinary_answers_stay_as_they_are():
    raw = {"sql": "GRANT SELECT ON a.* TO b", "message": "…; Error code: 1064; SQLState: 42000", "NextToken_seconds": 3}
    assert redacted(raw, {"", "s3cret"}) == raw


def test_the_file_holds_each_answer_as_soon_as_it_is_there_and_nobody_else_reads_it(tmp_path: Path):
    path = tmp_path / "answers.json"
    answers = Answers(path, FACTS, secrets={"s3cret"})
    assert answers.record("first", {"answer": "s3cret"}) == {"answer": HIDDEN}
    assert load(path)["answers"] == {"first": {"answer": HIDDEN}}
    answers.secrets.add("another")
    answers.record("second", {"failed": "it was another"})
    assert load(path)["answers"]["second"] == {"failed": f"it was {HIDDEN}"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["answers.json"]


def test_the_account_is_left_out_on_request(tmp_path: Path):
    path = tmp_path / "answers.json"
    facts = FACTS
    Answers(path, facts, secrets=set(), hides_account=True).record("a", {"answer": "arn:aws:iam::123456789012:role/r"})
    assert "123456789012" not in path.read_text()
    raw = {"n": 1234567890123, "f": 0.123456789012, "of 123456789012": ["123456789012"]}
    answers = Answers(path, facts, secrets=set(), hides_account=True)
    kept = {"n": 1234567890123, "f": 0.123456789012, "of 000000000000": ["000000000000"]}
    assert answers.record("b", {"answer": raw}) == {"answer": kept}
    Answers(path, facts, secrets=set()).record("a", {"answer": "arn:aws:iam::123456789012:role/r"})
    assert load(path)["account"] == "123456789012"


USABLE = {"version": 1, "name": "smoke-1a2b3c4d", "account": "123456789012", "region": "eu-west-1", "answers": {}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("[]", "holds no answers"),
        ('{"answers": []}', "holds no answers"),
        (json.dumps(USABLE | {"version": 9}), "version 9"),
        (json.dumps({key: it for key, it in USABLE.items() if key != "region"}), "does not say the region"),
        (json.dumps(USABLE | {"region": 5}), "does not say the region"),
        (json.dumps(USABLE | {"region": "nowhere at all"}), "nowhere at all for a region"),
        (json.dumps(USABLE | {"name": None}), "does not say the name"),
        (json.dumps(USABLE | {"answers": {"error-text": []}}), "error-text has neither an answer nor why"),
        (json.dumps(USABLE | {"answers": {"error-text": {}}}), "error-text has neither an answer nor why"),
    ],
)
def test_a_file_without_answers_is_refused(tmp_path: Path, text: str, said: str):
    path = tmp_path / "answers.json"
    path.write_text(text)
    with pytest.raises(UnusableAnswers, match=said):
        load(path)


def test_a_file_with_answers_is_read(tmp_path: Path):
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(USABLE))
    assert load(path) == USABLE
