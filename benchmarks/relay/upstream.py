"""An upstream that costs next to nothing: fixed answers on a Unix socket, no HTTP library.

``"stream":true`` in a request's body brings 200 events, ``"hang"`` no answer at all. An event is
written with one call, INTERVAL_S after the one before, and never together with another.
``GET /aborted`` says how many answers lost their client before they were complete.
"""

import asyncio
import sys
from asyncio import transports
from typing import cast

import uvloop

EVENTS = 200
INTERVAL_S = 0.005
_EVENT = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795226196,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}]}\n\n'
)
_ANSWER = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1795226196,"model":"m","choices":['
    b'{"index":0,"message":{"role":"assistant","content":"one two three four"},"logprobs":null,'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":4,"total_tokens":6}}'
)
_HEAD = b"HTTP/1.1 200 OK\r\nserver: bench\r\n"
_WHOLE = b"%scontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
_STREAM_HEAD = (
    _HEAD + b"content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)
_CHUNK = b"%x\r\n%s\r\n" % (len(_EVENT), _EVENT)
_END = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


class Upstream(asyncio.Protocol):
    """One connection. Requests do not overlap: no client here pipelines."""

    aborted = 0

    def __init__(self) -> None:
        self._received = b""
        self._busy = False

    def connection_made(self, transport: transports.BaseTransport) -> None:
        """Remember where answers go."""
        self._transport = cast("transports.Transport", transport)  # uvloop's is no subclass

    def connection_lost(self, _exc: Exception | None) -> None:
        """Count an answer that nobody waits for any more."""
        if self._busy:
            Upstream.aborted += 1
            self._busy = False

    def data_received(self, data: bytes) -> None:
        """Answer as soon as a request is complete."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if found and len(body) >= _content_length(head):
            self._received = b""
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET /aborted"):
            self._write(str(Upstream.aborted).encode())
        elif b'"hang"' in body:
            self._busy = True
        elif b'"stream":true' in body:
            self._busy = True
            self._transport.write(_STREAM_HEAD)
            self._later(EVENTS)
        else:
            self._write(_ANSWER)

    def _write(self, body: bytes) -> None:
        self._transport.write(_WHOLE % (_HEAD, len(body), body))

    def _later(self, left: int) -> None:
        asyncio.get_running_loop().call_later(INTERVAL_S, self._next, left)

    def _next(self, left: int) -> None:
        if not self._busy:
            return
        self._transport.write(_CHUNK if left else _END)
        self._busy = left > 0
        if left:
            self._later(left - 1)


def _content_length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0] or 0)


async def main(path: str) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_unix_server(Upstream, path)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
