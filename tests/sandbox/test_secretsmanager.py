"""The sandbox's Secrets Manager keeps AWS's rules on versions, labels, deletion and rotation."""

from __future__ import annotations

import string
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_sandbox.clock import Clock
from aurora_sandbox.secretsmanager.rotation import STEPS, Outcome
from aurora_sandbox.secretsmanager.service import SecretsManager
from aurora_sandbox.wire import Caller, ServiceError
from tests.compared import compared

CALLER = Caller("AKIATEST")
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:rotation"
FIRST, SECOND, THIRD = ("1" * 32, "2" * 32, "3" * 32)


class Account:
    """A Secrets Manager, and a rotation function that makes `new-<token>` unless told to fail at a step."""

    def __init__(self, **options: Any) -> None:
        self.events: list[dict[str, str]] = []
        self.fail_at: str | None = None
        self.manager = SecretsManager(account="123456789012", region="eu-west-1", invoke=self.rotate, **options)

    def __call__(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return compared(self.manager, operation, parameters, CALLER)

    def rotate(self, function_arn: str, event: dict[str, str]) -> None:
        assert function_arn == FUNCTION
        self.events.append(event)
        if event["Step"] == self.fail_at:
            raise RuntimeError(f"{event['Step']} failed")
        secret_id, token = event["SecretId"], event["ClientRequestToken"]
        if event["Step"] == "createSecret":
            value = f"new-{token}"
            self("PutSecretValue", SecretId=secret_id, ClientRequestToken=token, SecretString=value,
                 VersionStages=["AWSPENDING"])  # fmt: skip
        if event["Step"] == "testSecret":
            self("GetSecretValue", SecretId=secret_id, VersionId=token, VersionStage="AWSPENDING")
        if event["Step"] == "finishSecret":
            current = self("GetSecretValue", SecretId=secret_id)["VersionId"]
            self("UpdateSecretVersionStage", SecretId=secret_id, VersionStage="AWSCURRENT", MoveToVersionId=token,
                 RemoveFromVersionId=current)  # fmt: skip

    def steps(self) -> list[str]:
        return [event["Step"] for event in self.events]


@pytest.fixture
def account() -> Account:
    account = Account()
    account("CreateSecret", Name="app", SecretString="one", ClientRequestToken=FIRST)
    return account


def error(call: Callable[..., object], *arguments: object, **parameters: object) -> tuple[str, str]:
    with pytest.raises(ServiceError) as raised:
        call(*arguments, **parameters)
    return raised.value.code, raised.value.message


# Finding


def test_a_secret_is_found_by_its_name_its_arn_and_its_arn_without_the_suffix(account: Account) -> None:
    arn = account("DescribeSecret", SecretId="app")["ARN"]
    found = {account("GetSecretValue", SecretId=secret_id)["SecretString"] for secret_id in ("app", arn, arn[:-7])}
    assert arn.startswith("arn:aws:secretsmanager:eu-west-1:123456789012:secret:app-")
    assert found == {"one"}


def test_an_unknown_secret_is_refused_with_the_sentence_of_aws(account: Account) -> None:
    expected = ("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
    assert error(account, "GetSecretValue", SecretId="ap") == expected


def test_a_name_with_a_blank_is_refused(account: Account) -> None:
    code, message = error(account, "CreateSecret", Name="my app")
    assert (code, message.partition(".")[0]) == ("ValidationException", "Invalid name")


@pytest.mark.parametrize(
    ("operation", "named"),
    [
        ("CreateSecret", {"Name": "both"}),
        ("UpdateSecret", {"SecretId": "app"}),
        ("PutSecretValue", {"SecretId": "app"}),
    ],
)
def test_a_secret_has_one_value(account: Account, operation: str, named: dict[str, str]) -> None:
    expected = "You can't specify both a binary secret value and a string secret value in the same secret."
    said = error(account, operation, **named, SecretString="two", SecretBinary=b"two")
    assert said == ("InvalidParameterException", expected)
    assert account("GetSecretValue", SecretId="app")["SecretString"] == "one"


def test_a_name_can_be_taken_once(account: Account) -> None:
    expected = ("ResourceExistsException", "The operation failed because the secret app already exists.")
    assert error(account, "CreateSecret", Name="app", SecretString="two", ClientRequestToken=SECOND) == expected


def test_lists_filter_by_name_prefix_and_come_in_pages(account: Account) -> None:
    for number in range(3):
        account("CreateSecret", Name=f"shop-{number}", SecretString="x")
    filters = [{"Key": "name", "Values": ["shop-"]}]
    first = account("ListSecrets", Filters=filters, MaxResults=2, SortOrder="asc")
    rest = account("ListSecrets", Filters=filters, MaxResults=2, SortOrder="asc", NextToken=first["NextToken"])
    names = [entry["Name"] for entry in first["SecretList"] + rest["SecretList"]]
    assert (names, "NextToken" in rest) == (["shop-0", "shop-1", "shop-2"], False)


def test_lists_come_in_the_order_that_is_asked_for() -> None:
    clock = Clock()
    account = Account(now=clock.now)
    for name in ("beta", "alpha", "gamma"):
        account("CreateSecret", Name=name, SecretString="x")
        clock.move(clock.now() + timedelta(days=1))
    account("TagResource", SecretId="alpha", Tags=[{"Key": "a", "Value": "b"}])
    account("GetSecretValue", SecretId="gamma")

    def names(**order: str) -> list[str]:
        return [entry["Name"] for entry in account("ListSecrets", **order)["SecretList"]]

    assert names() == names(SortOrder="desc") == names(SortBy="created-date") == ["gamma", "alpha", "beta"]
    assert names(SortOrder="asc") == ["beta", "alpha", "gamma"]
    assert names(SortBy="name", SortOrder="asc") == ["alpha", "beta", "gamma"]
    assert names(SortBy="last-changed-date") == ["alpha", "gamma", "beta"]
    assert names(SortBy="last-accessed-date")[0] == "gamma"


@pytest.mark.parametrize(
    "order", [{"SortOrder": "asc"}, {}, {"SortBy": "name"}, {"SortBy": "name", "SortOrder": "asc"}]
)
def test_a_page_begins_where_the_one_before_has_ended_whatever_happens_meanwhile(order: dict[str, str]) -> None:
    account = Account()
    for number in range(1, 8):
        account("CreateSecret", Name=f"s{number}", SecretString="x")
    first = account("ListSecrets", MaxResults=3, **order)
    shown = [entry["Name"] for entry in first["SecretList"]]
    account("DeleteSecret", SecretId=shown[0], ForceDeleteWithoutRecovery=True)
    account("DeleteSecret", SecretId=shown[2], ForceDeleteWithoutRecovery=True)
    rest = account("ListSecrets", MaxResults=4, NextToken=first["NextToken"], **order)
    expected = [f"s{number}" for number in range(1, 8)][:: 1 if "SortOrder" in order else -1]
    assert shown + [entry["Name"] for entry in rest["SecretList"]] == expected
    assert "NextToken" not in rest


def test_a_token_is_for_lists_in_its_own_order(account: Account) -> None:
    account("CreateSecret", Name="other", SecretString="x")
    token = account("ListSecrets", MaxResults=1, SortOrder="asc")["NextToken"]
    refused = ("InvalidNextTokenException", "The NextToken value is invalid.")
    assert error(account, "ListSecrets", MaxResults=1, SortOrder="desc", NextToken=token) == refused
    for none in ("2", "bm9uZQ==", "é", "W10=", "e30="):
        assert error(account, "ListSecrets", NextToken=none) == refused


def test_a_filter_that_is_not_imitated_is_told_of_even_where_there_is_no_secret() -> None:
    code, message = error(Account(), "ListSecrets", Filters=[{"Key": "primary-region", "Values": ["eu"]}])
    assert (code, message) == ("InvalidParameterException", "The sandbox does not imitate the filter primary-region.")


CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("TagResource", {"Tags": [{"Key": "a", "Value": "b"}]}),
    ("TagResource", {"Tags": [{"Key": "a", "Value": "c"}]}),
    ("UntagResource", {"TagKeys": ["a"]}),
    ("UpdateSecret", {"Description": "what it is"}),
    ("PutSecretValue", {"SecretString": "two", "ClientRequestToken": SECOND}),
    ("PutSecretValue", {"SecretString": "three", "ClientRequestToken": THIRD, "VersionStages": ["AWSPENDING"]}),
    ("GetSecretValue", {}),
    ("RotateSecret", {"RotationLambdaARN": FUNCTION, "RotationRules": {"AutomaticallyAfterDays": 30}}),
    ("RotateSecret", {"RotationRules": {"AutomaticallyAfterDays": 31}, "RotateImmediately": False}),
    ("CancelRotateSecret", {}),
    ("DeleteSecret", {"RecoveryWindowInDays": 7}),
    ("RestoreSecret", {}),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(CHANGES), max_size=8))
