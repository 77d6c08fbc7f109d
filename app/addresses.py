"""Addresses of machines, and the networks that they are in.

Knows nothing of requests. A whole address goes in; what comes out may be kept.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_IPV4_PREFIX = 24
_IPV6_PREFIX = 48


def network_of(address: str) -> str | None:
    """The network that `address` is in: `192.0.2.0/24`, `2001:db8:1::/48`; None for no address.

    An IPv4 address in the clothes of an IPv6 one is taken as IPv4. A port or a zone is ignored.
    """
    found = _parsed(address)
    if isinstance(found, IPv6Address):
        # The first 48 bits of a 6to4 address are a whole IPv4 address.
        found = found.ipv4_mapped or found.sixtofour or found
    if found is None:
        return None
    prefix = _IPV4_PREFIX if found.version == 4 else _IPV6_PREFIX
    return str(ip_network((found.packed, prefix), strict=False))


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    host = address.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None
