"""The user that plans read with, the shared stack's own: what it may read, whatever anybody asks for it. Pure."""

from __future__ import annotations

from collections.abc import Collection

from aurora_tenants.mysql.grants import Scope
from aurora_tenants.mysql.objects import OBJECTS
from aurora_tenants.mysql.owners import OWNERS
from aurora_tenants.mysql.sessions import CONNECTIONS

# The grant tables, the schema with the owners and the views of accounts, and the functions that say what there is and
# how many are connected: no password hash, no tenant's data, and nobody's statements.
FUNCTIONS = OBJECTS, CONNECTIONS
_TABLES = ("db", "tables_priv", "columns_priv", "procs_priv", "global_grants", "role_edges", "default_roles")
RIGHTS = frozenset(
    {
        ("SHOW DATABASES", Scope("GLOBAL")),
        *(("SELECT", Scope("TABLE", "mysql", table)) for table in _TABLES),
        ("SELECT", Scope("DATABASE", OWNERS)),
        *(("EXECUTE", Scope("FUNCTION", OWNERS, function)) for function in FUNCTIONS),
    }
)


def inspector_properties(functions: Collection[str] = FUNCTIONS) -> dict[str, list[dict[str, str]]]:
    """The properties of a Custom::DatabaseUser that ask for exactly this. functions: those that are there."""
    return {
        "Privileges": [
            {
                "Permission": privilege,
                "Database": scope.database or "*",
                "Function" if scope.level == "FUNCTION" else "Table": scope.name or "*",
            }
            for privilege, scope in sorted(RIGHTS)
            if scope.name in functions or scope.level != "FUNCTION"
        ]
    }
