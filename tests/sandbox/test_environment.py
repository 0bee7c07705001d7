from __future__ import annotations

from aurora_sandbox.environment import environment, in_the_way, of_command
from aurora_sandbox.keys import AccessKey


def test_the_variables_lead_every_service_to_the_sandbox():
    assert environment("http://127.0.0.1:4000", "eu-west-1", AccessKey("AKIASANDBOXID", "secret")) == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4000",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIASANDBOXID",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def test_a_command_sees_nothing_that_leads_past_the_sandbox():
    ours = {
        "PATH": "/bin",
        "AWS_PROFILE": "production",
        "AWS_SESSION_TOKEN": "real",
        "AWS_ACCESS_KEY_ID": "real",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": "https://elsewhere",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    }
    assert of_command(ours, {"AWS_ACCESS_KEY_ID": "sandbox"}) == {
        "PATH": "/bin",
        "AWS_ACCESS_KEY_ID": "sandbox",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def test_what_leads_past_the_sandbox_is_named():
    ours = {"PATH": "/bin", "AWS_PROFILE": "production", "AWS_ENDPOINT_URL_RDS": "https://elsewhere", "AWS_REGION": "x"}
    assert in_the_way(ours) == ("AWS_ENDPOINT_URL_RDS", "AWS_PROFILE")


def test_a_proxy_is_bypassed_for_the_sandbox_beside_what_was_bypassed_before():
    command = of_command({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "localhost,.corp"}, {})
    assert command == {
        "HTTPS_PROXY": "http://proxy:3128",
        "NO_PROXY": "localhost,.corp,127.0.0.1",
        "no_proxy": "localhost,.corp,127.0.0.1",
    }
