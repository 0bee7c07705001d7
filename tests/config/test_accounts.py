"""What the file says of a user's account, and every rule that keeps somebody from being locked out by it."""

from __future__ import annotations

import pymysql
import pytest

from aurora_sandbox.mysqld import Server
from aurora_tenants import config
from aurora_tenants.config import hosts
from aurora_tenants.errors import Location, Problem
from aurora_tenants.model import TenantUser
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import PASSWORD_PLUGINS, Options, Require
from tests.mysql_server import execute_as
from tests.tenants_file import HEAD, fixes, problems, tenants, told


def user(body: str) -> TenantUser:
    (tenant,) = tenants(f"  a: {{users: {{a: {{{body}}}}}}}")
    return tenant.users[0]


# What a file means


def test_a_user_that_says_everything():
    body = """
  shop:
    stages: [dev]
    users:
      shop-{stage}:
        host: ["10.0.0.0/16", "{stage}.example.com"]
        plugin: Caching_SHA2_Password
        require: {subject: "/CN={stage} o'neil", issuer: /CN=authority, cipher: TLS_AES_256_GCM_SHA384}
        max_queries_per_hour: 4294967295
        max_updates_per_hour: 2.0
        max_connections_per_hour: 3
        max_user_connections: 4
        locked: true
        password_expire_after_days: 65535
        password_history: 0
        password_reuse_after_days: 365
        password_require_current: false
        comment: the {stage} shop's own {sic} — ünï 😀
        adopt: true
        rotate_after_days: 7
"""
    options = Options(
        require=Require("SPECIFIED", "/CN=dev o'neil", "/CN=authority", "TLS_AES_256_GCM_SHA384"),
        max_queries_per_hour=4294967295,
        max_updates_per_hour=2,
        max_connections_per_hour=3,
        max_user_connections=4,
        is_locked=True,
        expire_after_days=65535,
        history=0,
        reuse_after_days=365,
        require_current=False,
        plugin="caching_sha2_password",
        comment="the dev shop's own {sic} — ünï 😀",
    )
    at = ("10.0.0.0/16", "dev.example.com")
    assert tenants(body)[0].users == (
        TenantUser("shop-dev", adopt=True, rotate_after_days=7, hosts=at, options=options),
    )


def test_what_is_not_said_is_mysqls_default():
    assert user("") == user("host: '%', auth: password, require: NONE, max_user_connections: 0, locked: false")
    assert user("") == TenantUser("a", hosts=("%",), options=Options(), auth="password")


@pytest.mark.parametrize("kind", ["NONE", "SSL", "X509"])
def test_a_requirement_is_read_in_every_case_as_mysql_does(kind: str):
    assert user(f"require: {kind.lower()}").options == user(f"require: {kind}").options == Options(Require(kind))


@pytest.mark.parametrize(
    ("said", "require"),
    [
        ("", Require("SSL")),
        (", require: SSL", Require("SSL")),
        (", require: X509", Require("X509")),
        (", require: {issuer: /CN=a}", Require("SPECIFIED", issuer="/CN=a")),
    ],
)
def test_a_user_of_iam_has_no_password_and_always_tls(said: str, require: Require):
    expected = TenantUser("a", rotate_after_days=0, options=Options(require), auth="iam")
    assert user(f"auth: iam{said}") == expected


# What is wrong with one


def test_a_whole_problem():
    text = HEAD + "  a: {users: {a: {auth: iam, password_history: 5}}}"
    why = "with auth: iam the user has no password: it logs in with tokens that IAM signs"
    what = "password_history is set for a user without a password"
    where = Location("f", 4, 48)
    assert problems(text) == [Problem("not-with-iam", what, why, "remove it", where, "tenant a, user a")]


