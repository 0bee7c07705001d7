"""Whatever the file may say of an account, a real server takes, and says the same when it is read back."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_sandbox.mysqld import Server
from aurora_tenants import config
from aurora_tenants.errors import InvalidFile
from aurora_tenants.mysql.changes import changes
from aurora_tenants.mysql.live import read_server, read_state
from aurora_tenants.mysql.state import State
from aurora_tenants.tenant.desired import state_of
from aurora_tenants.tenant.template import template
from tests.mysql_server import as_desired, execute_as, hashes, make_owners

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=20)
ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20).map("/".__add__)
HOSTS = st.sampled_from(
    ["%", "10.0.0.0/8", "10.0.0.0/255.0.0.0", "::1", "a.b", "10.%", "x_y", "%.%", "-", "a" * 255]
) | st.from_regex(r"[a-z0-9._%:/-]{1,20}", fullmatch=True)
LIMITS = st.sampled_from([0, 1, 65_536, 2**32 - 1])
RULES = st.sampled_from([0, 1, 65_535])
USERS = st.fixed_dictionaries(
    {},
    optional={
        "host": st.lists(HOSTS, min_size=1, max_size=3, unique=True),
        "plugin": st.sampled_from(["caching_sha2_password", "sha256_password"]),
        "require": st.sampled_from(["NONE", "SSL", "X509"])
        | st.fixed_dictionaries(
            {},
            optional={"subject": ASCII, "issuer": ASCII, "cipher": st.from_regex(r"[A-Z0-9_-]{1,9}", fullmatch=True)},
        ),
        **{f"max_{what}_per_hour": LIMITS for what in ("queries", "updates", "connections")},
        "max_user_connections": LIMITS,
        "locked": st.booleans(),
        "rotate_after_days": st.just(0),
        **{f"password_{what}": RULES for what in ("expire_after_days", "history", "reuse_after_days")},
        "password_require_current": st.booleans(),
        "comment": TEXTS,
        "roles": st.lists(st.sampled_from(["reader", {"role": "writer", "admin_option": True}]), unique_by=str),
        "default_roles": st.sampled_from(["ALL", "NONE", ["reader"]]),
        "privileges": st.lists(
            st.sampled_from(
                [
                    {"permission": "ALL", "database": "said", "grant_option": True},
                    {"permission": ["PROCESS", "FLUSH_STATUS"], "database": "*"},
                    {"permission": "EXECUTE", "database": "said", "procedure": "Report"},
                    {"permission": "ALL", "database": "said", "function": "price"},
                    {"permission": "SELECT", "database": "said", "table": "orders", "columns": ["id"]},
                ]
            ),
            max_size=3,
        ),
    },
)
PREPARED = (
    "DROP DATABASE IF EXISTS said",
    "CREATE DATABASE said",
    "CREATE TABLE said.orders (id INT)",
    "CREATE PROCEDURE said.report() SELECT 1",
    "CREATE FUNCTION said.price() RETURNS INT DETERMINISTIC RETURN 1",
)


def desired_of(user: dict[str, Any], server: Any) -> State | None:
    """What the file asks of MySQL; None for one that the rules refuse."""
    tenant = {
        "databases": {"said": {"charset": "utf8", "adopt": True}},
        "roles": {"reader": {"comment": "it's"}, "writer": {}},
        "users": {"said-user": user},
    }
    try:
        text = json.dumps({"version": 1, "cluster": {"stack": "s"}, "tenants": {"said": tenant}})
        made = config.parse(text, "f")
    except InvalidFile:
        return None
    return state_of(template(made.cluster, made.tenants[0]).resources, "s-said", server)


@settings(max_examples=40, deadline=None)
@given(USERS, USERS)
def test_one_user_after_another(server: Server, first: dict[str, Any], second: dict[str, Any]):
    """The second is what a later commit says of the user that the first one made."""
    execute = execute_as(server)
    make_owners(execute)
    for statement in PREPARED:
        execute(statement)
    about = read_server(execute)
    for said in (first, second):
        desired = desired_of(said, about)
        if desired:
            for change in changes(desired, read_state(execute), server=about, password=hashes("Secret0")):
                execute(change.statement)
            live = read_state(execute)
            assert as_desired(live, desired) == desired
            assert changes(desired, live, server=about) == ()
    for account in [
        account for account in read_state(execute).users if account.user in ("said-user", "reader", "writer")
    ]:
        execute(f"DROP USER {account}")
        execute(f"DELETE FROM aurora_tenants.users WHERE name = '{account.entry}'")
    execute("DELETE FROM aurora_tenants.databases WHERE name = 'said'")
