"""The environment variables that lead AWS SDKs and the AWS CLI to a sandbox, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

from aurora_sandbox.keys import AccessKey

# They would send some calls elsewhere or add somebody's real credentials to them.
_IN_THE_WAY = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
_OF_ONE_SERVICE = "AWS_ENDPOINT_URL_"
_LOCAL = ("127.0.0.1", "localhost")


def environment(endpoint_url: str, region: str, key: AccessKey) -> dict[str, str]:
    """What a client needs to know of a sandbox: for its owner alone, who is whoever knows the key."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": key.id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def of_command(ours: Mapping[str, str], sandbox: Mapping[str, str]) -> dict[str, str]:
    """Our environment for a command that is to see the sandbox: its variables in, what contradicts them out.

    A proxy that is set is bypassed for this machine; SDKs do not do that by themselves.
    """
    taken_out = in_the_way(ours)
    kept = {name: value for name, value in ours.items() if name not in taken_out}
    direct = ",".join(dict.fromkeys((*_direct(ours), *_LOCAL)))
    return {**kept, **sandbox, "NO_PROXY": direct, "no_proxy": direct}


def in_the_way(ours: Mapping[str, str]) -> tuple[str, ...]:
    """The names of our variables that would lead past a sandbox, sorted."""
    return tuple(sorted(name for name in ours if name in _IN_THE_WAY or name.startswith(_OF_ONE_SERVICE)))


def _direct(ours: Mapping[str, str]) -> list[str]:
    """The hosts that are reached without a proxy already; the lower-case variable is the one that counts."""
    return [host for host in (ours.get("no_proxy") or ours.get("NO_PROXY") or "").split(",") if host]
