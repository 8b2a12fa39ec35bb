"""OpenAI's responses: reading them, and telling them whole or in numbered events."""

from collections.abc import Iterable
from typing import Any

from sparkwell.testing.fake_engine.asked import Asked, Json, Tool
from sparkwell.testing.fake_engine.contents import has_pictures, text_of
from sparkwell.testing.fake_engine.dialects import Dialect
from sparkwell.testing.fake_engine.dialects.response_body import body, item, part
from sparkwell.testing.fake_engine.generation import Generation
from sparkwell.testing.fake_engine.problems import missing
from sparkwell.testing.fake_engine.shapes import sse


def asked(request: Json) -> Asked:
    """Read /v1/responses."""
    if request.get("input") is None:
        raise missing("input", len(request))
    given = request["input"]
    items = given if isinstance(given, list) else [{"content": given}]
    system = [request["instructions"]] if request.get("instructions") else []
    tools = [one for one in request.get("tools") or () if one.get("type") == "function"]
    return Asked(
        model=request.get("model"),
        texts=(*system, *(text_of(one.get("content") or one.get("output")) for one in items)),
        limit=request.get("max_output_tokens"),
        exactly=bool(request.get("ignore_eos")),
        tools=tuple(Tool(name=one["name"], schema=one.get("parameters") or {}) for one in tools),
        choice=_choice(request),
        answers_tool=items[-1].get("type") == "function_call_output",
        schema=_schema((request.get("text") or {}).get("format") or {}),
        pictures=any(has_pictures(one.get("content")) for one in items),
        stream=bool(request.get("stream")),
    )


def _choice(request: Json) -> str:
    choice = request.get("tool_choice") or ("auto" if request.get("tools") else "none")
    return str(choice["name"]) if isinstance(choice, dict) else str(choice)


def _schema(wanted: Json) -> Json | None:
    return wanted["schema"] if wanted.get("type") == "json_schema" else None


class Response:
    """One response. Its events are numbered, and there is no [DONE] after them."""

    def __init__(self, generation: Generation, request_id: str, created: int, request: Json):
        self._generation, self._id = generation, request_id
        self._created, self._request = created, request
        self._number = 0

    def whole(self, given: Generation) -> dict[str, Any]:
        """Write the response."""
        return body(given, self._id, self._created, self._request)

    def first(self) -> bytes:
        """Say that it begins, and with what."""
        begun = {"response": self._begun("in_progress")}
        empty = item(self._generation.given([]), self._id, "in_progress")
        events = self._event("response.created", begun)
        events += self._event("response.in_progress", begun)
        events += self._event("response.output_item.added", {"output_index": 0, "item": empty})
        if self._generation.tool:
            return events
        return events + self._event("response.content_part.added", self._place({"part": part("")}))

    def token(self, text: str) -> bytes:
        """One token."""
        if self._generation.tool:
            told = {**self._place({}), "delta": text}
            return self._event("response.function_call_arguments.delta", told)
        told = self._place({"delta": text, "logprobs": []})
        return self._event("response.output_text.delta", told)

    def last(self, given: Generation) -> Iterable[bytes]:
        """Say each thing's end, from the inmost on."""
        if given.tool:
            called = {"arguments": given.text, "name": given.tool}
            yield self._event("response.function_call_arguments.done", self._place(called))
        else:
            said = self._place({"text": given.text, "logprobs": []})
            yield self._event("response.output_text.done", said)
            said = self._place({"part": part(given.text)})
            yield self._event("response.content_part.done", said)
        ended = {"output_index": 0, "item": item(given, self._id, "completed")}
        yield self._event("response.output_item.done", ended)
        yield self._event("response.completed", {"response": self.whole(given)})

    def _begun(self, status: str) -> dict[str, Any]:
        return body(None, self._id, self._created, self._request, self._generation.model, status)

    def _place(self, told: dict[str, Any]) -> dict[str, Any]:
        """Which item it is about; of a text also which part."""
        where = {"item_id": item(self._generation, self._id, "")["id"], "output_index": 0}
        return {**told, **where, **({} if self._generation.tool else {"content_index": 0})}

    def _event(self, kind: str, told: dict[str, Any]) -> bytes:
        event = sse({**told, "sequence_number": self._number, "type": kind}, kind)
        self._number += 1
        return event


RESPONSES = Dialect("resp_", asked, Response)
