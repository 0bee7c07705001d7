"""Stacks from creation to deletion, seen through boto3."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from .fakes import DEADLINE_SECONDS, Sandbox, database, queue, sandbox, template

ROLE = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}


def test_create_returns_at_once_and_the_work_goes_on(aws: Sandbox) -> None:
    """Statement 1."""
    release = aws.queues.hold("create", "Mail")
    made = aws.aws.create_stack(StackName="shop", TemplateBody=json.dumps(template({"Mail": queue()})))
    assert aws.queues.begun["create", "Mail"].wait(DEADLINE_SECONDS)
    assert aws.stack("shop")["StackStatus"] == "CREATE_IN_PROGRESS"
    release.set()
    assert aws.settled("shop") == "CREATE_COMPLETE"
    assert aws.stack("shop")["StackId"] == made["StackId"]


def test_a_live_name_is_taken_and_free_again_after_deletion(aws: Sandbox) -> None:
    """Statement 2."""
    aws.create("shop", template({"Mail": queue()}))
    with pytest.raises(aws.aws.exceptions.AlreadyExistsException, match=r"Stack \[shop\] already exists"):
        aws.create("shop", template({"Mail": queue()}))
    first = aws.stack("shop")["StackId"]
    assert aws.delete("shop") == "DELETE_COMPLETE"
    assert aws.create("shop", template({"Mail": queue()})) == "CREATE_COMPLETE"
    assert aws.stack(first)["StackStatus"] == "DELETE_COMPLETE"


def test_an_iam_resource_needs_a_capability(aws: Sandbox) -> None:
    """Statement 3."""
    with pytest.raises(ClientError, match=r"Requires capabilities : \[CAPABILITY_IAM\]") as refused:
        aws.create("shop", template({"Role": ROLE}))
    assert refused.value.response["Error"]["Code"] == "InsufficientCapabilitiesException"
    assert aws.create("shop", template({"Role": ROLE}), Capabilities=["CAPABILITY_IAM"]) == "CREATE_COMPLETE"


def test_an_iam_resource_with_a_name_of_its_own_needs_the_named_capability(aws: Sandbox) -> None:
    """Statement 3."""
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}, "RoleName": "mine"}}
    with pytest.raises(ClientError, match=r"Requires capabilities : \[CAPABILITY_NAMED_IAM\]"):
        aws.create("shop", template({"Role": role}), Capabilities=["CAPABILITY_IAM"])
    assert aws.create("shop", template({"Role": role}), Capabilities=["CAPABILITY_NAMED_IAM"]) == "CREATE_COMPLETE"


def test_a_service_role_that_cannot_be_assumed_is_refused_by_every_operation() -> None:
    """Statement 47."""
    good, bad = "arn:aws:iam::123456789012:role/good", "arn:aws:iam::123456789012:role/bad"
    trusted, body = {good}, json.dumps(template({"Mail": queue()}))
    aws = sandbox(may_assume=lambda role_arn: role_arn in trusted)
    client, refused = aws.aws, f"Role {bad} is invalid or cannot be assumed"
    with pytest.raises(ClientError, match="the-role-that-deploys-us is not a valid RoleARN"):
        client.create_stack(StackName="shop", TemplateBody=body, RoleARN="the-role-that-deploys-us")
    with pytest.raises(ClientError, match=refused) as caught:
        client.create_stack(StackName="shop", TemplateBody=body, RoleARN=bad)
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    with pytest.raises(ClientError, match="does not exist"):
        aws.stack("shop")
    with pytest.raises(ClientError, match=refused):
        client.create_change_set(
            StackName="shop", ChangeSetName="a", ChangeSetType="CREATE", TemplateBody=body, RoleARN=bad
        )
    aws.create("shop", template({"Mail": queue()}), RoleARN=good)
    made = client.create_change_set(
        StackName="shop", ChangeSetName="a", TemplateBody=json.dumps(template({"Mail": queue("a")}))
    )
    trusted.clear()  # the role sticks to the stack
    sticking = refused.replace("bad", "good")
    for ask in (
        lambda: client.execute_change_set(ChangeSetName=made["Id"]),
        lambda: client.update_stack(StackName="shop", TemplateBody=json.dumps(template({"Mail": queue("b")}))),
        lambda: client.delete_stack(StackName="shop"),
    ):
        with pytest.raises(ClientError, match=sticking):
            ask()
    with pytest.raises(ClientError, match=refused):
        client.delete_stack(StackName="shop", RoleARN=bad)
    assert aws.stack("shop")["StackStatus"] == "CREATE_COMPLETE"
    trusted.add(good)
    assert aws.delete("shop") == "DELETE_COMPLETE"
    aws.cloudformation.close()


def test_events_tell_each_step_newest_first(aws: Sandbox) -> None:
    """Statement 4."""
    aws.create("shop", template({"Mail": queue("mail")}))
    events = aws.aws.describe_stack_events(StackName="shop")["StackEvents"]
    assert [
        (e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason"), e["PhysicalResourceId"])
        for e in events
        if e["LogicalResourceId"] == "Mail"
    ] == [
        ("Mail", "CREATE_COMPLETE", None, "mail"),
        ("Mail", "CREATE_IN_PROGRESS", "Resource creation Initiated", "mail"),
        ("Mail", "CREATE_IN_PROGRESS", None, ""),
    ]
    assert (events[0]["LogicalResourceId"], events[0]["ResourceStatus"]) == ("shop", "CREATE_COMPLETE")
    assert (events[-1]["ResourceStatus"], events[-1]["ResourceStatusReason"]) == (
        "CREATE_IN_PROGRESS",
        "User Initiated",
    )


def test_events_come_in_pages_of_a_hundred(aws: Sandbox) -> None:
    """Statement 4."""
    aws.create("shop", template({f"Queue{number}": queue() for number in range(40)}))
    first = aws.aws.describe_stack_events(StackName="shop")
    rest = aws.aws.describe_stack_events(StackName="shop", NextToken=first["NextToken"])
    assert (len(first["StackEvents"]), len(rest["StackEvents"]), "NextToken" in rest) == (100, 22, False)


def test_independent_resources_are_made_in_parallel(aws: Sandbox) -> None:
    """Statement 5."""
    one, two = aws.queues.hold("create", "One"), aws.queues.hold("create", "Two")
    aws.begin("shop", template({"One": queue(), "Two": queue()}))
    assert aws.queues.begun["create", "One"].wait(DEADLINE_SECONDS)
    assert aws.queues.begun["create", "Two"].wait(DEADLINE_SECONDS)
    one.set()
    two.set()
    assert aws.settled("shop") == "CREATE_COMPLETE"


def test_references_and_depends_on_give_the_order(aws: Sandbox) -> None:
    """Statement 5: Ref, Fn::GetAtt, Fn::Sub and DependsOn."""
    resources = {
        "E": queue(DependsOn="D"),
        "D": queue(RedrivePolicy={"deadLetterTargetArn": {"Fn::Sub": "${C.Arn}/x"}}),
        "C": queue(RedrivePolicy={"deadLetterTargetArn": {"Fn::GetAtt": ["B", "Arn"]}}),
        "B": queue(RedrivePolicy={"deadLetterTargetArn": {"Ref": "A"}}),
        "A": queue("a"),
    }
    assert aws.create("shop", template(resources)) == "CREATE_COMPLETE"
    assert aws.queues.calls() == [("create", name) for name in "ABCDE"]
    assert aws.queues.requests[1][1].properties == {"RedrivePolicy": {"deadLetterTargetArn": "a"}}


def test_deletion_goes_in_reverse_order(aws: Sandbox) -> None:
    """Statement 30."""
    aws.create("shop", template({"A": queue(), "B": queue(DependsOn="A"), "C": queue(DependsOn=["B"])}))
    aws.queues.requests.clear()
    assert aws.delete("shop") == "DELETE_COMPLETE"
    assert aws.queues.calls() == [("delete", "C"), ("delete", "B"), ("delete", "A")]
    assert aws.queues.live == {}


def test_a_resource_taken_out_of_the_template_is_deleted_after_everything_else_succeeded(aws: Sandbox) -> None:
    """Statement 30."""
    aws.create("shop", template({"A": queue(), "B": queue()}))
    assert aws.update("shop", template({"A": queue(), "C": queue()})) == "UPDATE_COMPLETE"
    told = aws.told("shop")
    assert told.index(("C", "CREATE_COMPLETE")) < told.index(("shop", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"))
    assert told[-3:] == [("B", "DELETE_IN_PROGRESS"), ("B", "DELETE_COMPLETE"), ("shop", "UPDATE_COMPLETE")]
    assert aws.resources("shop") == {"A": "CREATE_COMPLETE", "C": "CREATE_COMPLETE"}


def test_a_failed_deletion_leaves_the_stack_and_may_be_repeated_without_the_resource(aws: Sandbox) -> None:
    """Statement 31."""
    aws.create("shop", template({"A": queue("a"), "B": queue("b")}))
    aws.queues.fails["delete", "A"] = "not empty"
    assert aws.delete("shop") == "DELETE_FAILED"
    assert aws.stack("shop")["StackStatusReason"] == "The following resource(s) failed to delete: [A]. "
    assert aws.resources("shop") == {"A": "DELETE_FAILED", "B": "DELETE_COMPLETE"}
    assert aws.delete("shop", RetainResources=["A"]) == "DELETE_COMPLETE"
    assert set(aws.queues.live) == {"a"}


def test_resources_can_only_be_retained_after_a_failed_deletion(aws: Sandbox) -> None:
    """Statement 31."""
    aws.create("shop", template({"A": queue()}))
    with pytest.raises(ClientError, match="RetainResources needs a stack in DELETE_FAILED"):
        aws.delete("shop", RetainResources=["A"])
    assert aws.stack("shop")["StackStatus"] == "CREATE_COMPLETE"


@pytest.mark.parametrize("policy", ["Retain", "RetainExceptOnCreate"])
def test_a_retained_resource_outlives_its_stack(aws: Sandbox, policy: str) -> None:
    """Statement 32."""
    aws.create("shop", template({"A": queue("a", DeletionPolicy=policy), "B": queue("b")}))
    stack_id = aws.stack("shop")["StackId"]
    assert aws.delete("shop") == "DELETE_COMPLETE"
    assert ("A", "DELETE_SKIPPED") in aws.told(stack_id)
    assert set(aws.queues.live) == {"a"}


def test_a_retained_resource_outlives_its_removal_from_the_template(aws: Sandbox) -> None:
    """Statement 32."""
    aws.create("shop", template({"A": queue("a", DeletionPolicy="Retain"), "B": queue("b")}))
    assert aws.update("shop", template({"B": queue("b")})) == "UPDATE_COMPLETE"
    assert ("A", "DELETE_SKIPPED") in aws.told("shop")
    assert set(aws.queues.live) == {"a", "b"}


@pytest.mark.parametrize(("policy", "left"), [("Delete", {"new"}), ("Retain", {"old", "new"})])
def test_update_replace_policy_decides_about_the_old_one_of_a_replaced_resource(
    aws: Sandbox, policy: str, left: set[str]
) -> None:
    """Statement 32."""
    aws.create("shop", template({"A": queue("old", UpdateReplacePolicy=policy)}))
    assert aws.update("shop", template({"A": queue("new", UpdateReplacePolicy=policy)})) == "UPDATE_COMPLETE"
    assert set(aws.queues.live) == left


def test_a_change_of_a_create_only_property_replaces_and_any_other_does_not(aws: Sandbox) -> None:
    aws.create("shop", template({"A": queue("a", DelaySeconds=1), "B": queue("b")}))
    aws.queues.requests.clear()
    assert aws.update("shop", template({"A": queue("a", DelaySeconds=2), "B": queue("c")})) == "UPDATE_COMPLETE"
    assert sorted(aws.queues.calls()[:2]) == [("create", "B"), ("update", "A")]
    assert aws.queues.calls()[2:] == [("delete", "B")]


def test_a_resource_with_a_name_of_its_own_cannot_be_replaced(aws: Sandbox) -> None:
    """The new one could not have the old one's name while that is there."""
    roles = [
        {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}, "RoleName": "mine", "Path": path}}
        for path in ("/a/", "/b/")
    ]
    aws.create("shop", template({"Role": roles[0]}), Capabilities=["CAPABILITY_NAMED_IAM"])
    status = aws.update("shop", template({"Role": roles[1]}), Capabilities=["CAPABILITY_NAMED_IAM"])
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert "custom-named resource requires replacing. Rename mine" in aws.reason("shop", "Role", "UPDATE_FAILED")