def test_a_list_says_what_a_secret_is_now_whatever_has_happened_to_it(
    changes: list[tuple[str, dict[str, Any]]],
) -> None:
    """What a list has shown of a secret is kept; here it is asked after each change."""
    account = Account()
    account("CreateSecret", Name="app", SecretString="one", ClientRequestToken=FIRST)
    for operation, more in changes:
        with suppress(ServiceError):  # one that is marked for deletion refuses most
            account(operation, SecretId="app", **more)
            if operation == "RotateSecret":
                account.manager.rotation_outcome("app")
        (listed,) = account("ListSecrets", IncludePlannedDeletion=True)["SecretList"]
        described = account("DescribeSecret", SecretId="app")
        described["SecretVersionsToStages"] = described.pop("VersionIdsToStages", {})
        assert listed == described


@pytest.mark.parametrize("half", [{"Key": "name"}, {"Values": ["shop-"]}])
def test_a_filter_is_whole(account: Account, half: dict[str, Any]) -> None:
    assert error(account, "ListSecrets", Filters=[half])[0] == "InvalidParameterException"
    assert error(account, "BatchGetSecretValue", Filters=[half])[0] == "InvalidParameterException"


def test_a_batch_gives_the_values_it_finds_and_the_errors_of_the_others(account: Account) -> None:
    answer = account("BatchGetSecretValue", SecretIdList=["app", "gone"])
    values = [value["SecretString"] for value in answer["SecretValues"]]
    assert (values, [failed["ErrorCode"] for failed in answer["Errors"]]) == (["one"], ["ResourceNotFoundException"])


