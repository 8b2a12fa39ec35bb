"""The JSON shapes of a response, filled as vLLM fills them."""

from typing import Any

from sparkwell.testing.fake_engine.asked import Json
from sparkwell.testing.fake_engine.generation import Generation
from sparkwell.testing.fake_engine.shapes import tool_id

_ECHOED: tuple[tuple[str, Any], ...] = (
    ("temperature", 1.0),
    ("top_p", 1.0),
    ("parallel_tool_calls", True),
    ("presence_penalty", 0.0),
    ("frequency_penalty", 0.0),
    ("truncation", "disabled"),
    ("service_tier", "auto"),
    ("background", False),
    ("tools", []),
    ("instructions", None),
    ("metadata", None),
    ("max_output_tokens", None),
    ("previous_response_id", None),
    ("text", None),
)  # what the request said, or the default


def body(
    given: Generation | None,
    response_id: str,
    created: int,
    request: Json,
    model: str = "",
    status: str = "",
) -> dict[str, Any]:
    """Write a response; without what was ``given`` one of which only the status is known."""
    cut = given is not None and given.finish_reason == "length"
    return {
        "id": response_id,
        "object": "response",
        "created_at": created,
        "model": given.model if given else model,
        "status": status or ("incomplete" if cut else "completed"),
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": [item(given, response_id, "completed")] if given else [],
        "usage": _usage(given) if given else None,
        "tool_choice": request.get("tool_choice") or ("auto" if request.get("tools") else "none"),
        **{name: request.get(name, usual) for name, usual in _ECHOED},
    }


def item(given: Generation, response_id: str, status: str) -> dict[str, Any]:
    """Write the one item of the output: a message, or the call of a tool."""
    own = response_id.removeprefix("resp_")
    if given.tool:
        return {
            "type": "function_call",
            "id": f"fc_{own}",
            "call_id": tool_id(own),
            "name": given.tool,
            "arguments": given.text,
            "status": status,
        }
    return {
        "type": "message",
        "id": f"msg_{own}",
        "role": "assistant",
        "status": status,
        "content": [part(given.text)] if given.tokens else [],
    }


def part(text: str) -> dict[str, Any]:
    """Write the one part of a message's content."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _usage(given: Generation) -> dict[str, Any]:
    usage = given.usage
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage["total_tokens"],
    }
