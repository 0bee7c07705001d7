"""Random walks over whole states of a real server, judged by what the server itself says (tests/mysql/judge.py).

Every transition must end in exactly what was wanted, in one pass, be a no-op the second time, and read back the same
through the product's own reader. AURORA_TENANTS_TRANSITIONS says how many of each walk are tried: 200 unless told.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pymysql
import pytest

from aurora_sandbox.aurora import AWS_ROLES, SUPERUSER_ROLE, create_master
from aurora_sandbox.mysqld import Server
from aurora_tenants.mysql.changes import changes
from aurora_tenants.mysql.grants import as_stored
from aurora_tenants.mysql.live import Execute, read_server, read_state
from tests.mysql import judge, walk
from tests.mysql_server import as_desired, execute_as, hashes, make_owners

TRANSITIONS = int(os.environ.get("AURORA_TENANTS_TRANSITIONS", "200"))
PLUGINS = ("caching_sha2_password", "sha256_password")
STRANGER = ("walk", "127.0.0.5")


class Walker(NamedTuple):
    """execute: who makes the changes. root: who judges. powers: what `execute` can take away."""

    execute: Execute
    root: Execute
    powers: dict[str, tuple[str, ...]]
    is_root: bool


@pytest.fixture(params=["partial_revokes", "patterns"])
def running(request: pytest.FixtureRequest) -> Server:
    name = "server" if request.param == "partial_revokes" else "server_without_partial_revokes"
    server: Server = request.getfixturevalue(name)
    return server


@pytest.fixture(params=[pytest.param("root", marks=pytest.mark.long), "master"])
def walker(request: pytest.FixtureRequest, running: Server) -> Iterator[Walker]:
    root = execute_as(running)
    is_literal = read_server(root).partial_revokes
    create_master(running, "master", "s3cret", partial_revokes=is_literal)
    execute = root if request.param == "root" else execute_as(running, "master", "s3cret")
    make_owners(execute)
    for database in walk.DATABASES:
        root(f"CREATE DATABASE `{database}`")
        for table in walk.TABLES:
            columns = ", ".join(f"`{column}` INT" for column in walk.COLUMNS)
            root(f"CREATE TABLE `{database}`.`{table.replace('`', '``')}` ({columns})")
        for routine in walk.ROUTINES:
            root(f"CREATE PROCEDURE `{database}`.{routine}() SELECT 1")
            root(f"CREATE FUNCTION `{database}`.{routine}() RETURNS INT DETERMINISTIC RETURN 1")
    root(f"CREATE USER {judge.quoted(STRANGER)}")
    root(f"GRANT SELECT ON wx.* TO {judge.quoted(STRANGER)}")
    powers = walk.OF_ROOT if request.param == "root" else walk.OF_MASTER
    yield Walker(execute, root, powers, request.param == "root")
    for database in (*walk.DATABASES, "aurora_tenants"):
        root(f"DROP DATABASE `{database}`")
    for user, host in root("SELECT User, Host FROM mysql.user"):
        if user in (*walk.USERS, *walk.ROLES, *AWS_ROLES, "master", "rdsadmin", SUPERUSER_ROLE):
            root(f"DROP USER {judge.quoted((str(user), str(host)))}")


def test_every_random_transition_converges_in_one_pass_and_is_a_no_op_afterwards(
    walker: Walker, record_testsuite_property: Callable[[str, object], None]
):
    """As root and as a master like Aurora's, whom MySQL would tell 3879, 1045 or 1142 (see test_cluster.py)."""
    chance = random.Random(20_261)
    server = read_server(walker.execute)
    world = walk.World()
    ran = 0
    for step in range(TRANSITIONS):
        for statement in walk.drift(chance, world, walker.powers, restricts=server.partial_revokes and walker.is_root):
            walker.execute(statement)
        before = {account: judge.options(walker.root, account) for account in accounts(walker.root)}
        world = walk.random_world(chance, world, PLUGINS)
        desired = world.state(server)
        todo = changes(desired, read_state(walker.execute), server=server, password=hashes("s3cret"))
        for change in todo:
            try:
                walker.execute(change.statement)
            except pymysql.MySQLError as error:
                raise AssertionError(f"step {step}: {change.statement}") from error
        ran += len(todo)
        live = read_state(walker.execute)
        assert changes(desired, live, server=server) == (), f"step {step}"
        assert as_desired(live, desired).users == desired.users, f"step {step}"
        assert as_desired(live, desired).grants == as_stored(desired.grants, live.grants), f"step {step}"
        judged(walker.root, world, before, step, literal_names=server.partial_revokes)
    record_testsuite_property("statements", ran)
    assert ran > 10 * TRANSITIONS


def judged(
    root: Execute, world: walk.World, before: dict[tuple[str, str], dict[str, str]], step: int, *, literal_names: bool
) -> None:
    """The accounts are those that are wanted, and each is as wanted; a renamed one keeps its plugin and comment."""
    wanted = world.accounts()
    assert accounts(root) == {*wanted, STRANGER}, f"step {step}"
    assert judge.rights(root, STRANGER) == {("db", "wx", "", "", "SELECT")}
    for account, properties in wanted.items():
        told = f"step {step}: {account}"
        assert judge.rights(root, account) == judge.wanted_rights(properties, literal_names=literal_names), told
        found, expected = judge.options(root, account), {}
        if account[0] in walk.ROLES:
            expected = {"plugin": found["plugin"], "account": "LOCK", "expire": ""}
            properties = {"Comment": properties.get("Comment")}
        # An account that was not there is new, or renamed from a host that is not wanted any more.
        gone = [it for other, it in before.items() if other[0] == account[0] and other not in wanted]
        old = [before[account]] if account in before else [{}, *gone]
        possible = [judge.wanted_options(properties, it, plugin="caching_sha2_password") | expected for it in old]
        assert found in possible, told


def accounts(root: Execute) -> set[tuple[str, str]]:
    names = (*walk.USERS, *walk.ROLES)
    return {(str(user), str(host)) for user, host in root("SELECT User, Host FROM mysql.user") if user in names}