def test_an_update_without_changes_is_refused(aws: Sandbox) -> None:
    """Statement 33."""
    wanted = template({"A": queue("a", DelaySeconds=5)})
    aws.create("shop", wanted)
    with pytest.raises(ClientError, match=r"No updates are to be performed\.$") as refused:
        aws.update("shop", template({"A": queue("a", DelaySeconds="5")}))
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    assert aws.stack("shop")["StackStatus"] == "CREATE_COMPLETE"


def test_an_output_alone_is_a_change(aws: Sandbox) -> None:
    aws.create("shop", template({"A": queue("a")}))
    assert aws.update("shop", template({"A": queue("a")}, Outputs={"Q": {"Value": {"Ref": "A"}}})) == "UPDATE_COMPLETE"
    assert aws.outputs("shop") == {"Q": "a"}


def test_the_type_of_a_resource_cannot_change(aws: Sandbox) -> None:
    """Statement 29."""
    aws.create("shop", template({"A": database("a")}))
    with pytest.raises(ClientError, match=r"Update of resource type is not permitted.*\[A\]"):
        aws.update("shop", template({"A": {**database("a"), "Type": "Custom::User"}}))


def test_secret_parameters_are_masked_and_can_be_used_again(aws: Sandbox) -> None:
    """Statement 45."""
    wanted = template({"A": queue(QueueName={"Ref": "Name"})}, Parameters={"Name": {"Type": "String", "NoEcho": True}})
    aws.create("shop", wanted, Parameters=[{"ParameterKey": "Name", "ParameterValue": "hush"}])
    assert aws.stack("shop")["Parameters"] == [{"ParameterKey": "Name", "ParameterValue": "****"}]
    wanted["Resources"]["B"] = queue("b")
    assert aws.update("shop", wanted, Parameters=[{"ParameterKey": "Name", "UsePreviousValue": True}]) == (
        "UPDATE_COMPLETE"
    )
    assert set(aws.queues.live) == {"hush", "b"}


