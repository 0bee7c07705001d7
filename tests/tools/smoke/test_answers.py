"""What nobody should read is taken out of answers, and the file has them after each probe."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tools.smoke.answers import HIDDEN, Answers, UnusableAnswers, load, redacted


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


def test_ordinary_answers_stay_as_they_are():
    raw = {"sql": "GRANT SELECT ON a.* TO b", "message": "…; Error code: 1064; SQLState: 42000", "NextToken_seconds": 3}
    assert redacted(raw, {"", "s3cret"}) == raw


def test_the_file_holds_each_answer_as_soon_as_it_is_there_and_nobody_else_reads_it(tmp_path: Path):
    path = tmp_path / "answers.json"
    answers = Answers(path, {"name": "smoke-1a2b3c4d"}, secrets={"s3cret"})
    assert answers.record("first", {"answer": "s3cret"}) == {"answer": HIDDEN}
    assert load(path)["answers"] == {"first": {"answer": HIDDEN}}
    answers.secrets.add("another")
    answers.record("second", {"failed": "it was another"})
    assert load(path)["answers"]["second"] == {"failed": f"it was {HIDDEN}"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["answers.json"]


def test_the_account_is_left_out_on_request(tmp_path: Path):
    path = tmp_path / "answers.json"
    facts = {"account": "123456789012"}
    Answers(path, facts, secrets=set(), hides_account=True).record("a", {"answer": "arn:aws:iam::123456789012:role/r"})
    assert "123456789012" not in path.read_text()
    Answers(path, facts, secrets=set()).record("a", {"answer": "arn:aws:iam::123456789012:role/r"})
    assert load(path)["account"] == "123456789012"


@pytest.mark.parametrize("text", ["", "[]", '{"answers": []}', json.dumps({"version": 9, "answers": {}})])
def test_a_file_without_answers_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "answers.json"
    path.write_text(text)
    with pytest.raises(UnusableAnswers):
        load(path)
