"""What MySQL's patterns match: the spelling of a database in a grant, and the host of an account.

    Databases(("shop_dev", "shopXdev"), server).matches("shop_dev")     both, unless partial_revokes is on
    overlaps("10.0.%", "10.0.0.0/24")                                   True: a client may match both

Where the server's answer depends on what is not known here (a client's name beside its address), the answer is yes.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network

from aurora_tenants.mysql.state import Server

# The versions tried are 9.x. Older ones are said to differ in how a session with an active role finds its rows; with
# them every row that may apply counts (see Databases.matches and access.reach).
_TRIED = 9


def is_tried(server: Server) -> bool:
    """Whether the fine print was seen on a version like this one; elsewhere the wider reading holds."""
    major = server.version.partition(".")[0]
    return major.isdecimal() and int(major) >= _TRIED


def has_wildcard(spelling: str) -> bool:
    """Whether MySQL files a database's spelling under patterns: an escaped `_` counts too."""
    return "_" in spelling or "%" in spelling


def rank(pattern: str) -> int:
    """How specific MySQL takes a pattern to be: by where its first wildcard stands, none at all before everything.

    Source: test_first_match_wins.
    """
    for found in re.finditer(r"\\.|[_%]", pattern, re.DOTALL):
        if found[0] in "_%":
            return min(found.start() + 1, 127)
    return 128 if pattern else 0


class Databases:
    """The databases of a server, found by the spelling of a grant.

    Exact names by index; only a real pattern is compared with the names that begin as it does.
    """

    def __init__(self, names: Iterable[str], server: Server) -> None:
        self._server = server
        self.names = frozenset(names)
        self._sorted = sorted(self.names)
        self._folded: dict[str, list[str]] = {}
        for name in self._sorted:
            self._folded.setdefault(name.lower(), []).append(name)
        self._cache: dict[tuple[str, bool], tuple[str, ...]] = {}

    def named(self, name: str) -> tuple[str, ...]:
        """The database of this name, if there is one: names of tables and routines carry it literally."""
        stored = self._server.stored(name)
        return (stored,) if stored in self.names else ()

    def matches(self, spelling: str, *, with_role: bool = False) -> tuple[str, ...]:
        """The databases that a grant so spelled opens. with_role: to a session in which a role is active.

        Such a session takes a spelling without `_` and `%` literally, backslashes too; and under partial_revokes one
        with them without regard to case (test_an_active_role_opens_the_database_of_the_other_case).
        """
        known = self._cache.get((spelling, with_role))
        if known is None:
            known = self._cache[spelling, with_role] = self._matches(self._server.stored(spelling), with_role=with_role)
        return known

    def _matches(self, spelling: str, *, with_role: bool) -> tuple[str, ...]:
        if with_role and not has_wildcard(spelling):
            return self.named(spelling)
        found = self.named(spelling) if self._server.partial_revokes else self._like(spelling)
        if with_role and self._server.partial_revokes:
            found = tuple(self._folded.get(spelling.lower(), ()))
        elif with_role and not is_tried(self._server):
            found += tuple(name for name in self._like(spelling, re.IGNORECASE) if name not in found)
        return found

    def _like(self, pattern: str, flags: re.RegexFlag = re.NOFLAG) -> tuple[str, ...]:
        literal = _literal(pattern)
        if literal is not None and not flags:
            return (literal,) if literal in self.names else ()
        prefix = "" if flags else re.split(r"[\\_%]", pattern, maxsplit=1)[0]
        compiled = _compiled(pattern, flags)
        start = bisect_left(self._sorted, prefix)
        found = []
        for name in self._sorted[start:]:
            if not name.startswith(prefix):
                break
            if compiled.fullmatch(_bytes(name)):
                found.append(name)
        return tuple(found)


def _literal(pattern: str) -> str | None:
    """The one name that a pattern without wildcards means; None for one with any."""
    if rank(pattern) < 128:
        return None
    return re.sub(r"\\(.)", r"\1", pattern, flags=re.DOTALL)


@lru_cache(maxsize=4096)
def _compiled(pattern: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[bytes]:
    """MySQL's pattern: `_` is one byte, not one character; a backslash takes the next character literally."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    wildcards = {"_": b".", "%": b".*"}
    text = b"".join(wildcards.get(part) or re.escape(_bytes(part[-1])) for part in parts)
    return re.compile(text, re.DOTALL | flags)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


# Hosts. An account's is a name, an address, a network with its mask, or a pattern of a name or an address.


def host_rank(host: str) -> tuple[int, int]:
    """The order in which MySQL tries hosts, the greatest first: addresses and networks, then by `rank`."""
    network = _network(host)
    return (1, network.prefixlen) if network else (0, rank(host))


@lru_cache(maxsize=65536)
def overlaps(one: str, other: str) -> bool:
    """Whether one client may match both hosts. A client has an address, and perhaps a name: these may always meet."""
    if one == other or {"%", ""} & {one, other}:
        return True
    first, second = _span(one), _span(other)
    if first and second:
        return first.version == second.version and first.overlaps(second)
    if _is_name(one) != _is_name(other) or "/" in one + other:
        return True
    return _intersect(one, other)


@lru_cache(maxsize=65536)
def covers(general: str, special: str) -> bool:
    """Whether every client of the special host surely matches the general one."""
    if general in ("%", "", special):
        return True
    wide, narrow = _span(general), _span(special)
    if wide and narrow:
        return wide.version == narrow.version and narrow.subnet_of(wide)  # type: ignore[arg-type]
    if _is_name(general) != _is_name(special) or "/" in general + special:
        return False
    wildcards = {"_": "[^%]", "%": ".*"}
    return bool(re.fullmatch("".join(wildcards.get(part) or re.escape(part) for part in general), special))


def _is_name(host: str) -> bool:
    return ":" not in host and re.search("[a-z]", host) is not None


@lru_cache(maxsize=65536)
def _network(host: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(host, strict=False)
    except ValueError:
        return None


@lru_cache(maxsize=65536)
def _span(host: str) -> IPv4Network | IPv6Network | None:
    """The network that a host means, `10.0.%` among them: MySQL takes no name that begins with digits and a dot."""
    octets = host.removesuffix("%").split(".")[:-1]
    if host.endswith(".%") and len(octets) < 4 and all(octet.isdecimal() for octet in octets):
        return _network(f"{'.'.join([*octets, '0', '0', '0'][:4])}/{8 * len(octets)}")
    return _network(host)


def _intersect(one: str, other: str) -> bool:
    """Whether some text matches both patterns: walks every pair of places that can be reached together."""
    todo, seen = [(0, 0)], set[tuple[int, int]]()
    while todo:
        place = todo.pop()
        if place in seen:
            continue
        seen.add(place)
        i, j = place
        left, right = one[i : i + 1], other[j : j + 1]
        if not left and not right:
            return True
        if left == "%":
            todo += [(i + 1, j), *([(i, j + 1)] if right else [])]
        if right == "%":
            todo += [(i, j + 1), *([(i + 1, j)] if left else [])]
        if left and right and (left == right or "_" in (left, right)):
            todo.append((i + 1, j + 1))
    return False