_SHAPES = [
    ("host: »5", "wrong-type: host is the number 5", 'quote it: "5"'),
    ("host: »''", "empty-value: host is empty", "fill it in or remove it"),
    ("host: »[]", "empty-value: host is empty", "fill it in or remove it"),
    ("host: ['%', »'']", "empty-value: entry 2 of host is empty", "fill it in or remove it"),
    ("host: [»5]", "wrong-type: entry 1 of host is the number 5", 'quote it: "5"'),
    ("host: »{}", "wrong-type: host is a mapping", 'for example host: "10.0.0.0/16"'),
    ("auth: »IAM", "wrong-value: auth is IAM", "did you mean iam?"),
    ("auth: »ldap", "wrong-value: auth is ldap", "write password or iam"),
    ("auth: »true", "wrong-value: auth is true", "write password or iam"),
    ("auth: »null", "wrong-value: auth is null", "write password or iam"),
    ("require: »true", "wrong-type: require is the YAML boolean true", 'quote it: "true"'),
    ("require: »{}", "empty-value: require is empty", "fill it in or remove it"),
    ("require: »''", "empty-value: require is empty", "fill it in or remove it"),
    ("require: {»subjekt: /CN=a}", "unknown-key: unknown key subjekt", "did you mean subject?"),
    ("require: {subject: »''}", "empty-value: subject is empty", "fill it in or remove it"),
    ("require: {cipher: »5}", "wrong-type: cipher is the number 5", 'quote it: "5"'),
    ("locked: »yes", "wrong-type: locked is text", "for example locked: true"),
    ("max_user_connections: »-1", "wrong-value: max_user_connections is -1", "write a number from 0 to 4294967295"),
    (
        "max_queries_per_hour: »4294967296",
        "wrong-value: max_queries_per_hour is 4294967296",
        "write a number from 0 to 4294967295",
    ),
    (
        "max_updates_per_hour: »1.5",
        "wrong-type: max_updates_per_hour is the number 1.5",
        "for example max_updates_per_hour: 100",
    ),
    (
        "max_connections_per_hour: »'5'",
        "wrong-type: max_connections_per_hour is text",
        "for example max_connections_per_hour: 100",
    ),
    (
        "password_expire_after_days: »65536",
        "wrong-value: password_expire_after_days is 65536",
        "write a number from 0 to 65535",
    ),
    ("password_history: »-1", "wrong-value: password_history is -1", "write a number from 0 to 65535"),
    (
        "password_reuse_after_days: »never",
        "wrong-type: password_reuse_after_days is text",
        "for example password_reuse_after_days: 90",
    ),
    ("password_require_current: »1", "wrong-type: password_require_current is the number 1", None),
    ("plugin: »''", "empty-value: plugin is empty", "fill it in or remove it"),
    ("comment: »''", "empty-value: comment is empty", "fill it in or remove it"),
    ("comment: »5", "wrong-type: comment is the number 5", 'quote it: "5"'),
]

