"""What MySQL should hold for a tenant, read out of its template: the same properties, the same code as the provider's.

So a plan cannot mean something else than what is deployed, and what an earlier template asked for is read likewise.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from aurora_tenants.mysql.changes import moves, subject
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.owners import Owner, claim
from aurora_tenants.mysql.properties import is_iam, wanted_database, wanted_role, wanted_user
from aurora_tenants.mysql.state import Database, Server, State, User

Resources = Mapping[str, Mapping[str, Any]]


def resources_of(template: str) -> Resources:
    """The resources of a template by logical id."""
    resources: Resources = json.loads(template)["Resources"]
    return resources


def wanted(resources: Resources, stack: str, server: Server) -> State:
    """What a template asks for, as if nothing were there yet: each thing owned by its resource."""
    databases: dict[str, Database] = {}
    users: dict[Account, User] = {}
    grants = frozenset[Any]()
    for logical_id, properties, kind in _custom(resources):
        owner = Owner(stack, logical_id)
        if kind == "Custom::Database":
            database = wanted_database(properties, server)
            databases[database.name] = database._replace(owner=owner)
            continue
        if kind == "Custom::DatabaseRole":
            of_one = wanted_role(properties, server)
        else:
            name, secret = login_of(resources, properties)
            owner = owner._replace(secret=secret)
            of_one = wanted_user(properties, name, server)
        users |= {account: user._replace(owner=owner) for account, user in of_one.users.items()}
        grants |= of_one.grants
    return State(databases, users, grants)


def claimed(desired: State, live: State, resources: Resources, deployed: Collection[str]) -> tuple[State, list[str]]:
    """The desired state with the owners that things will have; a sentence for each that is not the tenant's to take.

    deployed: the outputs of the tenant's stack. What is among them is the stack's, even if its entry was lost.
    """
    refusals: list[str] = []
    renamed = moves(desired, live)

    def owner_of(what: str, thing: Database | User, known: Database | User | None) -> Owner | None:
        if known is None or thing.owner is None:
            return thing.owner
        if isinstance(known, User) and _is_other_kind(thing, known):
            refusals.append(f"{what} cannot be made: there is a {'role' if known.is_role else 'user'} of this name")
            return thing.owner
        properties = resources[thing.owner.resource]["Properties"]
        is_deployed = known.owner is None and not _outputs(resources, thing.owner.resource).isdisjoint(deployed)
        try:
            return claim(what, known.owner, thing.owner, adopt=bool(properties.get("Adopt")) or is_deployed)
        except ValueError as error:
            refusals.append(str(error))
            return thing.owner

    databases = {
        name: database._replace(owner=owner_of(f"database {name}", database, live.databases.get(name)))
        for name, database in desired.databases.items()
    }
    users = {
        account: user._replace(
            owner=owner_of(said(user), user, live.users.get(renamed.get(account, account))),
        )
        for account, user in desired.users.items()
    }
    return State(databases, users, desired.grants), refusals


def _is_other_kind(thing: Database | User, known: User) -> bool:
    """Whether a role would take the place of a user, or a user that of a role; the same resource puts its own right."""
    if not isinstance(thing, User) or thing.is_role == known.is_role:
        return False
    return known.owner is None or thing.owner is None or known.owner[:2] != thing.owner[:2]


def said(user: User) -> str:
    """How people say a user or a role; to MySQL both are users."""
    return subject(user.account).replace("user", "role", 1) if user.is_role else subject(user.account)


def login_of(resources: Resources, properties: Mapping[str, Any]) -> tuple[str, str]:
    """The name of a Custom::DatabaseUser's user and of its secret, which is empty for one without."""
    if is_iam(properties):
        return str(properties["UserName"]), ""
    secret = resources[properties["SecretId"]["Ref"]]["Properties"]
    username = json.loads(secret["GenerateSecretString"]["SecretStringTemplate"])["username"]
    return str(username), str(secret["Name"])


def _custom(resources: Resources) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    for logical_id, resource in resources.items():
        if resource["Type"].startswith("Custom::"):
            yield logical_id, resource["Properties"], resource["Type"]


def _outputs(resources: Resources, logical_id: str) -> set[str]:
    """The outputs that say that a resource is deployed: its own, or its secret's."""
    secret = resources[logical_id]["Properties"].get("SecretId", {}).get("Ref")
    return {logical_id, secret} if secret else {logical_id}
