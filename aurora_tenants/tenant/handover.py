"""Templates that things pass through on their way from one tenant's stack to another's. Pure.

    giver:     as deployed -> giving -> without_gifts
    receiver:  before_taking, where there is no stack yet -> taking, by an import -> its template

A user goes with its secret, which stays as it is: its name, its ARN and every version of it. All raise LookupError,
TypeError or AttributeError for a deployed template that is none of this program's.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from aurora_tenants.naming import DIGEST, DROP_ON_REMOVE, ON_REMOVE_USERS, RENAMED_USERS
from aurora_tenants.stack import Template
from aurora_tenants.tenant.parameters import TYPE as PARAMETER

Body = Mapping[str, Any]
_OF_SECRETS = "AWS::SecretsManager::"
# A stack needs a resource. This one makes nothing and costs nothing.
_PLACEHOLDER = {"NothingYet": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}
_KEPT = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}


def giving(body: Body, gifts: Mapping[str, str]) -> Template:
    """A deployed template that offers these resources to other stacks, and lets go of their secrets when they leave it.

    gifts: the names of those stacks, by the logical ids of databases, roles and users.
    """
    resources = dict(body["Resources"])
    for logical_id, receiver in gifts.items():
        resource = resources[logical_id]
        properties = {name: value for name, value in resource["Properties"].items() if name != "MovedFrom"}
        resources[logical_id] = {**resource, "Properties": {**properties, "MovedTo": receiver}}
        if secret := _secret_of(resource):
            for name in (secret, *_of_secret(resources, secret, "SecretTargetAttachment")):
                resources[name] = {**resources[name], **_KEPT}
    return _of_no_file(body, resources, body["Outputs"], "gives")


def without_gifts(body: Body, gifts: Collection[str]) -> Template:
    """A deployed template without these databases, roles and users, and without all that is for them alone."""
    resources = body["Resources"]
    return _without(body, gifts, {secret for logical_id in gifts if (secret := _secret_of(resources[logical_id]))})


def before_taking(body: Body, secrets: Collection[str]) -> Template:
    """What a stack can be made of before it takes these secrets in: its template without their users.

    body: what it is to be. secrets: logical ids.
    """
    resources = body["Resources"]
    users = [name for name, resource in resources.items() if _secret_of(resource) in secrets]
    return _without(body, users, secrets)


def taking(body: Body, wanted: Body, secrets: Collection[str]) -> Template:
    """A deployed template with these secrets of the wanted one, for an import, in which nothing else may differ.

    What generates their value stays in the template, though nothing is generated: if it came later, that would be a
    change, and with it another password. ("GenerateSecretString", AWS::SecretsManager::Secret, CloudFormation Template
    Reference)
    """
    taken = {name: {**_secret(wanted["Resources"][name], name), **_KEPT} for name in secrets}
    digest: str = body["Outputs"][DIGEST]["Value"]
    return Template({**body, "Resources": {**body["Resources"], **taken}}, digest)


def _without(body: Body, gifts: Collection[str], secrets: Collection[str]) -> Template:
    resources = body["Resources"]
    gone = {*gifts, *(name for secret in secrets for name in (secret, *_of_secret(resources, secret)))}
    gone |= {name for name, resource in resources.items() if resource["Type"] == PARAMETER and _needs(resource, gone)}
    names = {name for logical_id in gifts for name in _names(resources, logical_id)}
    left = {name: no_longer_after(resource, gone) for name, resource in resources.items() if name not in gone}
    kept = {name: _listing(name, output, names) for name, output in body["Outputs"].items() if name not in gone}
    outputs = {name: told for name, told in kept.items() if told["Value"] and not gone.intersection(_references(told))}
    return _of_no_file(body, left or _PLACEHOLDER, outputs, "gave")


def _secret(resource: Body, name: str) -> Body:
    if resource["Type"] != f"{_OF_SECRETS}Secret":
        raise LookupError(f"{name} is no secret")
    return resource


def _of_no_file(body: Body, resources: Body, outputs: Body, digest: str) -> Template:
    """The template with a digest that no file gives: the next plan sees that something is left to do."""
    told = {**outputs, DIGEST: {**outputs[DIGEST], "Value": digest}}
    return Template({**body, "Resources": resources, "Outputs": told}, digest)


def _secret_of(resource: Body) -> str:
    """The logical id of the secret of a user; empty for one that logs in by IAM, and for everything else."""
    if resource["Type"] != "Custom::DatabaseUser":
        return ""
    secret: str = resource["Properties"].get("SecretId", {}).get("Ref", "")
    return secret


def _of_secret(resources: Body, secret: str, kind: str = "") -> list[str]:
    """The logical ids of what AWS has for a secret, of one kind or of all."""
    return [
        name
        for name, resource in resources.items()
        if resource["Type"].startswith(_OF_SECRETS + kind) and resource["Properties"].get("SecretId") == {"Ref": secret}
    ]


def _names(resources: Body, logical_id: str) -> Iterator[str]:
    """What a database, role or user is called."""
    properties = resources[logical_id]["Properties"]
    yield properties.get("UserName") or properties.get("Name") or ""
    if secret := _secret_of(resources[logical_id]):
        generated = resources[secret]["Properties"].get("GenerateSecretString", {})
        yield json.loads(generated.get("SecretStringTemplate", "{}")).get("username", "")


def no_longer_after(resource: Body, gone: Collection[str]) -> Body:
    """A resource without the logical ids that are gone in its DependsOn."""
    before = resource.get("DependsOn", [])
    kept = [name for name in ([before] if isinstance(before, str) else before) if name not in gone]
    rest = {name: value for name, value in resource.items() if name != "DependsOn"}
    return {"DependsOn": kept if isinstance(before, list) else kept[0], **rest} if kept else rest


def _needs(parameter: Body, gone: Collection[str]) -> bool:
    """Whether a parameter tells of something that is gone."""
    return bool({*parameter.get("DependsOn", ()), *_references(parameter["Properties"])}.intersection(gone))


def _listing(output: str, told: Body, gone: Collection[str]) -> Body:
    """An output; where it lists names, without these."""
    if output not in (DROP_ON_REMOVE, ON_REMOVE_USERS, RENAMED_USERS):
        return told
    kept = [entry for entry in told["Value"].split(",") if entry.partition("=")[0] not in gone]
    return {**told, "Value": ",".join(kept)}


def _references(value: Any) -> Iterator[str]:
    """The logical ids that a value refers to by Ref."""
    if isinstance(value, Mapping):
        if isinstance(value.get("Ref"), str):
            yield value["Ref"]
        for part in value.values():
            yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)
