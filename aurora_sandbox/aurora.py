"""Makes a plain MySQL server one that refuses what Aurora refuses: its accounts, its master user, its way of IAM.

    create_master(server, "admin", "secret", partial_revokes=True)
    switch_iam(server, on=True)
    wipe(server)                     # what is left of a cluster that was deleted: nothing

Works on the server directly, as root; which of it a cluster needs, and when, says resources/dbcluster.py.
"""

from __future__ import annotations

from aurora_sandbox import iam_plugin
from aurora_sandbox.mysqld import Server

SUPERUSER_ROLE = "rds_superuser_role"
AWS_ROLES = (
    "AWS_BEDROCK_ACCESS",
    "AWS_COMPREHEND_ACCESS",
    "AWS_LAMBDA_ACCESS",
    "AWS_LOAD_S3_ACCESS",
    "AWS_SAGEMAKER_ACCESS",
    "AWS_SELECT_S3_ACCESS",
)
# Source: "Role-based privilege model", Aurora User Guide, Aurora MySQL 3.
_MASTER_PRIVILEGES = (
    "ALTER, ALTER ROUTINE, CREATE, CREATE ROLE, CREATE ROUTINE, CREATE TEMPORARY TABLES, CREATE USER, CREATE VIEW, "
    "DELETE, DROP, DROP ROLE, EVENT, EXECUTE, INDEX, INSERT, LOCK TABLES, PROCESS, REFERENCES, RELOAD, "
    "REPLICATION CLIENT, REPLICATION SLAVE, SELECT, SHOW DATABASES, SHOW VIEW, TRIGGER, UPDATE, "
    "APPLICATION_PASSWORD_ADMIN, CONNECTION_ADMIN, ROLE_ADMIN, SHOW_ROUTINE, XA_RECOVER_ADMIN, "
    "SET_USER_ID, ALLOW_NONEXISTENT_DEFINER, SET_ANY_DEFINER, "
    "FLUSH_OPTIMIZER_COSTS, FLUSH_STATUS, FLUSH_TABLES, FLUSH_USER_RESOURCES"
)
_NOT_ON_MYSQL_SCHEMA = (
    "INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, "
    "CREATE VIEW, CREATE ROUTINE, ALTER ROUTINE, EVENT, TRIGGER"
)


def create_master(server: Server, username: str, password: str, *, partial_revokes: bool) -> None:
    """Makes (or, run again, repairs) Aurora's own accounts and a master user that may do what Aurora's may.

    The master's privileges come through the role rds_superuser_role, so the account itself shows USAGE. With
    partial_revokes the role carries restrictions on `mysql`.*, and they reach the master: it reads the grant tables
    and grants SELECT on them, but cannot write them, `REVOKE ALL PRIVILEGES, GRANT OPTION FROM` anybody fails (3879),
    and what it grants on *.* is restricted likewise. (REVOKE on the account would be refused with 1141: it holds no
    privilege itself.) Without partial_revokes nothing can restrict it, and unlike Aurora's it may write `mysql`.*.
    """
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW PRIVILEGES")
        known = {str(row[0]).upper() for row in cursor.fetchall()}
        # SET_USER_ID is two privileges from MySQL 8.4 on; SHOW_ROUTINE and the FLUSH_ ones are younger than 8.0.19.
        privileges = ", ".join(name for name in _MASTER_PRIVILEGES.split(", ") if name in known)
        for role in (SUPERUSER_ROLE, *AWS_ROLES):
            cursor.execute("CREATE ROLE IF NOT EXISTS %s", (role,))
        cursor.execute("CREATE USER IF NOT EXISTS rdsadmin@localhost ACCOUNT LOCK")
        cursor.execute("GRANT ALL ON *.* TO rdsadmin@localhost WITH GRANT OPTION")  # SYSTEM_USER: the master gets 1227
        cursor.execute(f"GRANT {privileges} ON *.* TO {SUPERUSER_ROLE} WITH GRANT OPTION")
        if partial_revokes:
            cursor.execute(f"REVOKE {_NOT_ON_MYSQL_SCHEMA} ON mysql.* FROM {SUPERUSER_ROLE}")
        cursor.execute("CREATE USER IF NOT EXISTS %s@'%%'", (username,))
        cursor.execute("ALTER USER %s@'%%' IDENTIFIED BY %s", (username, password))
        cursor.execute(f"GRANT {SUPERUSER_ROLE} TO %s@'%%' WITH ADMIN OPTION", (username,))
        cursor.execute(f"SET DEFAULT ROLE {SUPERUSER_ROLE} TO %s@'%%'", (username,))


def switch_iam(server: Server, *, on: bool) -> None:
    """Loads or unloads the stand-in for AWSAuthenticationPlugin.

    Without it the server answers 1524 to that name, as a cluster without IAM does. Does nothing where there is no
    stand-in. Accounts that have the plugin stay as they are.
    """
    if not (server.directory / iam_plugin.DIRECTORY / iam_plugin.LIBRARY).is_file():
        return
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM information_schema.PLUGINS WHERE PLUGIN_NAME = %s", (iam_plugin.PLUGIN,))
        is_on = cursor.fetchone() is not None
        if on and not is_on:
            cursor.execute(f"INSTALL PLUGIN {iam_plugin.PLUGIN} SONAME '{iam_plugin.LIBRARY}'")
        elif is_on and not on:
            cursor.execute(f"UNINSTALL PLUGIN {iam_plugin.PLUGIN}")


def wipe(server: Server) -> None:
    """Drops every database and account that MySQL itself did not make: what deleting a cluster does to its data."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA"
            " WHERE SCHEMA_NAME NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP DATABASE `{name.replace('`', '``')}`")
        cursor.execute(
            "SELECT User, Host FROM mysql.user"
            " WHERE NOT (Host = 'localhost' AND User IN ('root', 'mysql.sys', 'mysql.session', 'mysql.infoschema'))"
        )
        for account in cursor.fetchall():
            cursor.execute("DROP USER %s@%s", account)
