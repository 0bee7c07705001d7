"""The user that plans read with, the shared stack's own: what it may read, whatever anybody asks for it. Pure."""

from __future__ import annotations

from aurora_tenants.mysql.grants import Scope
from aurora_tenants.mysql.owners import OWNERS

# The grant tables, and the schema with the owners and the views of accounts: no password hash, and no tenant's data.
_TABLES = ("db", "tables_priv", "columns_priv", "procs_priv", "global_grants", "role_edges", "default_roles")
RIGHTS = frozenset(
    {
        ("SHOW DATABASES", Scope("GLOBAL")),
        *(("SELECT", Scope("TABLE", "mysql", table)) for table in _TABLES),
        ("SELECT", Scope("DATABASE", OWNERS)),
    }
)


def inspector_properties() -> dict[str, list[dict[str, str]]]:
    """The properties of a Custom::DatabaseUser that ask for exactly this."""
    return {
        "Privileges": [
            {"Permission": privilege, "Database": scope.database or "*", "Table": scope.name or "*"}
            for privilege, scope in sorted(RIGHTS)
        ]
    }
