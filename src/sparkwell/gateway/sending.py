"""A request as it goes to an engine."""

from dataclasses import dataclass

from sparkwell.gateway import headers
from sparkwell.gateway.backend import Model
from sparkwell.gateway.request import ModelRequest
from sparkwell.gateway.wire.head import Headers, lines

_COUNTABLE = frozenset({"/v1/chat/completions", "/v1/completions"})
"""Where a stream tells what was used only if it is asked to."""


class Outbound:
    """A request's headers as an engine gets them; written once for all requests of one head."""

    __slots__ = ("_headers", "_packed", "_plain")

    def __init__(self, given: Headers) -> None:
        self._headers = given
        self._plain: bytes | None = None
        self._packed: bytes | None = None

    def fields(self, *, plain: bool) -> bytes:
        """As they are sent; ``plain`` asks for an answer that is not compressed."""
        if plain:
            if self._plain is None:
                self._plain = lines(headers.for_engine(self._headers, plain=True))
            return self._plain
        if self._packed is None:
            self._packed = lines(headers.for_engine(self._headers, plain=False))
        return self._packed


@dataclass(slots=True)  # frozen would take three times as long to make, once a request
class Asking:
    """What is the same for every try of one request.

    ``path`` is the engine's, ``query`` the client's. ``counted``: what is used is counted for a
    key, so the engine is asked to say it.
    """

    path: str
    query: bytes
    outbound: Outbound
    request_id: bytes
    counted: bool = False

    def adds_usage(self, asked: ModelRequest) -> bool:
        """Whether the engine is asked for an event that the client has not asked for."""
        wants = asked.stream and not asked.wants_usage
        return self.counted and wants and self.path in _COUNTABLE

    def to_engine(self, asked: ModelRequest, model: Model) -> tuple[bytes, bytes]:
        """Head and body for an engine, under the name by which it knows the model."""
        name = asked.model if asked.model in model.aliases else model.name
        body = asked.edited(model.engine_name or name, with_usage=self.adds_usage(asked))
        told = self.outbound.fields(plain=asked.stream or self.counted)
        return request_head("POST", self._target(), told, self.request_id, len(body)), body

    def _target(self) -> bytes:
        path = self.path.encode("ascii")
        return path + b"?" + self.query if self.query else path


def request_head(
    method: str,
    target: bytes,
    told: bytes,
    request_id: bytes,
    length: int,
    *,
    host: bytes = b"host: engine\r\n",
) -> bytes:
    """The head of a request, written anew; ``host`` is empty where ``told`` has one."""
    return b"%b %b HTTP/1.1\r\n%b%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n" % (
        method.encode("ascii"),
        target,
        host,
        told,
        request_id,
        length,
    )