_RULES = [
    ("host: ['%', »'%']", "duplicate-host: host % appears twice", "remove one of them"),
    ("host: »'{x}.y'", "unknown-placeholder: unknown placeholder {x}", "write {stage}, or remove it"),
    (
        "require: »TLS",
        "unknown-requirement: require is TLS",
        "write NONE, SSL or X509, or a mapping with subject, issuer or cipher",
    ),
    ("require: »X507", "unknown-requirement: require is X507", "did you mean X509?"),
    ("require: {subject: »'/CN=a\\b'}", "invalid-text: subject /CN=a\\b contains a backslash", "remove it"),
    ('require: {issuer: »"/CN=a\\nb"}', "invalid-text: issuer /CN=a<U+000A>b contains U+000A", "remove it"),
    (
        "require: {subject: »'CN=a, O=b'}",
        "never-matches: subject CN=a, O=b does not begin with /",
        "to see it, run: openssl x509 -noout -subject -issuer -nameopt compat -in client.pem",
    ),
    (
        "require: {issuer: »/CN=Ü}",
        "never-matches: issuer /CN=Ü contains characters that are not ASCII",
        "use a certificate whose names are ASCII",
    ),
    (
        "require: {cipher: »'A:B'}",
        "never-matches: cipher A:B is not the name of one cipher",
        "write one, such as TLS_AES_256_GCM_SHA384",
    ),
    (
        f"require: {{subject: »/{'x' * 1024}}}",
        f"text-too-long: subject /{'x' * 56}... is 1 character too long",
        "shorten it by 1 character",
    ),
    ("plugin: »AWSAuthenticationPlugin", *("unknown-plugin: plugin AWSAuthenticationPlugin cannot be set",), None),
    (
        "plugin: »mysql_native_pasword",
        "unknown-plugin: plugin mysql_native_pasword cannot be set",
        "did you mean mysql_native_password?",
    ),
    (
        "plugin: »auth_socket",
        "unknown-plugin: plugin auth_socket cannot be set",
        "remove it to use the server's default",
    ),
    ("comment: »'a\\b'", "invalid-text: comment a\\b contains a backslash", "remove it"),
    ('comment: »"a\\tb"', "invalid-text: comment a<U+0009>b contains U+0009", "remove it"),
    (
        f"comment: »{'x' * 256}",
        f"text-too-long: comment {'x' * 57}... is 1 character too long",
        "shorten it by 1 character",
    ),
    (
        "comment: »'{{resolve:secretsmanager:/shared/database/other}}'",
        "invalid-text: comment {{resolve:secretsmanager:/shared/database/other}} contains {{resolve:",
        "remove {{resolve:",
    ),
    (
        "require: {subject: »'/CN={{resolve:ssm:a}}'}",
        "invalid-text: subject /CN={{resolve:ssm:a}} contains {{resolve:",
        "remove {{resolve:",
    ),
    (
        "comment: »'of {stage}'",
        "no-stages: {stage} is used, but tenant a has no stages",
        "add stages: [dev, prod] to the tenant, or write the name without it",
    ),
    (
        "password_expire_after_days: »30",
        "expires-before-rotation: the password expires after 30 days, before it is rotated",
        "write a number above 30",
    ),
    (
        "rotate_after_days: 100, password_expire_after_days: »1",
        "expires-before-rotation: the password expires after 1 day, before it is rotated",
        "write a number above 100",
    ),
    (
        "auth: iam, plugin: »caching_sha2_password",
        "not-with-iam: plugin is set for a user without a password",
        "remove it",
    ),
    (
        "auth: iam, rotate_after_days: »0",
        "not-with-iam: rotate_after_days is set for a user without a password",
        "remove it",
    ),
    (
        "auth: iam, password_expire_after_days: »90",
        "not-with-iam: password_expire_after_days is set for a user without a password",
        "remove it",
    ),
    (
        "auth: iam, password_reuse_after_days: »90",
        "not-with-iam: password_reuse_after_days is set for a user without a password",
        "remove it",
    ),
    (
        "auth: iam, password_require_current: »false",
        "not-with-iam: password_require_current is set for a user without a password",
        "remove it",
    ),
    ("auth: iam, require: »none", "not-with-iam: require is NONE with auth: iam", "remove it, or write SSL"),
]


@pytest.mark.parametrize(("body", "expected", "fix"), [*_SHAPES, *_RULES])
def test_what_cannot_be_is_one_problem(body: str, expected: str, fix: str | None):
    body = f"  a: {{users: {{a: {{{body}}}}}}}"
    assert told(body) == [expected]
    assert fix is None or fixes(body) == [fix]


def test_the_plugin_of_iam_is_asked_for_by_auth():
    assert fixes("  a: {users: {a: {plugin: awsauthenticationplugin}}}") == [
        "write auth: iam instead, which needs no secret either"
    ]


def test_a_comment_of_a_role_meets_the_same_rules():
    assert told("  a: {roles: {a-reader: {comment: »'\\'}}}") == ["invalid-text: comment \\ contains a backslash"]


@pytest.mark.parametrize("plugin", PASSWORD_PLUGINS)
def test_every_plugin_that_takes_a_password_may_be_named(plugin: str):
    assert user(f"plugin: {plugin}").options.plugin == plugin


def test_rotation_that_all_users_inherit_is_no_contradiction_to_iam():
    text = "defaults: {rotate_after_days: 7}\n  a: {users: {a: {auth: iam}}}"
    assert tenants(text.partition("\n")[2])[0].users[0].rotate_after_days == 0


def test_a_password_that_never_rotates_may_expire():
    assert user("rotate_after_days: 0, password_expire_after_days: 1").options.expire_after_days == 1


# Hosts


