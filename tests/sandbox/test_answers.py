"""What answers of the Data API may look like besides what is documented, each by its switch."""

from __future__ import annotations

import pytest

from aurora_sandbox.rdsdata.answers import Answers
from aurora_sandbox.unserved import EARLY
from aurora_sandbox.wire import Broken, ServiceError

ARN = "arn:aws:rds:eu-west-1:123456789012:cluster:shop"


@pytest.mark.parametrize("name", EARLY)
def test_an_early_answer_is_a_refusal_with_a_sentence_or_none_of_the_data_api(name: str):
    early = Answers().early(ARN, name)
    if isinstance(early, ServiceError):
        assert (early.code, bool(early.message)) == ("DatabaseErrorException" if name == "1040" else name, True)
    else:
        assert (isinstance(early, Broken), str(early.status)) == (True, name)


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
