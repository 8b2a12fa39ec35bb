"""One connection to the control socket: bytes in, lines out; answers in, bytes out."""

import contextlib
import socket

LONGEST_REQUEST = 4096
LONGEST_BACKLOG = 256 * 1024  # bytes of answers that a client has not read


class Client:
    """What came in and is no whole line yet, what has not gone out yet. Never blocks."""

    __slots__ = ("inbox", "outbox", "sock", "waits")

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.inbox = b""
        self.outbox = b""
        self.waits = False

    def receive(self) -> list[bytes]:
        """Read what is there and return the whole lines; raises OSError when the client is gone."""
        data = self.sock.recv(LONGEST_REQUEST)
        if not data:
            raise ConnectionResetError("the client has closed the connection")
        *lines, self.inbox = (self.inbox + data).split(b"\n")
        return lines

    @property
    def is_too_long(self) -> bool:
        """Whether a line goes on and on."""
        return len(self.inbox) > LONGEST_REQUEST

    def flush(self) -> None:
        """Send what the client takes now; raises OSError when it takes nothing for too long."""
        with contextlib.suppress(BlockingIOError):
            self.outbox = self.outbox[self.sock.send(self.outbox) :]
        if len(self.outbox) > LONGEST_BACKLOG:
            raise BrokenPipeError("the client does not read its answers")