@pytest.mark.parametrize(
    ("host", "what", "fix"),
    [
        ("a" * 256, f"host {'a' * 57}... is 1 character too long", "shorten it by 1 character"),
        ("App.Example.com", "host App.Example.com contains capital letters", "write app.example.com"),
        ("my host", "host my host contains a space", "write an address, a network, a host name or a pattern"),
        ("a*", 'host a* contains "*"', "write an address, a network, a host name or a pattern"),
        ("a'b", "host a'b contains \"'\"", "write an address, a network, a host name or a pattern"),
        ("a\\b", "host a\\b contains a backslash", "write an address, a network, a host name or a pattern"),
        ("exämple.com", 'host exämple.com contains "ä"', "write an address, a network, a host name or a pattern"),
        ("a\x07", "host a<U+0007> contains U+0007", "write an address, a network, a host name or a pattern"),
        ("10.0.0.1-10.0.0.9", "host 10.0.0.1-10.0.0.9 is a range of addresses", "write a network, such as 10.0.0.0/24"),
        ("10.0.0.1-9", "host 10.0.0.1-9 is a range of addresses", "write a network, such as 10.0.0.0/24"),
        ("10.0.0.1/8", "host 10.0.0.1/8 matches nobody", "write 10.0.0.0/8"),
        ("10.0.1.0/255.255.0.0", "host 10.0.1.0/255.255.0.0 matches nobody", "write 10.0.0.0/255.255.0.0"),
        ("0.0.0.0/0", "host 0.0.0.0/0 matches nobody", 'write "%"'),
        ("10.0.0.0/33", "host 10.0.0.0/33 is not a network", "for example 10.0.0.0/16"),
        ("10.0.0.0/08", "host 10.0.0.0/08 is not a network", "for example 10.0.0.0/16"),
        ("10.0.0.0/", "host 10.0.0.0/ is not a network", "for example 10.0.0.0/16"),
        ("10.0.0.0/255.0.255.0", "host 10.0.0.0/255.0.255.0 is not a network", "for example 10.0.0.0/16"),
        ("10.0.0.0/0.0.255.255", "host 10.0.0.0/0.0.255.255 is not a network", "for example 10.0.0.0/16"),
        ("10.0.%/255.255.0.0", "host 10.0.%/255.255.0.0 is not a network", "for example 10.0.0.0/16"),
        ("fe80::/10", "host fe80::/10 is not a network", "for example 10.0.0.0/16"),
        ("app/16", "host app/16 is not a network", "for example 10.0.0.0/16"),
        ("10.0.0", "host 10.0.0 is not an address", "write all four, or a pattern such as 10.0.%"),
        ("10.0.0.256", "host 10.0.0.256 is not an address", "write all four, or a pattern such as 10.0.%"),
        ("10.0.0.01", "host 10.0.0.01 is not an address", "write all four, or a pattern such as 10.0.%"),
        ("...", "host ... is not an address", "write all four, or a pattern such as 10.0.%"),
        ("app:3306", "host app:3306 is not an address", "write the address or the host name alone"),
        ("0:0:0:0:0:0:0:1", "host 0:0:0:0:0:0:0:1 is not written the way MySQL writes it", "write ::1"),
        ("::ffff:10.0.0.1", "host ::ffff:10.0.0.1 is not written the way MySQL writes it", "write 10.0.0.1"),
    ],
)
def test_a_host_that_would_let_nobody_in(host: str, what: str, fix: str):
    assert [(code, told, fixed) for code, told, _, fixed in hosts.faults(host)] == [("invalid-host", what, fix)]


@pytest.mark.parametrize(
    "host",
    [
        *("%", "10.0.%", "10.0.0._", "%.example.com", "fe80::%", "10.0.0.1", "::1", "2001:db8::17", "localhost"),
        *("app.example.com", "my-app_1", "a" * 255, "10.0.0.0/8", "10.0.0.0/255.0.0.0", "10.0.0.1/32", "9gag.com"),
    ],
)
def test_a_host_that_can_be(host: str):
    assert user(f"host: '{host}'").hosts == (host,)


# What a server does, which is why there are these rules

