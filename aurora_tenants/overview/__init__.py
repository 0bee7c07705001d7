"""What `status` shows, made of what was read. Pure.

    overview(found, ("shop-dev",))      Overview(tenants=(TenantStatus("shop-dev", …),), cluster=ClusterStatus(…), …)

values: what there is to show. found: what was read for it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from aurora_tenants.model import Tenant
from aurora_tenants.naming import renamed_users, secret_name, stack_name
from aurora_tenants.overview.found import Found
from aurora_tenants.overview.values import (
    Bill,
    ClusterStatus,
    DatabaseStatus,
    Difference,
    Overview,
    SecretStatus,
    SharedStatus,
    TenantStatus,
    Trouble,
    UserStatus,
)
from aurora_tenants.schedule.cost import Price, known_price
from aurora_tenants.schedule.plan import LiveCluster
from aurora_tenants.schedule.week import HOURS_A_MONTH
from aurora_tenants.stack import Stack
from aurora_tenants.tenant.secrets import LiveSecret, overdue_since, stuck_since

_CENT = Decimal("0.01")


def overview(found: Found, only: Collection[str] = ()) -> Overview:
    """only: the tenants that are shown; all of them when empty: those of the file, then those that are still there."""
    configuration, of_file = found.configuration, {tenant.name: tenant for tenant in found.configuration.tenants}
    names = [*of_file, *sorted(found.deployed.tenants.keys() - of_file.keys())]
    shown = [name for name in names if not only or name in only]
    shared, cluster = found.shared, found.cluster
    capacity = found.cost.on_schedule if found.cost else None
    price = found.cost.price if found.cost else found.price
    if found.cost is None and cluster.capacity and price:
        capacity = (Decimal(cluster.capacity.min_acu) * HOURS_A_MONTH * price.acu_hour).quantize(_CENT, ROUND_HALF_UP)
    # The master's, which RDS keeps, has another name than the users'.
    secrets = 1 + sum(not secret.is_deleted for secret in found.secrets.by_name.values())
    return Overview(
        found.account,
        found.region,
        cluster.now,
        _cluster(found),
        SharedStatus(configuration.cluster.stack, shared.status, shared.version, found.needed),
        found.schedule,
        Bill(capacity, price, secrets),
        tuple(_tenant(found, name, of_file.get(name)) for name in shown),
        found.mysql_at,
        found.not_read,
        found.woke_cluster,
        bool(only),
        found.problems,
    )


def price_of(region: str, cluster: LiveCluster) -> Price | None:
    """The known price of an ACU-hour of this cluster."""
    return known_price(region, is_io_optimized=cluster.is_io_optimized)


def _cluster(found: Found) -> ClusterStatus:
    sessions, live = found.sessions, found.live
    seen = ClusterStatus(
        found.shared.cluster_arn.rpartition(":")[2],
        found.cluster.engine_version,
        found.cluster.capacity,
        found.acu,
    )
    if not sessions or not live or not found.mysql_at:
        return seen
    return ClusterStatus(
        seen.identifier,
        seen.engine_version,
        seen.scaling,
        seen.acu,
        sessions.connections,
        live.server.max_connections,
        found.mysql_at - timedelta(seconds=sessions.uptime_seconds),
        sessions.counts_logins,
        sessions.by_user is not None,
    )


def _tenant(found: Found, name: str, tenant: Tenant | None) -> TenantStatus:
    """tenant: None for one that is no longer in the file."""
    cluster = found.configuration.cluster
    stack, deployed = stack_name(cluster, name), found.deployed.tenants.get(name)
    plan = found.plans.get(name)
    databases, users = found.owned.get(stack, ((), ()))
    of_file = {user.name: user for user in tenant.users} if tenant else {}
    stored = found.live.server.stored if found.live else str
    secrets = _secrets(found, deployed)
    asked = [stored(database.name) for database in tenant.databases] if tenant else []
    return TenantStatus(
        name,
        stack,
        deployed.status if deployed else "",
        _difference(found, name, tenant, deployed),
        None if plan is None else len(plan.changes),
        tuple(_database(found, each) for each in dict.fromkeys((*asked, *databases))),
        tuple(
            _user(
                found,
                each,
                secrets.get(each),
                needs=each in of_file and of_file[each].auth == "password" and deployed is not None,
                rotates=each in of_file and of_file[each].rotate_after_days > 0,
            )
            for each in dict.fromkeys((*of_file, *users, *secrets))
        ),
    )


def _secrets(found: Found, stack: Stack | None) -> dict[str, LiveSecret]:
    """The secrets that a stack says it has made, by user. One keeps its name when its user gets another."""
    outputs, prefix = stack.outputs if stack else {}, secret_name(found.configuration.cluster, "")
    names_now = {first: name for name, first in renamed_users(outputs).items()}
    secrets = {it.name.removeprefix(prefix): it for it in map(found.by_arn.get, outputs.values()) if it}
    return {names_now.get(first, first): secret for first, secret in secrets.items()}


def _difference(found: Found, name: str, tenant: Tenant | None, stack: Stack | None) -> Difference:
    if name in found.waits:
        return "busy"
    if tenant is None:
        return "to remove"
    if stack is None or not stack.was_begun:
        return "not deployed"
    plan = found.plans.get(name)
    if plan is None:
        return "unknown"
    if plan.stack.action == "update":
        return "drift" if plan.stack.origin == "drift" else "changes"
    differences: dict[str, Difference] = {"create": "not deployed", "replace": "to make again", "delete": "to remove"}
    return differences.get(plan.stack.action, "in sync")


def _database(found: Found, name: str) -> DatabaseStatus:
    if found.live is None:
        return DatabaseStatus(name)
    state = found.live.state
    return DatabaseStatus(name, name in state.databases, state.contents.get(name) if name in state.databases else None)


def _user(found: Found, name: str, live: LiveSecret | None, *, needs: bool, rotates: bool) -> UserStatus:
    """needs: the file gives it a password, and its stack is there. rotates: the file says so."""
    secret = None
    if live:
        secret = _secret(live, found.secrets.now, rotates=rotates)
    elif needs:
        secret = SecretStatus(secret_name(found.configuration.cluster, name), trouble="gone")
    counted = found.sessions.of(name) if found.sessions else None
    return UserStatus(
        name,
        name in found.accounts if found.live else None,
        counted.connections if counted else None,
        counted.logins if counted and found.sessions and found.sessions.counts_logins else None,
        secret,
    )


def _secret(live: LiveSecret, now: datetime, *, rotates: bool) -> SecretStatus:
    stuck, overdue = stuck_since(live, now), overdue_since(live, now)
    trouble: Trouble = ""
    if live.is_deleted:
        trouble = "deleted"
    elif stuck:
        trouble = "stuck"
    elif overdue:
        trouble = "overdue"
    elif rotates and not live.rotates:
        trouble = "off"
    return SecretStatus(
        live.name,
        live.period if live.rotates else "",
        live.rotated,
        live.next_rotation if live.rotates else None,
        live.accessed,
        trouble,
        stuck or overdue,
    )