# Versions and labels


def test_the_former_current_version_becomes_previous_and_the_one_before_it_loses_its_label(account: Account) -> None:
    account("PutSecretValue", SecretId="app", SecretString="two", ClientRequestToken=SECOND)
    account("PutSecretValue", SecretId="app", SecretString="three", ClientRequestToken=THIRD)
    assert account("DescribeSecret", SecretId="app")["VersionIdsToStages"] == {
        SECOND: ["AWSPREVIOUS"],
        THIRD: ["AWSCURRENT"],
    }


def test_a_version_without_a_label_is_listed_only_as_deprecated_and_still_read_by_id(account: Account) -> None:
    account("PutSecretValue", SecretId="app", SecretString="two", ClientRequestToken=SECOND)
    account("PutSecretValue", SecretId="app", SecretString="three", ClientRequestToken=THIRD)
    listed = account("ListSecretVersionIds", SecretId="app")["Versions"]
    everything = account("ListSecretVersionIds", SecretId="app", IncludeDeprecated=True)["Versions"]
    assert {version["VersionId"] for version in everything} - {version["VersionId"] for version in listed} == {FIRST}
    assert account("GetSecretValue", SecretId="app", VersionId=FIRST)["SecretString"] == "one"


def test_moving_the_current_label_back_swaps_current_and_previous(account: Account) -> None:
    account("PutSecretValue", SecretId="app", SecretString="two", ClientRequestToken=SECOND)
    account("UpdateSecretVersionStage", SecretId="app", VersionStage="AWSCURRENT", MoveToVersionId=FIRST,
            RemoveFromVersionId=SECOND)  # fmt: skip
    assert account("DescribeSecret", SecretId="app")["VersionIdsToStages"] == {
        FIRST: ["AWSCURRENT"],
        SECOND: ["AWSPREVIOUS"],
    }


def test_a_label_is_not_moved_without_naming_the_version_that_has_it(account: Account) -> None:
    account("PutSecretValue", SecretId="app", SecretString="two", ClientRequestToken=SECOND, VersionStages=["NEXT"])
    code, message = error(account, "UpdateSecretVersionStage", SecretId="app", VersionStage="AWSCURRENT",
                          MoveToVersionId=SECOND)  # fmt: skip
    assert code == "InvalidParameterException"
    assert f"currently attached to version {FIRST}" in message


