"""Tokens counted, named and joined again: a token is a word, its id the place where it was seen."""

from aiohttp import web

from sparkwell.testing.fake_engine.arguments import EngineArguments
from sparkwell.testing.fake_engine.asked import Json, parsed
from sparkwell.testing.fake_engine.contents import text_of
from sparkwell.testing.fake_engine.dialects.messages import texts
from sparkwell.testing.fake_engine.generation import count_words, known_model


class Counting:
    """The routes that need the tokenizer alone."""

    def __init__(self, arguments: EngineArguments) -> None:
        self._arguments = arguments
        self._ids: dict[str, int] = {}

    def routes(self) -> list[web.RouteDef]:
        """All three."""
        return [
            web.post("/tokenize", self.tokenize),
            web.post("/detokenize", self.detokenize),
            web.post("/v1/messages/count_tokens", self.count),
        ]

    async def tokenize(self, request: web.Request) -> web.StreamResponse:
        """POST /tokenize: a prompt, or the messages of a chat."""
        asked = await self._asked(request)
        said = [text_of(message.get("content")) for message in asked.get("messages") or ()]
        words = str(asked.get("prompt") or " ".join(said)).split()
        return web.json_response(
            {
                "count": len(words),
                "max_model_len": self._arguments.max_model_len,
                "tokens": [self._ids.setdefault(word, len(self._ids)) for word in words],
                "token_strs": words if asked.get("return_token_strs") else None,
            }
        )

    async def detokenize(self, request: web.Request) -> web.StreamResponse:
        """POST /detokenize."""
        asked = await self._asked(request)
        words = {number: word for word, number in self._ids.items()}
        told = " ".join(words.get(number, "?") for number in asked.get("tokens") or ())
        return web.json_response({"prompt": told})

    async def count(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/messages/count_tokens."""
        count = count_words(texts(await self._asked(request)))
        original = {"original_input_tokens": count}
        return web.json_response({"input_tokens": count, "context_management": original})

    async def _asked(self, request: web.Request) -> Json:
        asked = parsed(await request.read())
        known_model(asked.get("model"), self._arguments)
        return asked
