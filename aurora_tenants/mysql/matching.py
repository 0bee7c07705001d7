"""What MySQL's patterns match: the spelling of a database in a grant, and the host of an account.

    Databases(("shop_dev", "shopXdev"), server).matches("shop_dev")     both, unless partial_revokes is on
    overlaps("10.0.%", "10.0.0.0/24")                                   True: a client may match both

Where the answer depends on something unknown (a client's name, when its address is given), it is yes.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import takewhile

from aurora_tenants.mysql.state import Server

# Tested with 9.x. Older versions are reported to differ in how a session with an active role finds its rows; with
# them every row that may apply counts (see Databases.matches and access.reach).
_FIRST_TESTED = 9

# What a pattern begins with, up to its first wildcard.
_BEGINNING = re.compile(r"(?:\\.|[^\\_%])*", re.DOTALL)


def is_tested(server: Server) -> bool:
    """Whether the exact rules were tested on a version like this one; on any other, every row that may apply counts."""
    major = server.version.partition(".")[0]
    return major.isdecimal() and int(major) >= _FIRST_TESTED


def has_wildcard(spelling: str) -> bool:
    """Whether MySQL files a database's spelling under patterns: an escaped `_` counts too."""
    return "_" in spelling or "%" in spelling


def rank(pattern: str) -> int:
    """How specific a pattern is to MySQL: the later its first wildcard, the more; most of all without any.

    Source: test_first_match_wins.
    """
    for match in re.finditer(r"\\.|[_%]", pattern, re.DOTALL):
        if match[0] in "_%":
            return min(match.start() + 1, 127)
    return 128 if pattern else 0


class Databases:
    """The databases of a server, to be found by the spelling in a grant.

    Exact names are looked up; only a real pattern is compared, with the names that begin as it does.
    """

    def __init__(self, names: Iterable[str], server: Server) -> None:
        self._server = server
        self.names = frozenset(names)
        self._sorted = sorted(self.names)
        self._folded: dict[str, list[str]] = {}
        for name in self._sorted:
            self._folded.setdefault(name.lower(), []).append(name)
        self._lowered: list[tuple[bytes, str]] = []
        self._cache: dict[tuple[str, bool], tuple[str, ...]] = {}

    def named(self, name: str) -> tuple[str, ...]:
        """The database of this name, if there is one: grants on tables and routines hold it literally."""
        stored = self._server.stored(name)
        return (stored,) if stored in self.names else ()

    def matches(self, spelling: str, *, with_role: bool = False) -> tuple[str, ...]:
        """The databases that a grant with this spelling opens. with_role: for a session in which a role is active.

        Such a session takes a spelling without `_` and `%` literally, backslashes too; and under partial_revokes it
        ignores case in one with them (test_an_active_role_opens_the_database_of_the_other_case).
        """
        known = self._cache.get((spelling, with_role))
        if known is None:
            known = self._cache[spelling, with_role] = self._matches(self._server.stored(spelling), with_role=with_role)
        return known

    def _matches(self, spelling: str, *, with_role: bool) -> tuple[str, ...]:
        if with_role and not has_wildcard(spelling):
            return self.named(spelling)
        if self._server.partial_revokes:
            return tuple(self._folded.get(spelling.lower(), ())) if with_role else self.named(spelling)
        names = self._like(spelling)
        if with_role and not is_tested(self._server):
            names += tuple(name for name in self._like(spelling, re.IGNORECASE) if name not in names)
        return names

    def _like(self, pattern: str, flags: re.RegexFlag = re.NOFLAG) -> tuple[str, ...]:
        if rank(pattern) == 128 and not flags:
            literal = _unescaped(pattern)
            return (literal,) if literal in self.names else ()
        compiled, beginning = _compiled(pattern, flags), _BEGINNING.match(pattern)
        prefix = _unescaped(beginning[0]) if beginning else ""
        candidates = self._beginning_in_any_case(prefix) if flags else self._beginning(prefix)
        return tuple(name for name in candidates if compiled.fullmatch(_bytes(name)))

    def _beginning(self, prefix: str) -> Iterable[str]:
        return takewhile(lambda name: name.startswith(prefix), self._sorted[bisect_left(self._sorted, prefix) :])

    def _beginning_in_any_case(self, prefix: str) -> Iterable[str]:
        """As bytes are compared without case: only letters of ASCII have any."""
        if not self._lowered:
            self._lowered += sorted((_bytes(name).lower(), name) for name in self._sorted)
        lowered = _bytes(prefix).lower()
        rest = self._lowered[bisect_left(self._lowered, (lowered, "")) :]
        return sorted(name for _, name in takewhile(lambda entry: entry[0].startswith(lowered), rest))


def _unescaped(pattern: str) -> str:
    return re.sub(r"\\(.)", r"\1", pattern, flags=re.DOTALL)


@lru_cache(maxsize=4096)
def _compiled(pattern: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[bytes]:
    """MySQL's pattern: `_` is one byte, not one character; a backslash makes the next character literal."""
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
    """Whether one client may match both hosts. A client has an address and perhaps any name, so those two overlap."""
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
    """Whether every client that matches the special host is certain to match the general one."""
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
    """The network that a host means, also `10.0.%`: to MySQL a name never begins with digits and a dot."""
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
