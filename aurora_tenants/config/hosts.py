"""Which hosts an account can have: those from which MySQL lets anybody in.

host                                lets in
%                                   everybody
10.0.1.17, fe80::1                  one address
10.0.0.0/16, 10.0.0.0/255.255.0.0   a network (the first since MySQL 8.0.23)
10.0.%, %.example.com               every host that matches the pattern; _ stands for one character
app.example.com                     the address with this name, on a server that looks names up

MySQL accepts every other text as well, as a host name that no client has (test_hosts_that_let_nobody_in).
Source: "Specifying Account Names", MySQL 8.4 Reference Manual.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, NetmaskValueError

from aurora_tenants.config.wording import Fault, named_character, shown, too_long
from aurora_tenants.mysql.names import is_nowhere

_LONGEST = 255
_CHARACTERS = re.compile(r"[a-z0-9._%:/-]*")
_RANGE = re.compile(r"[0-9.]+-[0-9.]+")
_CODE = "invalid-host"


def faults(host: str) -> Iterator[Fault]:
    """Why MySQL would let nobody in from this host; it is not empty."""
    match = _CHARACTERS.match(host.lower())
    right = match.end() if match else 0
    if len(host) > _LONGEST:
        yield from too_long("host", host, _LONGEST, code=_CODE)
    elif right < len(host):
        what = f"host {shown(host)} contains {named_character(host[right])}"
        why = "a host consists of a-z, 0-9, ., _, %, - and :, with a / before a netmask"
        yield _CODE, what, why, "write an address, a network, a host name or a pattern"
    elif host != host.lower():
        why = "MySQL stores hosts in lower case"
        yield _CODE, f"host {shown(host)} contains capital letters", why, f"write {shown(host.lower())}"
    elif is_nowhere(host):
        why = "no client has such a name, and accounts wait there until they are complete"
        yield _CODE, f"host {shown(host)} matches nobody", why, "write an address, a network, a host name or a pattern"
    elif "/" in host:
        yield from _network(host)
    elif _RANGE.fullmatch(host):
        why = "MySQL has no address ranges and would take this for a host name"
        yield _CODE, f"host {shown(host)} is a range of addresses", why, "write a network, such as 10.0.0.0/24"
    elif not {"%", "_"} & set(host):
        yield from _address(host)


def _address(host: str) -> Iterator[Fault]:
    """What is wrong with an address; a host name contains a letter and no colon."""
    if ":" in host:
        try:
            right = str(IPv6Address(host).ipv4_mapped or IPv6Address(host))
        except AddressValueError:
            why = "only an IPv6 address contains colons, and a port is not part of a host"
            yield _CODE, f"host {shown(host)} is not an address", why, "write the address or the host name alone"
            return
        if right != host:
            why = "MySQL compares addresses as text, so only its own form matches"
            yield _CODE, f"host {shown(host)} is not written the way MySQL writes it", why, f"write {right}"
    elif not re.search("[a-z]", host):
        try:
            IPv4Address(host)
        except AddressValueError:
            why = "an address is four numbers from 0 to 255, without leading zeros"
            fix = "write all four, or a pattern such as 10.0.%"
            yield _CODE, f"host {shown(host)} is not an address", why, fix


def _network(host: str) -> Iterator[Fault]:
    """MySQL compares the address of a client, masked, with the host's own, unmasked."""
    address, _, mask = host.partition("/")
    try:
        network = IPv4Network((address, mask), strict=False)
    except (AddressValueError, NetmaskValueError):
        network = None
    if network is None or mask not in (str(network.prefixlen), str(network.netmask)):
        why = "a network is an IPv4 address, a / and a prefix length or a netmask such as 255.255.0.0"
        yield _CODE, f"host {shown(host)} is not a network", why, "for example 10.0.0.0/16"
    elif network.prefixlen == 0:
        why = "MySQL lets nobody in from a network of all addresses"
        yield _CODE, f"host {shown(host)} matches nobody", why, 'write "%"'
    elif str(network.network_address) != address:
        why = "MySQL compares the client's masked address with this one, which has bits set outside the mask"
        yield _CODE, f"host {shown(host)} matches nobody", why, f"write {network.network_address}/{mask}"
