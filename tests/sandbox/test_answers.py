"""What answers of the Data API may look like besides what is documented, each by its switch."""

from __future__ import annotations

import pytest

from aurora_sandbox.faults import Turns
from aurora_sandbox.rdsdata.answers import EARLY, Answers
from aurora_sandbox.wire import Broken, ServiceError


def turns(first: int, every: int, calls: int) -> list[int]:
    counted = Turns(first, every)
    return [call for call in range(1, calls + 1) if counted.comes()]


@pytest.mark.parametrize(
    ("first", "every", "expected"),
    [(1, 0, [1]), (3, 0, [3]), (1, 1, [1, 2, 3, 4, 5, 6, 7, 8, 9]), (2, 3, [2, 5, 8]), (0, 0, []), (0, 2, [])],
)
def test_turns_are_the_first_and_then_each_so_many(first: int, every: int, expected: list[int]):
    assert turns(first, every, 9) == expected


def refused(answers: Answers) -> str:
    """The code of the error, the status of a broken answer, or nothing."""
    try:
        answers.check("arn:aws:rds:eu-west-1:123456789012:cluster:shop")
    except ServiceError as error:
        assert error.message
        return error.code
    except Broken as broken:
        return str(broken.status)
    return ""


def test_early_answers_come_one_after_the_other_or_one_of_them_alone():
    answers = Answers()
    assert refused(answers) == ""
    answers.be_early(Turns(1, 1))
    codes = [code if code != "1040" else "DatabaseErrorException" for code in EARLY]
    assert [refused(answers) for _ in range(9)] == [*codes, codes[0]]
    answers.be_early(Turns(2, 0), "InvalidResourceStateException")
    assert [refused(answers) for _ in range(4)] == ["", "InvalidResourceStateException", "", ""]
    with pytest.raises(ValueError, match=r"^answer is one of HttpEndpointNotEnabledException, "):
        answers.be_early(Turns(1), "Nonsense")


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("state", "Plugin 'x' is not loaded; Error code: 1524; SQLState: HY000"),
        ("ending", "Plugin 'x' is not loaded (1524)"),
        ("sqlx", "1524 (HY000): Plugin 'x' is not loaded"),
        ("client", "ERROR 1524 (HY000): Plugin 'x' is not loaded"),
        ("postgres", "ERROR: Plugin 'x' is not loaded; SQLState: HY000"),
        ("none", "Plugin 'x' is not loaded"),
    ],
)
def test_a_number_is_told_in_one_form_or_not_at_all(form: str, text: str):
    answers = Answers()
    answers.set(error_numbers=form)
    assert answers.text("Plugin 'x' is not loaded", 1524, "HY000") == text


def test_forms_that_there_are_not_are_refused():
    with pytest.raises(ValueError, match=r"^error_numbers is one of state, ending, sqlx, client, postgres, none$"):
        Answers().set(error_numbers="latin")