def test_tags_of_the_stack_reach_its_resources_with_those_of_cloudformation(aws: Sandbox) -> None:
    """Statement 45."""
    aws.create("shop", template({"A": queue("a")}), Tags=[{"Key": "tenant", "Value": "shop"}])
    assert aws.queues.requests[-1][1].tags == {
        "tenant": "shop",
        "aws:cloudformation:stack-name": "shop",
        "aws:cloudformation:stack-id": aws.stack("shop")["StackId"],
        "aws:cloudformation:logical-id": "A",
    }
    assert aws.stack("shop")["Tags"] == [{"Key": "tenant", "Value": "shop"}]


def test_a_change_of_the_tags_updates_what_can_be_tagged(aws: Sandbox) -> None:
    """Statement 45."""
    wanted = template({"A": queue("a"), "D": database("d")})
    aws.create("shop", wanted)
    assert aws.update("shop", wanted, Tags=[{"Key": "tenant", "Value": "shop"}]) == "UPDATE_COMPLETE"
    assert aws.queues.calls() == [("create", "A"), ("update", "A")]
    assert aws.function.received() == [("Create", "D", None)]


def test_termination_protection_keeps_a_stack(aws: Sandbox) -> None:
    """Statement 46."""
    aws.create("shop", template({"A": queue()}), EnableTerminationProtection=True)
    with pytest.raises(ClientError, match=r"Stack \[shop\] cannot be deleted while TerminationProtection is enabled"):
        aws.delete("shop")
    aws.aws.update_termination_protection(StackName="shop", EnableTerminationProtection=False)
    assert aws.delete("shop") == "DELETE_COMPLETE"


