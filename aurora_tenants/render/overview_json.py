"""What `status` shows, for a program. What each key means stands in schema/status.schema.json."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from aurora_tenants.overview.values import (
    Bill,
    ClusterStatus,
    DatabaseStatus,
    Overview,
    SecretStatus,
    TenantStatus,
    UserStatus,
)
from aurora_tenants.render.problems import problem_data
from aurora_tenants.render.schedule import capacity_data
from aurora_tenants.schedule.view import View


def overview_data(found: Overview) -> dict[str, Any]:
    """`version` changes when a key goes away or means something else. Instants are UTC; what is not known is null."""
    return {
        "version": 1,
        "account": found.account,
        "region": found.region,
        "at": found.at.isoformat(),
        "mysql": {"read_at": _at(found.mysql_at), "not_read": found.not_read or None},
        "woke_cluster": found.woke_cluster,
        "cluster": _cluster(found.cluster),
        "shared_stack": {
            "stack": found.shared.name,
            "status": found.shared.status,
            "version": found.shared.version,
            "needs_version": found.shared.needed,
            "is_too_old": found.shared.is_too_old,
        },
        "pause_schedule": _schedule(found.schedule) if found.schedule else None,
        "cost": _bill(found.bill),
        "tenants": [_tenant(tenant) for tenant in found.tenants],
        "problems": [problem_data(problem) for problem in found.problems],
    }


def _cluster(cluster: ClusterStatus) -> dict[str, Any]:
    return {
        "identifier": cluster.identifier,
        "engine_version": cluster.engine_version,
        "scaling": capacity_data(cluster.scaling),
        "acu": cluster.acu,
        "is_paused": cluster.is_paused,
        "connections": cluster.connections,
        "most_connections": cluster.most_connections or None,
        "started": _at(cluster.started),
        "counts_logins": cluster.counts_logins,
        "sees_users": cluster.sees_users,
    }


def _schedule(view: View) -> dict[str, Any]:
    change = next(iter(view.following), None)
    return {
        "stack": view.plan.stack.name,
        "action": view.plan.stack.action,
        "is_asleep": view.should_be == view.schedule.asleep if view.schedule else None,
        "next": {
            "at": change.at.isoformat(),
            "local": change.local.isoformat(),
            "state": "awake" if change.is_awake else "asleep",
            "capacity": capacity_data(change.capacity),
        }
        if change
        else None,
    }


def _bill(bill: Bill) -> dict[str, Any]:
    return {
        "currency": "USD",
        "capacity": _number(bill.capacity),
        "acu_hour": float(bill.price.acu_hour) if bill.price else None,
        "secrets": bill.secrets,
        "secrets_amount": float(bill.secrets_amount),
        "together": _number(bill.together),
        "secrets_share": None if bill.share is None else round(float(bill.share), 4),
    }


def _tenant(tenant: TenantStatus) -> dict[str, Any]:
    return {
        "tenant": tenant.name,
        "stack": tenant.stack,
        "status": tenant.status or None,
        "stack_is": tenant.word,
        "difference": tenant.difference,
        "statements": tenant.statements,
        "databases": [_database(database) for database in tenant.databases],
        "tables": tenant.tables,
        "bytes": tenant.bytes,
        "users": [_user(user) for user in tenant.users],
        "connections": tenant.connections,
        "monthly": float(tenant.monthly),
    }


def _database(database: DatabaseStatus) -> dict[str, Any]:
    contents = database.contents
    return {
        "name": database.name,
        "is_there": database.is_there,
        "tables": contents.tables if contents else None,
        "rows": contents.rows if contents else None,
        "bytes": contents.bytes if contents else None,
    }


def _user(user: UserStatus) -> dict[str, Any]:
    return {
        "name": user.name,
        "is_there": user.is_there,
        "connections": user.connections,
        "logins": user.logins,
        "secret": _secret(user.secret) if user.secret else None,
    }


def _secret(secret: SecretStatus) -> dict[str, Any]:
    return {
        "name": secret.name,
        "period": secret.period or None,
        "rotated": _at(secret.rotated),
        "next_rotation": _at(secret.next_rotation),
        "last_read": f"{secret.accessed:%Y-%m-%d}" if secret.accessed else None,
        "trouble": secret.trouble or None,
        "since": _at(secret.since),
    }


def _at(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
