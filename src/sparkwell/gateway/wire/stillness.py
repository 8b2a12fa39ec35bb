"""Whether a client reads its answer: one that takes nothing holds a model that others wait for."""

import asyncio
import fcntl
import select
import struct
import termios
from contextlib import suppress


class Stillness:
    """Watches what waits for one client, from the moment in which it could not take more.

    What the kernel still has to send is looked at, too: it asks for more only when a third of its
    buffer, a megabyte and more, is free, and a slow client is not a dead one.
    """

    __slots__ = ("_seen", "_since", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._seen: tuple[int, int] | None = None
        self._since = 0.0

    @property
    def waits(self) -> bool:
        """Whether anything is there that the client has not taken."""
        return any((self._transport.get_write_buffer_size(), _unsent_bytes(self._transport)))

    def for_s(self, now: float) -> float:
        """Seconds for which nothing has been taken, as far as was looked; ``now`` as the loop's."""
        seen = (self._transport.get_write_buffer_size(), _unsent_bytes(self._transport))
        if seen != self._seen:
            self._seen, self._since = seen, now
        return now - self._since


def has_left(transport: asyncio.Transport) -> bool:
    """Whether the other end has said that it says no more, where nobody listens to it now."""
    socket = transport.get_extra_info("socket")
    with suppress(OSError, AttributeError, ValueError):
        poll = select.poll()
        poll.register(socket.fileno(), select.POLLRDHUP)
        return bool(poll.poll(0))
    return False


def _unsent_bytes(transport: asyncio.Transport) -> int:
    """What the kernel has and the client has not acknowledged; 0 where it does not say."""
    socket = transport.get_extra_info("socket")
    with suppress(OSError, AttributeError, ValueError):
        said = fcntl.ioctl(socket.fileno(), termios.TIOCOUTQ, b"\0" * 4)
        return int(struct.unpack("i", said)[0])
    return 0
