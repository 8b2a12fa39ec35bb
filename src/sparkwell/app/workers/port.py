"""The port that several processes share: looked at before, and kept while none of them has it.

Whoever asks for a shared port gets it from the kernel also where another daemon of the same user
has it, and each would get a part of the other's clients. So it is first asked for alone.
"""

import asyncio
import socket


class SharedPort:
    """An address that is ours: bound, so that nobody else gets it, and not listened on."""

    def __init__(self) -> None:
        self._kept: list[socket.socket] = []

    async def take(self, host: str, port: int) -> None:
        """Have the address; raises OSError where somebody listens there."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, kind, protocol, _, address in dict.fromkeys(found):
            bound(family, kind, protocol, address, shared=False).close()
            self._kept.append(bound(family, kind, protocol, address, shared=True))

    def give_back(self) -> None:
        """Let others have it."""
        for each in self._kept:
            each.close()
        self._kept.clear()


def bound(
    family: int, kind: int, protocol: int, address: tuple[object, ...], *, shared: bool
) -> socket.socket:
    """A socket at an address; raises OSError."""
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made