def test_the_current_label_cannot_be_taken_away(account: Account) -> None:
    code, _ = error(account, "UpdateSecretVersionStage", SecretId="app", VersionStage="AWSCURRENT",
                    RemoveFromVersionId=FIRST)  # fmt: skip
    assert code == "InvalidParameterException"


def test_the_same_token_and_value_again_change_nothing_and_another_value_is_refused(account: Account) -> None:
    account("PutSecretValue", SecretId="app", SecretString="two", ClientRequestToken=SECOND)
    before = account("DescribeSecret", SecretId="app")
    account("PutSecretValue", SecretId="app", SecretString="two", ClientRequestToken=SECOND)
    code, _ = error(account, "PutSecretValue", SecretId="app", SecretString="else", ClientRequestToken=SECOND)
    assert code == "ResourceExistsException"
    assert account("DescribeSecret", SecretId="app") == before


def test_a_version_without_a_label_may_be_put_again(account: Account) -> None:
    for token, value in ((SECOND, "two"), (THIRD, "three")):
        account("PutSecretValue", SecretId="app", SecretString=value, ClientRequestToken=token)
    again = account("PutSecretValue", SecretId="app", SecretString="one", ClientRequestToken=FIRST)
    assert (again["VersionId"], "VersionStages" in again) == (FIRST, False)


def test_a_label_nobody_has_is_named_in_the_error(account: Account) -> None:
    message = "Secrets Manager can't find the specified secret value for staging label: AWSPENDING"
    expected = ("ResourceNotFoundException", message)
    assert error(account, "GetSecretValue", SecretId="app", VersionStage="AWSPENDING") == expected


def test_a_version_asked_for_with_a_label_it_does_not_have_is_refused(account: Account) -> None:
    code, _ = error(account, "GetSecretValue", SecretId="app", VersionId=FIRST, VersionStage="AWSPENDING")
    assert code == "InvalidRequestException"


def test_bytes_come_back_as_bytes(account: Account) -> None:
    account("CreateSecret", Name="key", SecretBinary=b"\x00\xff")
    assert account("GetSecretValue", SecretId="key")["SecretBinary"] == b"\x00\xff"


# Deletion


def test_a_deleted_secret_is_not_readable_keeps_its_name_and_can_be_restored(account: Account) -> None:
    account("DeleteSecret", SecretId="app")
    read = error(account, "GetSecretValue", SecretId="app")
    create = error(account, "CreateSecret", Name="app", SecretString="x")
    account("RestoreSecret", SecretId="app")
    assert read[1] == "You can't perform this operation on the secret because it was marked for deletion."
    assert create[1].endswith("a secret with this name is already scheduled for deletion.")
    assert account("GetSecretValue", SecretId="app")["SecretString"] == "one"


def test_a_secret_deleted_without_recovery_frees_its_name_at_once_under_another_arn(account: Account) -> None:
    arn = account("DescribeSecret", SecretId="app")["ARN"]
    account("DeleteSecret", SecretId="app", ForceDeleteWithoutRecovery=True)
    assert account("CreateSecret", Name="app", SecretString="new")["ARN"] != arn


def test_a_forced_deletion_can_be_repeated(account: Account) -> None:
    account("DeleteSecret", SecretId="gone", ForceDeleteWithoutRecovery=True)
    assert error(account, "DescribeSecret", SecretId="gone")[0] == "ResourceNotFoundException"


def test_a_recovery_window_ends_after_its_days() -> None:
    clock = Clock()
    account = Account(now=clock.now)
    account("CreateSecret", Name="app", SecretString="one")
    account("DeleteSecret", SecretId="app", RecoveryWindowInDays=7)
    clock.move(clock.now() + timedelta(days=6))
    assert error(account, "CreateSecret", Name="app", SecretString="two")[0] == "InvalidRequestException"
    clock.move(clock.now() + timedelta(days=1))
    assert account("CreateSecret", Name="app", SecretString="two")["Name"] == "app"


@pytest.mark.parametrize("options", [{"RecoveryWindowInDays": 6}, {"RecoveryWindowInDays": 31}])
def test_a_recovery_window_outside_7_to_30_days_is_refused(account: Account, options: dict[str, int]) -> None:
    assert error(account, "DeleteSecret", SecretId="app", **options)[0] == "InvalidParameterException"


