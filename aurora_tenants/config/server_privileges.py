"""Privileges on the whole server that no tenant may hold, and what each would let it do to the others.

MySQL is shared: what `*.*` allows, it allows on every tenant's data, sessions and settings. The few that reach nobody
are `grants.TENANT_GLOBAL`. Source: "Privileges Provided by MySQL", MySQL 8.0 and 8.4 Reference Manuals; every
privilege that a server knows is in one of the two (test_every_privilege_of_the_server_is_allowed_or_refused).
"""

from __future__ import annotations

from collections.abc import Mapping

# What a tenant with the privilege could do: "it would let the tenant …".
ON_DATABASES: Mapping[str, str] = {
    "ALTER": "change the tables of every tenant",
    "ALTER ROUTINE": "change and drop the routines of every tenant",
    "CREATE": "make databases that are nobody's, and tables in those of every tenant",
    "CREATE ROUTINE": "make routines in the databases of every tenant",
    "CREATE TEMPORARY TABLES": "make temporary tables in the databases of every tenant",
    "CREATE VIEW": "make views in the databases of every tenant",
    "DELETE": "delete the data of every tenant",
    "DROP": "drop the databases of every tenant",
    "EVENT": "change and drop the events of every tenant",
    "EXECUTE": "run the routines of every tenant, with the rights of who made them",
    "INDEX": "make and drop the indexes of every tenant",
    "INSERT": "write into the tables of every tenant",
    "LOCK TABLES": "lock the tables of every tenant",
    "REFERENCES": "make foreign keys to the tables of every tenant",
    "SELECT": "read the data of every tenant",
    "SHOW VIEW": "read the views of every tenant",
    "TRIGGER": "run statements whenever a tenant's data change",
    "UPDATE": "change the data of every tenant",
}
_SETTINGS = "change settings that every tenant works with"
_REPLICATION = "stop and redirect the replication of the whole server"
_STATIC = {
    "CREATE ROLE": "make roles in the names of other tenants",
    "CREATE TABLESPACE": "change the files that tables of every tenant lie in",
    "CREATE USER": "change the password of every tenant's users, and drop them",
    "DROP ROLE": "drop the roles of every tenant",
    "FILE": "read and write files of the server, in which every tenant's data lie",
    "GRANT OPTION": "pass on whatever it holds, to users of every tenant",
    "PROXY": "take the place of users of other tenants",
    "RELOAD": "close the tables and reset the counters of every tenant",
    "REPLICATION SLAVE": "read the binary log, with every change of every tenant",
    "SHUTDOWN": "stop the server for every tenant",
    "SUPER": "end the sessions, change the settings and bypass the limits of every tenant",
}
_DYNAMIC = {
    "ALLOW_NONEXISTENT_DEFINER": "make routines in the name of a user that another tenant makes later",
    "AUDIT_ABORT_EXEMPT": "escape the audit of the server",
    "AUDIT_ADMIN": "change what is audited of every tenant",
    "AUTHENTICATION_POLICY_ADMIN": "escape the rules for logging in",
    "BACKUP_ADMIN": "lock the whole server for a backup",
    "BINLOG_ADMIN": _REPLICATION,
    "BINLOG_ENCRYPTION_ADMIN": _SETTINGS,
    "CLONE_ADMIN": "copy the whole server, or put another in its place",
    "CONNECTION_ADMIN": "end the sessions of every tenant, and escape the limits of connections",
    "CREATE_SPATIAL_REFERENCE_SYSTEM": "change reference systems that every tenant works with",
    "ENCRYPTION_KEY_ADMIN": "change the keys that every tenant's data are encrypted with",
    "FIREWALL_ADMIN": "change which statements every tenant may run",
    "FIREWALL_EXEMPT": "escape the firewall of the server",
    "FIREWALL_USER": "change which statements its users may run",
    "FLUSH_PRIVILEGES": "reload the grants of the whole server, at every tenant's expense",
    "FLUSH_TABLES": "close the tables of every tenant, and wait on their locks",
    "FLUSH_USER_RESOURCES": "reset the limits of every tenant's users",
    "GROUP_REPLICATION_ADMIN": _REPLICATION,
    "GROUP_REPLICATION_STREAM": _REPLICATION,
    "INNODB_REDO_LOG_ARCHIVE": "copy the log with every tenant's changes",
    "INNODB_REDO_LOG_ENABLE": "turn off what saves every tenant's data from a crash",
    "MANAGE_DATA_MASKING_POLICY": "change what hides the data of every tenant",
    "MASKING_DICTIONARIES_ADMIN": "change what hides the data of every tenant",
    "NDB_STORED_USER": "carry its users to other servers",
    "PASSWORDLESS_USER_ADMIN": "make users without a password",
    "PERSIST_RO_VARIABLES_ADMIN": _SETTINGS,
    "REPLICATION_APPLIER": "run changes in the name of users of every tenant",
    "REPLICATION_SLAVE_ADMIN": _REPLICATION,
    "RESOURCE_GROUP_ADMIN": "take processors away from every tenant",
    "RESOURCE_GROUP_USER": "move its sessions before those of every tenant",
    "ROLE_ADMIN": "grant itself the roles of every tenant, and take them from others",
    "SENSITIVE_VARIABLES_OBSERVER": "read settings that hold secrets of the server",
    "SERVICE_CONNECTION_ADMIN": "take the connection that is kept for emergencies",
    "SESSION_VARIABLES_ADMIN": "escape limits that hold for every session",
    "SET_ANY_DEFINER": "run views and routines with the rights of any other user",
    "SET_USER_ID": "run views and routines with the rights of any other user",
    "SHOW_ROUTINE": "read the routines of every tenant",
    "SKIP_QUERY_REWRITE": "escape the rules by which statements are rewritten",
    "SYSTEM_USER": "become a user that the cluster's master user can neither change nor drop",
    "SYSTEM_VARIABLES_ADMIN": _SETTINGS,
    "TABLE_ENCRYPTION_ADMIN": "escape the server's rule that tables are encrypted",
    "TELEMETRY_LOG_ADMIN": _SETTINGS,
    "TP_CONNECTION_ADMIN": "take connections that are kept for emergencies",
    "TRANSACTION_GTID_TAG": "write transactions into the binary log under names of its own",
    "VERSION_TOKEN_ADMIN": _SETTINGS,
    "XA_RECOVER_ADMIN": "read and end the prepared transactions of every tenant",
}

NEVER: Mapping[str, str] = _STATIC | _DYNAMIC