def test_a_stack_at_work_is_neither_updated_nor_deleted(aws: Sandbox) -> None:
    release = aws.queues.hold("create", "A")
    aws.begin("shop", template({"A": queue()}))
    with pytest.raises(ClientError, match="cannot be deleted while in status CREATE_IN_PROGRESS"):
        aws.delete("shop")
    with pytest.raises(ClientError, match="is in CREATE_IN_PROGRESS state and can not be updated"):
        aws.update("shop", template({"A": queue("a")}))
    with pytest.raises(ClientError, match="is in CREATE_IN_PROGRESS state and can not be updated"):
        aws.aws.create_change_set(StackName="shop", ChangeSetName="c", TemplateBody="{}")
    release.set()
    assert aws.settled("shop") == "CREATE_COMPLETE"


def test_deleting_an_unknown_stack_succeeds(aws: Sandbox) -> None:
    """Statement 46."""
    aws.aws.delete_stack(StackName="nobody")
    with pytest.raises(ClientError, match="Stack with id nobody does not exist"):
        aws.stack("nobody")


def test_stacks_come_in_pages_of_a_hundred(aws: Sandbox) -> None:
    for number in range(101):
        aws.aws.create_stack(StackName=f"s{number}", TemplateBody=json.dumps(template({"A": queue()})))
    pages = list(aws.aws.get_paginator("describe_stacks").paginate())
    assert [len(page["Stacks"]) for page in pages] == [100, 1]
    assert pages[1]["Stacks"][0]["StackName"] == "s0"


