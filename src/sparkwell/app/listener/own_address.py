"""Which addresses are this machine's: asked of the system, without a byte on the network."""

import errno
import socket
from collections.abc import Callable
from typing import Any

from sparkwell.core.errors import UsageError
from sparkwell.core.hosts import is_loopback

_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses of documentation, which are nobody's: the way to them is the way to the network."""
_ANY_PORT = 9
Found = tuple[int, Any]
"""A family and an address of it, as sockets take them."""
_HINT = (
    "--host and gateway.host say on which of its own addresses this machine listens: 127.0.0.1 for "
    "programs on it, 0.0.0.0 for all of them (docs/network.md)."
)


def must_be_ours(
    host: str,
    found: Callable[[str], list[Found]] | None = None,
    is_ours: Callable[[Found], bool] | None = None,
) -> None:
    """Raise UsageError for a host on which this machine cannot listen since it is not its own."""
    addresses = (found or found_for)(host)
    if not addresses:
        raise UsageError(
            f"{host!r} is not an address of this machine: it is none, and no name that resolves "
            "to one.",
            hint=_HINT,
        )
    if any(map(is_ours or can_be_bound, addresses)):
        return
    numbers = ", ".join(dict.fromkeys(str(address[0]) for _, address in addresses))
    what = "" if numbers == host else f": it resolves to {numbers}"
    raise UsageError(f"{host!r} is not an address of this machine{what}.", hint=_HINT)


def found_for(host: str) -> list[Found]:
    """What the system would listen on for that host; empty where it knows nothing of it."""
    try:
        found = socket.getaddrinfo(
            host or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError):
        return []
    return [(each[0], each[4]) for each in found]


def can_be_bound(found: Found) -> bool:
    """Whether the system takes the address for its own; other troubles are said by who listens."""
    family, address = found
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind(address)
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL
    return True


def seen_by_others(host: str) -> str:
    """One address, or else the name, by which others may ask who listens on all addresses.

    The address is that with which this machine would ask the network. Connecting a UDP socket
    sends nothing.
    """
    for family, elsewhere in _ELSEWHERE:
        if host in ("0.0.0.0", "::") and (":" in host) != (family is socket.AF_INET6):  # noqa: S104
            continue
        if (address := _asking(family, elsewhere)) is not None:
            return address
    return socket.gethostname().lower()


def _asking(family: socket.AddressFamily, elsewhere: str) -> str | None:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, _ANY_PORT))
            address = str(probe.getsockname()[0])
    except OSError:
        return None
    return None if is_loopback(address) else address
