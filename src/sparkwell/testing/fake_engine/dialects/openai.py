"""OpenAI's chats and completions."""

from typing import Any

from sparkwell.testing.fake_engine.asked import Asked, Json, Tool, words
from sparkwell.testing.fake_engine.contents import has_pictures, text_of
from sparkwell.testing.fake_engine.dialects import Dialect, Speech
from sparkwell.testing.fake_engine.generation import Generation
from sparkwell.testing.fake_engine.problems import missing
from sparkwell.testing.fake_engine.shapes import Chunks

_COMPLETION_TOKENS = 16  # the default of /v1/completions


def asked_chat(request: Json) -> Asked:
    """Read /v1/chat/completions."""
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        raise missing("messages", len(request))
    contents = [message.get("content") for message in messages]
    return Asked(
        texts=tuple(text_of(content) for content in contents),
        limit=_first(request, "max_completion_tokens", "max_tokens"),
        tools=tuple(_tool(one["function"]) for one in request.get("tools") or ()),
        choice=_choice(request),
        answers_tool=messages[-1].get("role") == "tool",
        schema=_schema(request.get("response_format") or {}),
        logprobs=(request.get("top_logprobs") or 0) if request.get("logprobs") else None,
        pictures=any(map(has_pictures, contents)),
        **_common(request),
    )


def asked_completion(request: Json) -> Asked:
    """Read /v1/completions. Several prompts are taken for one."""
    prompt = request.get("prompt")
    if prompt is None:
        raise missing("prompt", len(request))
    text = " ".join(map(str, prompt)) if isinstance(prompt, list) else str(prompt)
    return Asked(
        texts=(text,),
        limit=request.get("max_tokens"),
        usual=_COMPLETION_TOKENS,
        logprobs=request.get("logprobs"),
        **_common(request),
    )


def _common(request: Json) -> dict[str, Any]:
    options = request.get("stream_options") or {}
    return {
        "model": request.get("model"),
        "exactly": bool(request.get("ignore_eos")),
        "stop": words(request.get("stop")),
        "choices": int(request.get("n") or 1),
        "greedy": request.get("temperature") == 0,
        "stream": bool(request.get("stream")),
        "include_usage": bool(options.get("include_usage")),
        "continuous_usage": bool(options.get("continuous_usage_stats")),
    }


def _first(request: Json, *names: str) -> int | None:
    return next((request[name] for name in names if request.get(name) is not None), None)


def _tool(function: Json) -> Tool:
    return Tool(name=function["name"], schema=function.get("parameters") or {})


def _choice(request: Json) -> str:
    choice = request.get("tool_choice") or ("auto" if request.get("tools") else "none")
    return str(choice["function"]["name"]) if isinstance(choice, dict) else str(choice)


def _schema(wanted: Json) -> Json | None:
    if wanted.get("type") == "json_schema":
        return dict((wanted.get("json_schema") or {}).get("schema") or {})
    return _ANY_OBJECT if wanted.get("type") == "json_object" else None


_ANY_OBJECT: Json = {"type": "object", "properties": {"heard": {"type": "string"}}}


def _chat(generation: Generation, request_id: str, created: int, _: Json) -> Speech:
    return Chunks(generation, request_id, created, chat=True)


def _completion(generation: Generation, request_id: str, created: int, _: Json) -> Speech:
    return Chunks(generation, request_id, created, chat=False)


CHAT = Dialect("chatcmpl-", asked_chat, _chat)
COMPLETION = Dialect("cmpl-", asked_completion, _completion)