def test_a_forced_deletion_has_no_recovery_window(account: Account) -> None:
    refused = error(account, "DeleteSecret", SecretId="app", ForceDeleteWithoutRecovery=True, RecoveryWindowInDays=7)
    why = "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."
    assert refused == ("InvalidParameterException", why)
    assert "DeletedDate" not in account("DescribeSecret", SecretId="app")


def test_a_dynamic_reference_stands_for_a_value_or_for_a_key_of_it(account: Account) -> None:
    account("CreateSecret", Name="login", SecretString='{"user": "shop", "port": 3306}')
    account("CreateSecret", Name="list", SecretString="[1]")
    account("CreateSecret", Name="bytes", SecretBinary=b"x")
    referenced = account.manager.referenced
    assert referenced("app", "", "AWSCURRENT", FIRST) == "one"
    assert [referenced("login", key, "", "") for key in ("user", "port")] == ["shop", "3306"]
    for name, key in (("login", "password"), ("app", "user"), ("list", "user"), ("bytes", "")):
        why = f"Could not find a value for key {key} in the secret {name}."
        assert error(referenced, name, key, "", "") == ("ValidationError", why)
    assert error(referenced, "gone", "", "", "")[0] == "ResourceNotFoundException"


def test_a_managed_secret_is_readable_and_only_its_owner_changes_it(account: Account) -> None:
    arn = account.manager.create_managed("rds!cluster-1", '{"username": "admin"}', "rds")
    refused = {
        error(account, "PutSecretValue", SecretId=arn, SecretString="x")[0],
        error(account, "DeleteSecret", SecretId=arn, ForceDeleteWithoutRecovery=True)[0],
        error(account, "RotateSecret", SecretId=arn, RotationLambdaARN=FUNCTION)[0],
    }
    assert refused == {"InvalidRequestException"}
    assert account.manager.current("rds!cluster-1") == '{"username": "admin"}'
    account.manager.delete_managed(arn)
    assert error(account, "DescribeSecret", SecretId=arn)[0] == "ResourceNotFoundException"


# Rotation


def test_a_rotation_takes_four_steps_and_moves_the_current_label(account: Account) -> None:
    answer = account("RotateSecret", SecretId="app", RotationLambdaARN=FUNCTION, ClientRequestToken=SECOND,
                     RotationRules={"AutomaticallyAfterDays": 30})  # fmt: skip
    outcome = account.manager.rotation_outcome("app")
    described = account("DescribeSecret", SecretId="app")
    assert (answer["VersionId"], outcome) == (SECOND, Outcome(SECOND, "finishSecret"))
    assert account.steps() == list(STEPS)
    assert {key for event in account.events for key in event} == {
        "Step",
        "SecretId",
        "ClientRequestToken",
        "RotationToken",
    }
    assert account("GetSecretValue", SecretId="app")["SecretString"] == f"new-{SECOND}"
    assert described["VersionIdsToStages"][FIRST] == ["AWSPREVIOUS"]
    day = described["LastRotatedDate"].replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=30)
    assert described["NextRotationDate"] == day.replace(hour=23, minute=59, second=59)


def test_a_second_rotation_finds_the_pending_label_on_the_current_version_and_goes_on(account: Account) -> None:
    for token in (SECOND, THIRD):
        account("RotateSecret", SecretId="app", RotationLambdaARN=FUNCTION, ClientRequestToken=token)
        assert account.manager.rotation_outcome("app") == Outcome(token, "finishSecret")


def test_a_rotation_stops_at_the_first_failed_step_and_leaves_the_old_value_current(account: Account) -> None:
    account.fail_at = "setSecret"
    account("RotateSecret", SecretId="app", RotationLambdaARN=FUNCTION, ClientRequestToken=SECOND)
    assert account.manager.rotation_outcome("app") == Outcome(SECOND, "setSecret", "setSecret failed")
    assert account.steps() == ["createSecret", "setSecret"]
    assert account("GetSecretValue", SecretId="app")["SecretString"] == "one"
    assert "LastRotatedDate" not in account("DescribeSecret", SecretId="app")


def test_rotating_again_after_a_failure_is_refused_and_takes_up_the_pending_version(account: Account) -> None:
    account.fail_at = "setSecret"
    account("RotateSecret", SecretId="app", RotationLambdaARN=FUNCTION, ClientRequestToken=SECOND)
    account.manager.rotation_outcome("app")
    account.fail_at = None
    refused = error(account, "RotateSecret", SecretId="app", ClientRequestToken=THIRD)
    expected = "A previous rotation isn't complete. That rotation will be reattempted."
    assert refused == ("InvalidRequestException", expected)
    assert account.manager.rotation_outcome("app") == Outcome(SECOND, "finishSecret")
    assert account("GetSecretValue", SecretId="app")["SecretString"] == f"new-{SECOND}"


