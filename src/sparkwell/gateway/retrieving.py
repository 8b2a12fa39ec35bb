"""A response that was asked for before: whichever engine knows it answers."""

from sparkwell.gateway import headers
from sparkwell.gateway.admission import Admitted
from sparkwell.gateway.backend import Backend
from sparkwell.gateway.passing import pass_on
from sparkwell.gateway.routes import NoResponseError
from sparkwell.gateway.sending import request_head
from sparkwell.gateway.telling import told
from sparkwell.gateway.wire.errors import UnreachableError
from sparkwell.gateway.wire.head import Request
from sparkwell.gateway.wire.pool import Engines
from sparkwell.gateway.wire.reply import Reply


async def retrieve(
    backend: Backend, engines: Engines, request: Request, entry: Admitted, reply: Reply
) -> None:
    """Ask each loaded engine in turn until one answers other than 404.

    Who made a response is not remembered: its id is not secret between the users of one engine,
    and looking it up costs each engine next to nothing. Raises NoResponseError where no engine is
    asked, or none knows it.
    """
    start = request_head(
        request.head.method,
        request.head.target,
        entry.outbound.fields(plain=False),
        entry.request_id,
        len(request.body),
    )
    for model, endpoint in backend.loaded():
        if entry.key is not None and entry.key.models and model not in entry.key.models:
            continue
        try:
            async with engines.ask(endpoint, start, request.body) as upstream:
                if upstream.status != 404:
                    fields = told(upstream.head).fields + headers.fields({headers.MODEL: model})
                    await pass_on(upstream, reply, fields, path=entry.path)
                    return
        except UnreachableError:
            continue
    raise NoResponseError(
        "No loaded model knows this response.",
        hint="vLLM keeps responses only where its environment has "
        "VLLM_ENABLE_RESPONSES_API_STORE=1 (serve.env of the model's recipe), and until it ends; "
        "ask again with POST /v1/responses.",
    )
