"""What MySQL should hold for a tenant, read out of its template: the same properties, the same code as the provider's.

So a plan cannot mean something else than what is deployed, and what an earlier template asked for is read likewise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from aurora_tenants.mysql.changes import moves, title
from aurora_tenants.mysql.grants import Grant
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.one_name import check_name
from aurora_tenants.mysql.owners import Owner, claim, received
from aurora_tenants.mysql.properties import is_iam, may_wait, wanted_database, wanted_role, wanted_user
from aurora_tenants.mysql.resource import check_kind
from aurora_tenants.mysql.state import Database, Live, Server, State, User
from aurora_tenants.tenant.parts import username_in

# The id of a stack that is not made yet: no entry has it.
NEW = "new"

Resources = Mapping[str, Mapping[str, Any]]


class Desired(NamedTuple):
    """What a template asks for, with the owners that things will have.

    refusals: a sentence for each that is not the tenant's to take; such a thing has the owner that it asks for.
    may_wait: see properties.may_wait.
    """

    state: State
    refusals: tuple[str, ...] = ()
    may_wait: frozenset[Grant] = frozenset()


def read_desired(
    resources: Resources, stack: str, live: Live, outputs: Collection[str], stack_id: str = "", failed_id: str = ""
) -> Desired:
    """What a template asks of this server. stack: the name of the tenant's; stack_id: its id, NEW for one to be made.

    outputs: the names of those that the deployed stack has. What is among them is the stack's, even if its entry in
    MySQL was lost. failed_id: of the stack in whose place it is made, because its creation failed; the databases that
    it made and kept are empty, and so its own again.
    """
    wanted = state_of(resources, stack, live.server)
    refusals: list[str] = []

    def owner_of(thing: Database | User, known: Database | User) -> Owner | None:
        assert thing.owner is not None
        properties = resources[thing.owner.resource]["Properties"]
        is_deployed = known.owner is None and not _outputs(properties, thing.owner.resource).isdisjoint(outputs)
        is_left = isinstance(known, Database) and bool(failed_id) and known.owner and known.owner.stack_id == failed_id
        its_id = failed_id if is_left else stack_id
        try:
            may_adopt, giver = bool(properties.get("Adopt")) or is_deployed, str(properties.get("MovedFrom", ""))
            return _taken(thing, known, its_id, may_adopt=may_adopt, moved_from=giver)
        except ValueError as error:
            refusals.append(str(error))
            return thing.owner

    databases, users = {**wanted.databases}, {**wanted.users}
    for name, database in wanted.databases.items():
        if there := live.state.databases.get(name):
            databases[name] = database._replace(owner=owner_of(database, there))
    renamed = moves(wanted, live.state)
    for account, user in wanted.users.items():
        if known := live.state.users.get(renamed.get(account, account)):
            users[account] = user._replace(owner=owner_of(user, known))
    refusals += _of_others(resources, wanted.users, live.state, stack_id, refusals)
    may_wait_ = _may_wait(resources, wanted, live.server)
    return Desired(State(databases, users, wanted.grants), tuple(refusals), may_wait_)


def _may_wait(resources: Resources, wanted: State, server: Server) -> frozenset[Grant]:
    """The grants that may wait until there is what they are on."""
    users: dict[str, dict[Account, User]] = {}
    for account, user in wanted.users.items():
        if user.owner:
            users.setdefault(user.owner.resource, {})[account] = user
    found = frozenset[Grant]()
    for resource, accounts in users.items():
        properties = resources[resource]["Properties"]
        if any("WhenMissing" in entry for entry in properties.get("Privileges") or ()):
            found |= may_wait(properties, State(users=accounts), server)
    return found


def _of_others(
    resources: Resources, wanted: Mapping[Account, User], live: State, stack_id: str, said: Collection[str]
) -> list[str]:
    """A sentence for each name of a user that is another stack's, or nobody's, at another host."""
    # Of the account itself it is said already; and no name is shared where all accounts are wanted ones.
    if said or live.users.keys() <= wanted.keys():
        return []
    known = {account: user.owner for account, user in live.users.items()}
    found: list[str] = []
    names = {account.user: user.owner for account, user in wanted.items() if user.owner}
    for name, owner in sorted(names.items()):
        accounts = {account for account in wanted if account.user == name}
        properties, mine = resources[owner.resource]["Properties"], owner._replace(stack_id=stack_id)
        giver = str(properties.get("MovedFrom", ""))
        of_name = {account: received(entry, mine, giver) for account, entry in known.items() if account.user == name}
        try:
            check_name(accounts, of_name, mine, _always(bool(properties.get("Adopt"))))
        except ValueError as error:
            found.append(str(error))
    return found


def _always(answer: bool) -> Callable[[Owner | None], bool]:
    return lambda _: answer


def state_of(resources: Resources, stack: str, server: Server) -> State:
    """What a template asks for as if nothing were there yet: each thing owned by its resource."""
    databases: dict[str, Database] = {}
    users: dict[Account, User] = {}
    grants = set[Grant]()
    for logical_id, resource in resources.items():
        kind, properties, secret = resource["Type"], resource["Properties"], ""
        if kind == "Custom::Database":
            database = wanted_database(properties, server)
            databases[database.name] = database._replace(owner=Owner(stack, logical_id))
            continue
        if kind == "Custom::DatabaseRole":
            accounts = wanted_role(properties, server)
        elif kind == "Custom::DatabaseUser":
            name, secret = login_of(resources, properties)
            accounts = wanted_user(properties, name, server)
        else:
            continue
        owner = Owner(stack, logical_id, secret)
        users.update((account, user._replace(owner=owner)) for account, user in accounts.users.items())
        grants |= accounts.grants
    return State(databases, users, frozenset(grants))


def login_of(resources: Resources, properties: Mapping[str, Any]) -> tuple[str, str]:
    """The name of a Custom::DatabaseUser's user and of its secret, which is empty for one without."""
    if is_iam(properties):
        return str(properties["UserName"]), ""
    secret = resources[properties["SecretId"]["Ref"]]["Properties"]
    username = properties.get("UserName")  # of a user that had another name when its secret was made
    username = username or username_in(secret)
    return str(username), str(secret["Name"])


def _taken(thing: Database | User, known: Database | User, stack_id: str, *, may_adopt: bool, moved_from: str) -> Owner:
    """The owner of something that exists. Raises ValueError with a sentence when it is not the tenant's to take."""
    assert thing.owner is not None
    if isinstance(thing, User) and isinstance(known, User):
        is_same = known.owner is not None and known.owner.identity == thing.owner.identity
        check_kind(thing, known, is_same_resource=is_same)
    what = title(thing) if isinstance(thing, User) else f"database {thing.name}"
    taken = claim(what, known.owner, thing.owner._replace(stack_id=stack_id), adopt=may_adopt, moved_from=moved_from)
    # What is new to the stack is shown without the id that the provider records: nobody knows that of a stack to come.
    return taken if known.owner and taken.stack_id == known.owner.stack_id else taken._replace(stack_id="")


def _outputs(properties: Mapping[str, Any], logical_id: str) -> set[str]:
    """The outputs that say that a resource is deployed: its own, or its secret's."""
    secret = properties.get("SecretId", {}).get("Ref")
    return {logical_id, secret} if secret else {logical_id}
