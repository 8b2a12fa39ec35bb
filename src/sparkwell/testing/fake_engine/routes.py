"""Which path speaks which dialect."""

from aiohttp import web
from aiohttp.typedefs import Handler

from sparkwell.testing.fake_engine.answering import Answering
from sparkwell.testing.fake_engine.arguments import EngineArguments
from sparkwell.testing.fake_engine.dialects import Dialect
from sparkwell.testing.fake_engine.dialects.counting import Counting
from sparkwell.testing.fake_engine.dialects.messages import MESSAGES
from sparkwell.testing.fake_engine.dialects.openai import CHAT, COMPLETION
from sparkwell.testing.fake_engine.dialects.pooling import ROUTES
from sparkwell.testing.fake_engine.dialects.stored import Stored

_GENERATING = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": COMPLETION,
    "/v1/messages": MESSAGES,
}


def model_routes(arguments: EngineArguments, answering: Answering) -> list[web.RouteDef]:
    """What the model is for: ``--runner generate`` or ``pooling``; without it both."""
    routes = Counting(arguments).routes()
    if arguments.runner != "pooling":
        routes += [web.post(path, generates(answering, one)) for path, one in _GENERATING.items()]
        routes += Stored(answering).routes()
    if arguments.runner != "generate":
        routes += [web.post(path, computes(answering, path)) for path in ROUTES]
    return routes


def generates(answering: Answering, dialect: Dialect) -> Handler:
    """Answer with tokens."""

    async def handler(request: web.Request) -> web.StreamResponse:
        return await answering.answer(request, dialect)

    return handler


def computes(answering: Answering, path: str) -> Handler:
    """Answer with numbers."""
    prefix, compute = ROUTES[path]

    async def handler(request: web.Request) -> web.StreamResponse:
        return await answering.compute(request, prefix, compute)

    return handler
