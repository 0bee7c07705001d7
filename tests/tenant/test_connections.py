"""What a plan tells of connections: who has no limit, and that all limits are more than the server has."""

from __future__ import annotations

from dataclasses import replace

from aurora_tenants.errors import Notice
from aurora_tenants.model import Configuration, Tenant, TenantUser
from aurora_tenants.mysql.options import Options
from aurora_tenants.mysql.state import Server
from aurora_tenants.plan import make_plan
from aurora_tenants.tenant.connections import connection_notices
from tests.values import CLUSTER, EMPTY, NOTHING_DEPLOYED, SERVER, SHOP

SMALL = SERVER._replace(max_connections=90)


def user(name: str, limit: int = 0, *hosts: str, locked: bool = False) -> TenantUser:
    return TenantUser(name, hosts=hosts or ("%",), options=Options(max_user_connections=limit, is_locked=locked))


def told(*users: TenantUser, server: Server = SMALL) -> dict[str, str]:
    return {notice.code: notice.text for notice in connection_notices([Tenant("shop", users=users)], server)}


def test_users_without_a_limit_are_told_of_in_one_line_with_the_first_names():
    assert told(user("a")) == {
        "no-connection-limit": "1 user has no limit of connections (a): it can take all 90 of the server, and then"
        " nobody else gets in; set max_user_connections in the file, for all of them under defaults"
    }
    (text,) = told(*(user(f"u{number}") for number in range(1200))).values()
    assert text.startswith(
        "1,200 users have no limit of connections (u0, u1, u2, u3, u4, …): each of them can take all 90"
    )


def test_limits_that_fit_are_not_told_of():
    assert told(user("a", 60), user("b", 30)) == {}


def test_limits_of_more_than_the_server_has_are_told_of_and_a_host_counts_by_itself():
    assert told(user("a", 40, "10.%", "192.%"), user("b", 11)) == {
        "connection-limits": "the users' limits are 91 connections together, and the server takes 90 (max_connections):"
        " when all are used at once, others are refused (1040), and so are plan and apply;"
        " if that can happen, lower max_user_connections or raise the cluster's maximum capacity"
    }


def test_who_cannot_log_in_takes_no_connection():
    assert told(user("a", locked=True), user("b", 4_000, locked=True)) == {}


def test_the_servers_own_limit_is_that_of_users_without_one():
    server = SMALL._replace(max_user_connections=50)
    assert told(user("a"), server=server) == {}
    assert list(told(user("a"), user("b", 41), server=server)) == ["connection-limits"]


def test_nothing_is_told_of_a_server_whose_limit_is_not_known():
    assert told(user("a"), server=SERVER) == {}


def test_a_plan_tells_it_and_one_of_some_tenants_does_not():
    live = EMPTY._replace(server=SMALL)
    configuration = Configuration(CLUSTER, (SHOP,))
    codes = [notice.code for notice in make_plan(configuration, live, NOTHING_DEPLOYED).notices]
    assert codes == ["no-connection-limit"]
    assert make_plan(configuration, live, NOTHING_DEPLOYED, only=("shop",)).notices == ()
    limited = replace(SHOP, users=(user("shop", 10),))
    assert make_plan(Configuration(CLUSTER, (limited,)), live, NOTHING_DEPLOYED).notices == tuple[Notice]()
