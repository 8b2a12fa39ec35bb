"""Which hosts are this machine, by what a Host header, an Origin or a socket says of them.

A page of somebody else's can have its own name point here (DNS rebinding): then the browser takes
Sparkwell for a part of that page. The name stands in the Host header, and is not one of ours. A
number as a host is always well: no page comes from there but this one.
"""

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

LONGEST = 300
"""Characters of a Host header; a DNS name has 253 at most, and a port five."""
INSIDE = frozenset(
    {
        "host.docker.internal",
        "gateway.docker.internal",
        "host.containers.internal",
    }
)
"""What containers call the machine that they run on; below .internal nobody can own a name."""
# One label or more, or an address in brackets; then a port. Nothing else belongs into a Host.
_HOST = re.compile(r"(?:([A-Za-z0-9_.-]+)|\[([0-9A-Fa-f:.]+)\])(?::[0-9]{0,5})?", re.ASCII)


def is_ours(host: str | None, names: Collection[str]) -> bool:
    """Whether a Host header names this machine: loopback, an address, or one of ``names``.

    ``names`` are in lower case.
    """
    name = host_name(host)
    if name is None:
        return False
    return is_localhost(name) or name in INSIDE or name in names or _address(name) is not None


def is_loopback_host(host: str | None) -> bool:
    """Whether a Host header names loopback and nothing else: what only this machine can mean.

    0.0.0.0 and :: count: who connects to them reaches the own machine.
    """
    name = host_name(host)
    if name is None:
        return False
    address = _address(name)
    return is_localhost(name) if address is None else _is_here(address)


def is_loopback(address: str | None) -> bool:
    """Whether the other end of a connection is on this machine; None is a Unix socket's.

    False for what is no address.
    """
    if address is None:
        return True
    found = _address(address)
    return found is not None and _plain(found).is_loopback


def host_name(host: str | None) -> str | None:
    """The name in a Host header, in lower case, without port and brackets; None without one."""
    if not host or len(host) > LONGEST:
        return None
    found = _HOST.fullmatch(host)
    if found is None:
        return None
    return (found[1] or found[2]).lower().rstrip(".") or None


def is_localhost(name: str) -> bool:
    """Whether it is localhost or below it; browsers resolve those themselves (RFC 6761)."""
    return name == "localhost" or name.endswith(".localhost")


def is_from_here(origin: str | None, site: str | None, host: str | None) -> bool:
    """Whether a request that changes something was sent by a page of ours.

    Browsers say the page's origin, and since 2020 or 2023 also how it relates to us
    (Sec-Fetch-Site). A program that says neither cannot have been tricked by a page.
    """
    if site is not None and site not in ("same-origin", "none"):
        return False
    if origin is None:
        return True
    try:
        where = urlsplit(origin).netloc.lower()
    except ValueError:  # http://[ and the like
        return False
    return bool(host) and where == (host or "").lower()


def scheme_asked(own: str | None, forwarded: str | None) -> str:
    """How the client's URL begins, http or https: to be shown, and not to decide anything by it.

    ``own`` is how this server was asked, ``forwarded`` is X-Forwarded-Proto. Anybody can send
    that, so it is believed only where it says https, which costs nobody anything.
    """
    first = (forwarded or "").partition(",")[0].strip().lower()
    return "https" if "https" in (own, first) else "http"


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4 address that IPv6 wraps (::ffff:127.0.0.1), as it is."""
    return getattr(address, "ipv4_mapped", None) or address


def _is_here(address: IPv4Address | IPv6Address) -> bool:
    plain = _plain(address)
    return plain.is_loopback or plain.is_unspecified
