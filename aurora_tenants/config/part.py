"""The part of a document that one tenant needs: where its entry is sound alone, the rest need not be checked.

of_one(document, "shop-dev")    the same document, whose tenants are {"shop": {"stages": ["dev", "prod"], …}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aurora_tenants.config.declared import limit_size, stages, tenants_of
from aurora_tenants.config.reading import filled, mapping, text
from aurora_tenants.config.yaml_file import Document


def of_one(document: Document, tenant: str) -> Document | None:
    """The document with the one entry that this tenant comes from, and without what is about tenants by their names.

    None where there is no such entry, or another has a name in common with it. Raises InvalidFile as tenants does.
    """
    data = mapping(document.data)
    bodies = {name: mapping(body) for name, body in mapping(data.get("tenants")).items()}
    by_name = {name: stages(body) for name, body in bodies.items()}
    limit_size(document, by_name)
    entry = next((name for name, names in by_name.items() if tenant in tenants_of(name, names)), None)
    if entry is None:
        return None
    own = _names(entry, bodies[entry], by_name[entry])
    if any(own & _names(name, body, by_name[name]) for name, body in bodies.items() if name != entry):
        return None
    kept = {key: value for key, value in data.items() if key not in ("ignore", "rollout")}
    return replace(document, data=kept | {"tenants": {entry: data["tenants"][entry]}})


def _names(entry: str, body: Mapping[str, Any], stages: tuple[str, ...]) -> set[tuple[str, str]]:
    """What no two entries may have in common: the tenants that they stand for, and names in MySQL, in any case."""
    databases, roles, users = (mapping(body.get(group)) for group in ("databases", "roles", "users"))
    old = [name for user in users.values() if (name := text(mapping(user), "renamed_from"))]
    written = [*(("database", key) for key in databases), *(("user", key) for key in (*roles, *users, *old))]
    in_mysql = {(noun, filled(key, stage).lower()) for noun, key in written for stage in stages or (None,)}
    return in_mysql | {("tenant", full_name) for full_name in tenants_of(entry, stages)}
