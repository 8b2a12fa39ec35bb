"""Passing a request on to the pages behind the gateway, which an HTTP framework serves."""

from sparkwell.core.launch import Endpoint
from sparkwell.gateway import headers
from sparkwell.gateway.admission import Admitted
from sparkwell.gateway.passing import pass_on
from sparkwell.gateway.sending import request_head
from sparkwell.gateway.wire.head import Headers, Request, lines
from sparkwell.gateway.wire.pool import Engines
from sparkwell.gateway.wire.reply import Reply

PEER = "x-sparkwell-peer"
"""The address of the client."""
SCHEME = "x-sparkwell-scheme"
"""http or https, as the client asked."""
MODELS = "x-sparkwell-models"
"""The models that its key is for, with commas between; not there where it is for all."""
SEES = "x-sparkwell-sees"
"""There where the client may know more than that all is well."""


class Forwarding:
    """Asks the pages at ``endpoint``, a socket that nobody else may open.

    What it says of the client is believed there, for no client's own word of it goes through.
    """

    def __init__(self, engines: Engines, endpoint: Endpoint) -> None:
        self._engines = engines
        self._endpoint = endpoint

    async def answer(self, request: Request, entry: Admitted, reply: Reply, *, sees: bool) -> None:
        """Answer with what the pages say."""
        head = request.head
        told = lines([*headers.for_pages(head.headers), *_about(request, entry, sees)])
        start = request_head(
            head.method, head.target, told, entry.request_id, len(request.body), host=b""
        )
        async with self._engines.ask(self._endpoint, start, request.body) as pages:
            fields = lines(headers.from_pages(pages.head.headers))
            await pass_on(pages, reply, fields, path=entry.path)


def _about(request: Request, entry: Admitted, sees: bool) -> Headers:
    said = {SCHEME: "https" if request.tls else "http"}
    if request.peer is not None:
        said[PEER] = request.peer
    if entry.key is not None and entry.key.models:
        said[MODELS] = ",".join(entry.key.models)
    if sees:
        said[SEES] = "1"
    return headers.encoded(said)