_FROM_HERE = (
    *("%", "127.%", "127.0.0._", "_27.0.0.1", "127.0.0.1", "localhost", "127.0.0.0/8", "127.0.0.0/9"),
    *("127.0.0.0/255.0.0.0", "127.0.0.0/255.128.0.0", "127.0.0.1/32", "127.0.0.0/30"),
)
_FROM_NOWHERE = (
    "1.aurora-tenants.invalid",
    *("127.0.0.0-127.0.0.9", "127.0.0.1/8", "127.0.0.1/255.0.0.0", "127.0.0.0/255.0.255.0", "127.0.0.0/0.255.255.255"),
    *(
        "0.0.0.0/0",
        "0.0.0.0/0.0.0.0",
        "127.0.%/255.0.0.0",
        "127.0.0.0/255",
        "127.0.0.0/",
        "::ffff:127.0.0.1",
        "127.0.0",
    ),
)


def test_hosts_that_let_somebody_in(server: Server):
    """Logged in from 127.0.0.1."""
    assert [host for host in _FROM_HERE if not _lets_in(server, host)] == []
    assert [host for host in _FROM_HERE if list(hosts.faults(host))] == []


def test_hosts_that_let_nobody_in(server: Server):
    """MySQL makes these accounts without a word."""
    assert [host for host in _FROM_NOWHERE if _lets_in(server, host)] == []
    assert [host for host in _FROM_NOWHERE if not list(hosts.faults(host))] == []


def _lets_in(server: Server, host: str) -> bool:
    execute, account = execute_as(server), Account("from-here", host)
    execute(f"CREATE USER {account} IDENTIFIED BY 'x'")
    try:
        # caching_sha2_password wants TLS or a password that it knows already: any answer but 1045 is about the host.
        server.connect("from-here", "x").close()
    except pymysql.MySQLError as error:
        return error.args[0] != 1045
    finally:
        execute(f"DROP USER {account}")
    return True


def test_a_number_beyond_the_range_means_another_to_mysql(server: Server):
    """A limit of 2³² would be none at all, and a history of 65,536 is one of 65,535."""
    execute = execute_as(server)
    execute(
        "CREATE USER beyond IDENTIFIED BY 'x' WITH MAX_QUERIES_PER_HOUR 4294967296 MAX_UPDATES_PER_HOUR 4294967297 "
        "MAX_CONNECTIONS_PER_HOUR 4294967295 MAX_USER_CONNECTIONS 4294967296 "
        "PASSWORD HISTORY 65536 PASSWORD REUSE INTERVAL 4294967296 DAY"
    )
    columns = "max_questions, max_updates, max_connections, max_user_connections, "
    columns += "Password_reuse_history, Password_reuse_time"
    assert execute(f"SELECT {columns} FROM mysql.user WHERE User = 'beyond'") == [(0, 1, 4294967295, 0, 65535, 0)]
    with pytest.raises(pymysql.MySQLError) as refused:
        execute("ALTER USER beyond PASSWORD EXPIRE INTERVAL 65536 DAY")
    assert refused.value.args[0] == 1525


def test_mysql_takes_an_empty_subject_for_a_requirement_that_requires_nothing(server: Server):
    execute = execute_as(server)
    execute("CREATE USER `empty-subject` IDENTIFIED BY 'x' REQUIRE SUBJECT ''")
    selected = "SELECT ssl_type, x509_subject FROM mysql.user WHERE User = 'empty-subject'"
    assert execute(selected) == [("SPECIFIED", b"")]


def test_the_default_limit_of_connections_is_for_all_users_and_their_own_wins():
    head = "version: 1\ncluster: {stack: shared}\ndefaults: {max_user_connections: 20}\ntenants:\n"
    body = "  a: {users: {a: , b: {auth: iam}, c: {max_user_connections: 5}, d: {max_user_connections: 0}}}\n"
    (tenant,) = config.parse(head + body, "f").tenants
    assert [user.options.max_user_connections for user in tenant.users] == [20, 20, 5, 0]
    told = problems(head.replace("20", "-1") + body)
    assert [(problem.code, str(problem.where)) for problem in told] == [("wrong-value", "f:3:34")]
