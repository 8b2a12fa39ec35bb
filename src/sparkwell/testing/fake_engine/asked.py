"""What a request asks for, whichever dialect it speaks."""

import json
from dataclasses import dataclass
from typing import Any

from sparkwell.testing.fake_engine.problems import FORM, ProblemError

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that the model may call."""

    name: str
    schema: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request to generate.

    ``texts`` are the messages, or the one prompt: the last is what is answered. ``limit`` is the
    most tokens that were asked for, ``usual`` the most where none were: None is as many as there
    is room for. ``choice`` says whether a tool is to be called: "auto", "none", "required" or its
    name. ``schema`` is what the answer has to be an instance of. ``logprobs`` is how many
    alternatives to name for each token; None: no log probabilities at all.
    """

    model: str | None
    texts: tuple[str, ...]
    limit: int | None = None
    usual: int | None = None
    exactly: bool = False
    stop: tuple[str, ...] = ()
    choices: int = 1
    greedy: bool = False
    tools: tuple[Tool, ...] = ()
    choice: str = "none"
    answers_tool: bool = False
    schema: Json | None = None
    logprobs: int | None = None
    pictures: bool = False
    stream: bool = False
    include_usage: bool = False
    continuous_usage: bool = False


def parsed(body: bytes) -> Json:
    """Read a body; ProblemError when it is no JSON object."""
    try:
        request = json.loads(body)
    except ValueError as error:
        raise ProblemError(400, f"JSON decode error: {error}", FORM) from error
    if not isinstance(request, dict):
        raise ProblemError(400, "Input should be a valid dictionary", FORM)
    return request


def words(value: object) -> tuple[str, ...]:
    """Read what is one text or a list of them."""
    if value is None:
        return ()
    return tuple(str(one) for one in value) if isinstance(value, list) else (str(value),)
