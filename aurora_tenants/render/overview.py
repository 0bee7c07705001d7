"""What `status` shows, as text: the cluster, a table of the tenants, or all there is of some. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from aurora_tenants.overview.values import (
    Bill,
    ClusterStatus,
    Overview,
    SecretStatus,
    SharedStatus,
    TenantStatus,
    UserStatus,
)
from aurora_tenants.render.layout import USUAL, cells, fitted
from aurora_tenants.render.problems import problem_text
from aurora_tenants.render.styled import Text, joined
from aurora_tenants.render.text import count, printable
from aurora_tenants.schedule.plan import acu
from aurora_tenants.schedule.view import View

UNKNOWN = "?"
_NOTHING = "-"
_GAP = 2
# How many columns the label of a line takes, behind its two blanks.
_LABEL = 13
# What is left of a name that a table has no room for; all of it stands under --tenant.
_SHORTEST_NAME = 12
_WORRYING = ("drift", "to make again", "busy")
_TROUBLES = {"gone": "gone!", "deleted": "deleted!", "off": "off!", "stuck": "stuck!", "overdue": "overdue!"}
_SIZES = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


class _Column(NamedTuple):
    """title: above it. says: of a tenant. is_number: on the right. rank: the higher, the sooner it has no room."""

    title: str
    says: Callable[[TenantStatus, datetime], str]
    is_number: bool = False
    rank: int = 0


_COLUMNS = (
    _Column("TENANT", lambda tenant, _: printable(tenant.name)),
    _Column("STATE", lambda tenant, _: _state(tenant)),
    _Column("STACK", lambda tenant, _: tenant.status or _NOTHING, rank=3),
    _Column("DBS", lambda tenant, _: str(len(tenant.databases)), is_number=True, rank=1),
    _Column("TABLES", lambda tenant, _: _number(tenant.tables), is_number=True),
    _Column("SIZE", lambda tenant, _: _size(tenant.bytes), is_number=True),
    _Column("USERS", lambda tenant, _: str(len(tenant.users)), is_number=True),
    _Column("CONNS", lambda tenant, _: _number(tenant.connections), is_number=True),
    _Column("ROTATES", lambda tenant, now: _rotates(tenant.rotation, now)),
    _Column("MONTH", lambda tenant, _: _dollars(tenant.monthly), is_number=True),
)


def overview_text(found: Overview, *, width: int = USUAL) -> Text:
    """width: of a line, in cells."""
    lines = [*_head(found), Text()]
    if found.is_partial:
        for tenant in found.tenants:
            lines += [*_tenant(tenant, found), Text()]
    else:
        lines += [*_table(found, width), Text()]
    lines += _end(found)
    lines = lines if lines[-1] else lines[:-1]
    return joined(fitted(line, width, hanging=_LABEL if line.plain[2:3].strip() else 2) for line in lines)


def _head(found: Overview) -> Iterator[Text]:
    yield Text(f"Cluster {printable(found.cluster.identifier)}, {found.at:%Y-%m-%d %H:%M} UTC", "bold")
    yield _line("engine", _engine(found.cluster))
    yield _line("capacity", _capacity(found.cluster))
    if found.schedule:
        yield _line("schedule", _schedule(found.schedule, found.at))
    yield _line("shared stack", _shared(found.shared), "red" if found.shared.is_too_old else "")
    yield _line("connections", _connections(found))
    yield _line("a month", _bill(found.bill))


def _line(label: str, said: str, style: str = "") -> Text:
    return Text(f"  {label:<{_LABEL}}").append(said, style)


def _engine(cluster: ClusterStatus) -> str:
    started = f", up since {cluster.started:%Y-%m-%d %H:%M} UTC" if cluster.started else ""
    return f"{printable(cluster.engine_version)}{started}"


def _capacity(cluster: ClusterStatus) -> str:
    scales = f"scales {acu(cluster.scaling)}" if cluster.scaling else "it is not Serverless v2"
    if cluster.acu is None:
        return f"not measured in the last minutes; {scales}"
    return f"{f'{cluster.acu:g} ACU now' if cluster.acu else 'paused'}; {scales}"


def _schedule(view: View, now: datetime) -> str:
    deployed = {
        "none": "deployed as the file says",
        "create": "not deployed yet",
        "delete": "deployed, and no longer in the file",
    }
    said = "cannot be deployed" if view.plan.problems else deployed.get(view.plan.stack.action, "differs from the file")
    if not view.schedule or not view.should_be:
        return said
    state = "asleep" if view.should_be == view.schedule.asleep else "awake"
    change = next((it for it in view.following if it.capacity != view.should_be), None)
    until = f" until {change.local:%a %Y-%m-%d %H:%M} ({view.schedule.timezone})" if change else ", all week"
    return f"{state}{until}; {said}"


def _shared(shared: SharedStatus) -> str:
    version = "no version" if shared.version is None else f"version {shared.version}"
    fits = f": too old, this program needs {shared.needed}" if shared.is_too_old else ""
    return f"{printable(shared.name)}: {shared.status}, {version}{fits}"


def _connections(found: Overview) -> str:
    cluster = found.cluster
    if cluster.connections is None:
        return f"not known: {found.not_read}"
    most = f" of {cluster.most_connections:,}" if cluster.most_connections else ""
    by_user = "" if cluster.sees_users else "; whose they are, only a newer shared stack tells"
    return f"{cluster.connections:,}{most}{by_user}"


def _bill(bill: Bill) -> str:
    secrets = f"{count(bill.secrets, 'secret')} {_dollars(bill.secrets_amount)}"
    if bill.together is None or bill.share is None:
        return f"{secrets}; what the capacity costs here is not known"
    return f"at least {_dollars(bill.together)}; of that {secrets}, {bill.share * 100:.0f} %"


def _table(found: Overview, width: int) -> Iterator[Text]:
    if not found.tenants:
        yield Text("There is no tenant.")
        return
    columns = list(_COLUMNS)
    while True:
        rows = [[column.says(tenant, found.at) for column in columns] for tenant in found.tenants]
        widths = [max(map(cells, column)) for column in zip(*([c.title for c in columns], *rows), strict=True)]
        room = width - sum(widths[1:]) - _GAP * (len(columns) - 1)
        least = max((column.rank for column in columns), default=0)
        if room >= widths[0] or not least or (least == 1 and room >= _SHORTEST_NAME):
            break
        columns = [column for column in columns if column.rank < least]
    widths[0] = min(widths[0], max(room, _SHORTEST_NAME))
    yield Text(_row([column.title for column in columns], columns, widths), "bold")
    for tenant, row in zip(found.tenants, rows, strict=True):
        yield Text(_row(row, columns, widths), _style(tenant))


def _style(tenant: TenantStatus) -> str:
    if tenant.word == "failed" or any(secret.trouble for secret in tenant.secrets):
        return "red"
    return "yellow" if tenant.word == "busy" or tenant.difference in _WORRYING else ""


def _row(values: list[str], columns: list[_Column], widths: list[int]) -> str:
    parts = list[str]()
    for value, column, width in zip(values, columns, widths, strict=True):
        value = _shortened(value, width)
        blanks = " " * (width - cells(value))
        parts.append(f"{blanks}{value}" if column.is_number else f"{value}{blanks}")
    return (" " * _GAP).join(parts).rstrip()


def _shortened(name: str, width: int) -> str:
    """Its beginning and its end, which says the stage."""
    if cells(name) <= width:
        return name
    end = (width - 1) // 2
    return f"{name[: width - 1 - end]}…{name[len(name) - end :]}"


def _state(tenant: TenantStatus) -> str:
    if tenant.word in ("busy", "failed"):
        return tenant.word
    if tenant.difference == "changes":
        return count(tenant.statements, "change") if tenant.statements else "changed"
    return tenant.difference


def _number(number: int | None) -> str:
    return UNKNOWN if number is None else f"{number:,}"


def _size(size: int | None) -> str:
    if size is None:
        return UNKNOWN
    of, unit = next(((of, unit) for of, unit in _SIZES if size >= of), (1, "B"))
    told = f"{size / of:.1f}" if of > 1 and size < 10 * of else f"{round(size / of):,}"
    return f"{told.removesuffix('.0')} {unit}"


def _rotates(secret: SecretStatus | None, now: datetime) -> str:
    if secret is None:
        return _NOTHING
    if secret.trouble:
        return _TROUBLES[secret.trouble]
    return _in(secret.next_rotation - now) if secret.next_rotation else _NOTHING


def _in(distance: timedelta) -> str:
    days = distance.days
    return f"in {days} d" if days > 0 else "today" if days == 0 else "due"


def _dollars(amount: Decimal) -> str:
    return f"${amount:,.2f}"


# One tenant


def _tenant(tenant: TenantStatus, found: Overview) -> Iterator[Text]:
    yield Text(f"Tenant {printable(tenant.name)}: {_state(tenant)}", "bold")
    yield _line("stack", f"{printable(tenant.stack)}: {tenant.status or 'there is none'}")
    for number, database in enumerate(tenant.databases):
        yield _line("" if number else "databases", f"{printable(database.name)}: {_held(database.is_there, database)}")
    for number, user in enumerate(tenant.users):
        yield _line("" if number else "users", f"{printable(user.name)}: {_user(user, found)}")
        if user.secret:
            for said, style in _secret(user.secret, found.at):
                yield Text(" " * (_LABEL + 4)).append(said, style)
    number = sum(secret.trouble not in ("gone", "deleted") for secret in tenant.secrets)
    yield _line("a month", f"{_dollars(tenant.monthly)} for {count(number, 'secret')}")


def _held(is_there: bool | None, database: object) -> str:
    contents = getattr(database, "contents", None)
    if is_there is None:
        return "how much is in it is not known"
    if not is_there:
        return "not in MySQL"
    return str(contents) if contents else "how much is in it is not known"


def _user(user: UserStatus, found: Overview) -> str:
    if user.is_there is None:
        return "connections are not known"
    if not user.is_there:
        return "not in MySQL"
    said = "connections are not known" if user.connections is None else f"{count(user.connections, 'connection')} now"
    since = f" since {found.cluster.started:%Y-%m-%d %H:%M} UTC" if found.cluster.started else ""
    if user.logins is None:
        return f"{said}; nobody counts logins" if found.cluster.counts_logins is False else said
    return f"{said}; {count(user.logins, 'login') if user.logins else 'no login'}{since}"


def _secret(secret: SecretStatus, now: datetime) -> Iterator[tuple[str, str]]:
    read = f", last read {secret.accessed:%Y-%m-%d}" if secret.accessed else ""
    yield f"secret {printable(secret.name)}{read}", ""
    since = f" since {secret.since:%Y-%m-%d}" if secret.since else ""
    said = {
        "gone": "the secret is gone",
        "deleted": "the secret waits for its deletion",
        "off": "rotation is off, and the file says it should be on",
        "stuck": f"rotation is stuck{since}",
        "overdue": f"rotation is overdue{since}",
    }.get(secret.trouble)
    last = f"rotated {secret.rotated:%Y-%m-%d}" if secret.rotated else "never rotated"
    upcoming = secret.next_rotation
    last += f", next {upcoming:%Y-%m-%d} ({_in(upcoming - now)})" if upcoming else ""
    if said:
        yield said, "red"
    if secret.trouble not in ("gone", "deleted"):
        yield f"{last}{f', {printable(secret.period)}' if secret.period else ', not rotated'}", ""


def _end(found: Overview) -> Iterator[Text]:
    """What is not known, and why."""
    if found.mysql_at is None:
        how = "" if found.problems else "; --wake asks it all the same"
        yield Text(
            f"MySQL was not read: {found.not_read}. Sizes, connections, logins and drift are not known{how}.", "yellow"
        )
    elif found.mysql_at < found.at:
        yield Text(f"MySQL was read at {found.mysql_at:%H:%M:%S} UTC, and is left alone so that the cluster can pause.")
    if found.woke_cluster:
        yield Text("The cluster was paused; this woke it.")
    for problem in found.problems:
        yield problem_text(problem)
