"""The clauses of CREATE USER and ALTER USER: what differs, and nothing else."""

from __future__ import annotations

import pytest

from aurora_tenants.mysql.options import Options, Require, clauses

EVERYTHING = Options(
    Require("SPECIFIED", "/CN=it's", "/CN=ca", "TLS_AES_256_GCM_SHA384"), 1, 2, 3, 4, True, 90, 5, 365, False
)


def test_what_is_the_same_is_not_said():
    assert clauses(Options(), Options()) == ""
    assert clauses(EVERYTHING, EVERYTHING) == ""


def test_everything_stands_in_the_order_of_the_manual():
    assert clauses(EVERYTHING, Options()) == (
        " REQUIRE SUBJECT '/CN=it''s' AND ISSUER '/CN=ca' AND CIPHER 'TLS_AES_256_GCM_SHA384'"
        " WITH MAX_QUERIES_PER_HOUR 1 MAX_UPDATES_PER_HOUR 2 MAX_CONNECTIONS_PER_HOUR 3 MAX_USER_CONNECTIONS 4"
        " PASSWORD EXPIRE INTERVAL 90 DAY PASSWORD HISTORY 5 PASSWORD REUSE INTERVAL 365 DAY"
        " PASSWORD REQUIRE CURRENT OPTIONAL ACCOUNT LOCK"
    )


def test_what_the_file_does_not_say_any_more_is_mysqls_default_again():
    assert clauses(Options(), EVERYTHING) == (
        " REQUIRE NONE"
        " WITH MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0 MAX_CONNECTIONS_PER_HOUR 0 MAX_USER_CONNECTIONS 0"
        " PASSWORD EXPIRE DEFAULT PASSWORD HISTORY DEFAULT PASSWORD REUSE INTERVAL DEFAULT"
        " PASSWORD REQUIRE CURRENT DEFAULT ACCOUNT UNLOCK"
    )


@pytest.mark.parametrize(
    ("desired", "said"),
    [
        (Options(require=Require("SSL")), " REQUIRE SSL"),
        (Options(require=Require("SPECIFIED", issuer="x")), " REQUIRE ISSUER 'x'"),
        (Options(expire_after_days=0), " PASSWORD EXPIRE NEVER"),
        (Options(history=0, reuse_after_days=0), " PASSWORD HISTORY 0 PASSWORD REUSE INTERVAL 0 DAY"),
        (Options(require_current=True), " PASSWORD REQUIRE CURRENT"),
        (Options(plugin="sha256_password", comment="said elsewhere"), ""),
    ],
)
def test_one_option_is_one_clause(desired: Options, said: str):
    assert clauses(desired, Options()) == said