def test_without_rotating_immediately_only_the_test_step_runs_on_a_version_that_goes_away(account: Account) -> None:
    account("RotateSecret", SecretId="app", RotationLambdaARN=FUNCTION, RotateImmediately=False)
    account.manager.rotation_outcome("app")
    described = account("DescribeSecret", SecretId="app")
    assert account.steps() == ["testSecret"]
    assert (described["RotationEnabled"], described["VersionIdsToStages"]) == (True, {FIRST: ["AWSCURRENT"]})


def test_the_next_rotation_is_due_a_period_after_the_last_or_after_its_rules_were_set() -> None:
    clock = Clock()
    account = Account(now=clock.now)
    account("CreateSecret", Name="app", SecretString="one")
    clock.move(clock.now() + timedelta(days=100))
    account("RotateSecret", SecretId="app", RotationLambdaARN=FUNCTION, RotationRules={"AutomaticallyAfterDays": 30},
            RotateImmediately=False)  # fmt: skip
    account.manager.rotation_outcome("app")
    due = account("DescribeSecret", SecretId="app")["NextRotationDate"]
    clock.move(clock.now() + timedelta(days=31))  # past the timetable, which would start it
    account("TagResource", SecretId="app", Tags=[{"Key": "a", "Value": "b"}])
    listed = account("ListSecrets")["SecretList"][0]
    assert (listed["NextRotationDate"], clock.now() > due, "LastRotatedDate" in listed) == (due, True, False)
    assert listed["LastChangedDate"] > due


def test_cancelling_turns_rotation_off_and_keeps_the_function_for_the_next_time(account: Account) -> None:
    account("RotateSecret", SecretId="app", RotationLambdaARN=FUNCTION, RotationRules={"AutomaticallyAfterDays": 30})
    account.manager.rotation_outcome("app")
    account("CancelRotateSecret", SecretId="app")
    described = account("DescribeSecret", SecretId="app")
    assert (described["RotationEnabled"], described["RotationLambdaARN"]) == (False, FUNCTION)
    assert "NextRotationDate" not in described


def test_a_secret_without_a_rotation_function_is_not_rotated(account: Account) -> None:
    assert error(account, "RotateSecret", SecretId="app")[0] == "InvalidRequestException"


def test_a_function_that_does_not_let_secrets_manager_in_is_refused_at_once() -> None:
    account = Account(may_invoke=lambda function_arn: False)
    account("CreateSecret", Name="app", SecretString="one")
    code, message = error(account, "RotateSecret", SecretId="app", RotationLambdaARN=FUNCTION)
    assert (code, account.events) == ("AccessDeniedException", [])
    assert "secretsmanager.amazonaws.com" in message


def test_rules_that_are_refused_change_nothing(account: Account) -> None:
    rules = {"AutomaticallyAfterDays": 1, "ScheduleExpression": "rate(1 day)"}
    refused = error(account, "RotateSecret", SecretId="app", RotationLambdaARN=FUNCTION, RotationRules=rules)
    expected = "You cannot specify both rotation frequency and schedule expression together."
    assert refused == ("InvalidParameterException", expected)
    assert "RotationEnabled" not in account("DescribeSecret", SecretId="app")


# Random passwords


def test_a_random_password_holds_every_type_that_was_not_excluded(account: Account) -> None:
    password = account("GetRandomPassword", PasswordLength=3, ExcludePunctuation=True)["RandomPassword"]
    types = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
    assert len(password) == 3
    assert all(set(password) & set(characters) for characters in types)


def test_excluded_characters_never_appear(account: Account) -> None:
    excluded = string.punctuation + string.ascii_letters
    password = account("GetRandomPassword", PasswordLength=500, ExcludeCharacters=excluded)["RandomPassword"]
    assert set(password) <= set(string.digits)


def test_a_length_that_cannot_hold_every_type_is_refused(account: Account) -> None:
    assert error(account, "GetRandomPassword", PasswordLength=3)[0] == "InvalidParameterException"
