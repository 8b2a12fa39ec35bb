"""The control socket: one JSON object a line in, one a line out, many clients at a time.

    {"op": "status"}                what runs
    {"op": "stop", "grace_s": 30}   begin to end it; answered at once
    {"op": "wait"}                  answered when all has ended

Nobody else may connect: the folder has mode 0700. A client can be slow, wrong or gone: it loses
its connection, the engine notices nothing.
"""

import contextlib
import json
import os
import selectors
import socket
from collections.abc import Callable

from .client import LONGEST_REQUEST, Client

LONGEST_GRACE_S = 24 * 3600.0
MOST_CLIENTS = 400  # under the usual limit of 1024 open files
LISTEN_BACKLOG = 1024  # asyncio mistakes EAGAIN from a full backlog for a connection

Answer = dict[str, object]
Handler = Callable[[Answer], Answer | None]


def listen(path: str) -> socket.socket:
    """Bind the socket (mode 0600) and listen; raises OSError."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - pathlib would cost every shim a megabyte
    old = os.umask(0o177)
    try:
        server.bind(path)
    finally:
        os.umask(old)
    server.listen(LISTEN_BACKLOG)
    server.setblocking(False)
    return server


def parse(line: bytes) -> Answer:
    """Read one request; raises ValueError, whose text is the answer."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("not a JSON object on one line") from None
    if not isinstance(request, dict):
        raise ValueError("not a JSON object")
    return request


def grace_of(request: Answer, default_s: float) -> float:
    """Read how many seconds a stop may take; raises ValueError, whose text is the answer."""
    grace = request.get("grace_s", default_s)
    if isinstance(grace, bool) or not isinstance(grace, int | float):
        raise ValueError("grace_s is a number of seconds")
    if not 0 <= grace <= LONGEST_GRACE_S:
        raise ValueError(f"grace_s is between 0 and {LONGEST_GRACE_S:.0f} seconds")
    return float(grace)


class Control:
    """Serves the control socket within somebody else's selector.

    ``handle`` gets a request and returns the answer, or None when it comes at the end; it
    raises ValueError for a request that makes no sense.
    """

    def __init__(
        self, selector: selectors.BaseSelector, server: socket.socket, handle: Handler
    ) -> None:
        self._selector = selector
        self._server = server
        self._handle = handle
        self._clients: set[Client] = set()
        self._listening = False
        self._listen_again()

    def answer_waiters(self, answer: Answer) -> None:
        """Send ``answer`` to everybody who asked to wait."""
        for client in [client for client in self._clients if client.waits]:
            client.waits = False
            self._send(client, answer)

    @property
    def unsent(self) -> bool:
        """Whether some client has not taken all its answers yet."""
        return any(client.outbox for client in self._clients)

    def _accept(self, _events: int) -> None:
        try:
            sock, _ = self._server.accept()
        except BlockingIOError:
            return
        except OSError:  # no file descriptor left: go on when a client leaves
            self._pause_listening()
            return
        client = Client(sock)
        self._clients.add(client)
        self._watch(client, selectors.EVENT_READ, new=True)
        if len(self._clients) >= MOST_CLIENTS:
            self._pause_listening()

    def _serve(self, client: Client, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                self._flush(client)
            if events & selectors.EVENT_READ:
                self._receive(client)
        except OSError:
            self._drop(client)

    def _receive(self, client: Client) -> None:
        for line in client.receive():
            self._answer(client, line)
        if client.is_too_long:
            self._send(client, _error(f"a request has at most {LONGEST_REQUEST} bytes"))
            self._drop(client)

    def _answer(self, client: Client, line: bytes) -> None:
        try:
            answer = self._handle(parse(line))
        except ValueError as error:
            answer = _error(str(error))
        if answer is None:
            client.waits = True
        else:
            self._send(client, answer)

    def _send(self, client: Client, answer: Answer) -> None:
        if client not in self._clients:
            return
        client.outbox += json.dumps(answer).encode() + b"\n"
        try:
            self._flush(client)
        except OSError:
            self._drop(client)

    def _flush(self, client: Client) -> None:
        client.flush()
        write = selectors.EVENT_WRITE if client.outbox else 0
        self._watch(client, selectors.EVENT_READ | write)

    def _watch(self, client: Client, events: int, *, new: bool = False) -> None:
        change = self._selector.register if new else self._selector.modify
        change(client.sock, events, lambda mask: self._serve(client, mask))

    def _drop(self, client: Client) -> None:
        if client not in self._clients:
            return
        self._clients.remove(client)
        self._selector.unregister(client.sock)
        client.sock.close()
        self._listen_again()

    def _listen_again(self) -> None:
        if not self._listening:
            self._selector.register(self._server, selectors.EVENT_READ, self._accept)
            self._listening = True

    def _pause_listening(self) -> None:
        if self._listening and self._clients:
            self._selector.unregister(self._server)
            self._listening = False


def _error(text: str) -> Answer:
    return {"ok": False, "error": text}