def test_a_page_of_stacks_has_about_a_megabyte_at_most(aws: Sandbox) -> None:
    parameters = {f"P{n}": {"Type": "String"} for n in range(100)}
    values = [{"ParameterKey": name, "ParameterValue": "x" * 4000} for name in parameters]
    for number in range(3):
        aws.create(f"s{number}", template({"A": queue()}, Parameters=parameters), Parameters=values)
    pages = list(aws.aws.get_paginator("describe_stacks").paginate())
    assert [len(page["Stacks"]) for page in pages] == [2, 1]


def test_dynamic_references_are_resolved_for_the_resource_and_nowhere_else(aws: Sandbox) -> None:
    """Statement 40."""
    aws.secrets["arn:aws:secretsmanager:eu-west-1:123456789012:secret:/x-a1:password"] = "hunter2"
    reference = (
        "{{resolve:secretsmanager:arn:aws:secretsmanager:eu-west-1:123456789012:secret:/x-a1:SecretString:password}}"
    )
    wanted = template(
        {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "p", "Type": "String", "Value": reference}}}
    )
    assert aws.create("shop", wanted) == "CREATE_COMPLETE"
    assert aws.parameters.live["p"]["Value"] == "hunter2"
    everything = [aws.stack("shop"), aws.events("shop"), aws.aws.get_template(StackName="shop")]
    assert "hunter2" not in json.dumps(everything, default=str)


def test_a_secret_is_not_read_again_unless_the_reference_changes(aws: Sandbox) -> None:
    """Statement 40."""
    aws.secrets.update({"s:a": "one", "s:b": "two"})

    def wanted(key: str) -> dict[str, object]:
        return template(
            {
                "Q": queue(
                    "q", RedrivePolicy={"deadLetterTargetArn": f"{{{{resolve:secretsmanager:s:SecretString:{key}}}}}"}
                )
            }
        )

    aws.create("shop", wanted("a"))
    aws.secrets["s:a"] = "changed"
    with pytest.raises(ClientError, match="No updates are to be performed"):
        aws.update("shop", wanted("a"))
    assert aws.update("shop", wanted("b")) == "UPDATE_COMPLETE"
    assert aws.queues.live["q"]["RedrivePolicy"] == {"deadLetterTargetArn": "two"}


def test_a_secret_that_is_gone_does_not_keep_its_resource_from_changing_or_going(aws: Sandbox) -> None:
    """Statement 40."""
    aws.secrets["s:a"] = "one"
    secret = {"deadLetterTargetArn": "{{resolve:secretsmanager:s:SecretString:a}}"}
    aws.create("shop", template({"Q": queue("q", RedrivePolicy=secret), "R": queue("r", RedrivePolicy=secret)}))
    aws.secrets.clear()
    wanted = template(
        {"Q": queue("q", RedrivePolicy={"deadLetterTargetArn": "plain"}), "R": queue("r", RedrivePolicy=secret)}
    )
    assert aws.update("shop", wanted) == "UPDATE_COMPLETE"
    assert aws.delete("shop") == "DELETE_COMPLETE"


def test_dynamic_references_are_not_resolved_for_custom_resources(aws: Sandbox) -> None:
    """Statement 40."""
    reference = "{{resolve:secretsmanager:s:SecretString:password}}"
    aws.secrets["s:password"] = "hunter2"
    assert aws.create("shop", template({"D": database("d", Password=reference)})) == "CREATE_COMPLETE"
    assert aws.function.events[0]["ResourceProperties"]["Password"] == reference


def test_a_secret_that_cannot_be_read_fails_its_resource(aws: Sandbox) -> None:
    """Statement 40."""
    wanted = template(
        {"Q": queue("q", RedrivePolicy={"deadLetterTargetArn": "{{resolve:secretsmanager:gone:SecretString:a}}"})}
    )
    assert aws.create("shop", wanted) == "ROLLBACK_COMPLETE"
    assert aws.reason("shop", "Q", "CREATE_FAILED") == "Secrets Manager can't find gone"


