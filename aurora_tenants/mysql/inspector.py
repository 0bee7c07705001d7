"""The user that plans read with, the shared stack's own: what it may read, whatever anybody asks for it. Pure."""

from __future__ import annotations

from aurora_tenants.mysql.grants import Scope
from aurora_tenants.mysql.objects import OBJECTS
from aurora_tenants.mysql.owners import OWNERS

# The grant tables, the schema with the owners and the views of accounts, and the function that says what there is: no
# password hash, and no tenant's data.
_TABLES = ("db", "tables_priv", "columns_priv", "procs_priv", "global_grants", "role_edges", "default_roles")
RIGHTS = frozenset(
    {
        ("SHOW DATABASES", Scope("GLOBAL")),
        *(("SELECT", Scope("TABLE", "mysql", table)) for table in _TABLES),
        ("SELECT", Scope("DATABASE", OWNERS)),
        ("EXECUTE", Scope("FUNCTION", OWNERS, OBJECTS)),
    }
)


def inspector_properties(*, can_look: bool) -> dict[str, list[dict[str, str]]]:
    """The properties of a Custom::DatabaseUser that ask for exactly this. can_look: the function is there."""
    return {
        "Privileges": [
            {
                "Permission": privilege,
                "Database": scope.database or "*",
                "Function" if scope.level == "FUNCTION" else "Table": scope.name or "*",
            }
            for privilege, scope in sorted(RIGHTS)
            if can_look or scope.level != "FUNCTION"
        ]
    }