def test_properties_arrive_in_the_types_of_the_provider_schema(aws: Sandbox) -> None:
    wanted = template(
        {"A": queue("a", DelaySeconds={"Ref": "Delay"}, FifoQueue="false")},
        Parameters={"Delay": {"Type": "Number", "Default": 7}},
    )
    aws.create("shop", wanted)
    assert aws.queues.live["a"] == {"QueueName": "a", "DelaySeconds": 7, "FifoQueue": False}


def test_what_is_not_imitated_is_refused_before_anything_happens(aws: Sandbox) -> None:
    with pytest.raises(ClientError, match="the sandbox does not imitate AWS::Redshift::Cluster"):
        aws.create("shop", template({"R": {"Type": "AWS::Redshift::Cluster"}}))
    with pytest.raises(ClientError, match="the sandbox does not imitate CloudFormation's DetectStackDrift"):
        aws.aws.detect_stack_drift(StackName="shop")
    with pytest.raises(ClientError, match="the sandbox does not imitate TemplateURL of CloudFormation's CreateStack"):
        aws.aws.create_stack(StackName="shop", TemplateURL="https://example.com/template")
    assert aws.aws.list_stacks()["StackSummaries"] == []


def test_a_broken_resource_type_fails_its_resource_and_not_the_sandbox(
    aws: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    del aws.queues.requests  # every call of the type now raises AttributeError
    assert aws.create("shop", template({"A": queue()})) == "ROLLBACK_COMPLETE"
    assert aws.reason("shop", "A", "CREATE_FAILED").startswith("Internal Failure: AttributeError")
    assert "Traceback" in caplog.text


def test_a_stack_that_takes_too_long_is_rolled_back() -> None:
    aws = sandbox(time_scale=6000)
    release = aws.queues.hold("create", "A")
    aws.begin("shop", template({"A": queue()}), TimeoutInMinutes=1)
    aws.until("shop", lambda stack: any(event.reason == "Resource creation cancelled" for event in stack.events))
    release.set()
    assert aws.settled("shop") == "ROLLBACK_COMPLETE"
    assert "exceeded the specified timeout" in aws.reason("shop", "shop", "ROLLBACK_IN_PROGRESS")
    aws.cloudformation.close()


def test_resources_can_be_looked_up_one_by_one_and_all_together(aws: Sandbox) -> None:
    aws.create("shop", template({"A": queue("a", Metadata={"why": "mail"})}))
    detail = aws.aws.describe_stack_resource(StackName="shop", LogicalResourceId="A")["StackResourceDetail"]
    assert (detail["PhysicalResourceId"], json.loads(detail["Metadata"])) == ("a", {"why": "mail"})
    listed = aws.aws.list_stack_resources(StackName="shop")["StackResourceSummaries"]
    assert [item["LogicalResourceId"] for item in listed] == ["A"]
    owned = aws.aws.describe_stack_resources(PhysicalResourceId="a")["StackResources"]
    assert [item["StackName"] for item in owned] == ["shop"]


def test_boto3s_waiters_end(aws: Sandbox) -> None:
    aws.create("shop", template({"A": queue()}))
    aws.aws.get_waiter("stack_create_complete").wait(StackName="shop")
    stack_id = aws.stack("shop")["StackId"]
    aws.delete("shop")
    aws.aws.get_waiter("stack_delete_complete").wait(StackName=stack_id)


def test_nothing_is_accepted_after_the_end(aws: Sandbox) -> None:
    aws.cloudformation.close()
    with pytest.raises(ClientError, match="the sandbox is stopping"):
        aws.aws.describe_stacks()


def test_what_is_shown_of_a_stack_is_what_it_is_now(aws: Sandbox) -> None:
    """An entry of DescribeStacks is kept while the stack is as it was, and no longer."""
    aws.create("shop", template({"Mail": queue()}))
    seen = [aws.stack("shop"), aws.stack("shop")]
    aws.aws.update_termination_protection(StackName="shop", EnableTerminationProtection=True)
    seen.append(aws.stack("shop"))
    aws.aws.update_stack(
        StackName="shop", TemplateBody=json.dumps(template({"Mail": queue()})), Tags=[{"Key": "a", "Value": "b"}]
    )
    aws.settled("shop")
    seen.append(aws.stack("shop"))
    told = [(each["StackStatus"], each["EnableTerminationProtection"], len(each["Tags"])) for each in seen]
    assert seen[0] == seen[1]
    assert told[1:] == [("CREATE_COMPLETE", False, 0), ("CREATE_COMPLETE", True, 0), ("UPDATE_COMPLETE", True, 1)]
