"""What to answer, decided from the request alone: words that say who heard what."""

from dataclasses import dataclass, replace

from sparkwell.testing.fake_engine.arguments import EngineArguments
from sparkwell.testing.fake_engine.asked import Asked
from sparkwell.testing.fake_engine.problems import ProblemError
from sparkwell.testing.fake_engine.replies import called_tool, stopped, tokens_of


@dataclass(frozen=True, slots=True)
class Generation:
    """One answer to give. A token is a word here, with the space before it.

    Where a ``tool`` is called the tokens are its arguments. ``stop_reason`` is the string that
    ended the answer. ``choices`` are told alike. ``logprobs`` are the alternatives to each token.
    """

    model: str
    prompt_tokens: int
    tokens: tuple[str, ...]
    finish_reason: str
    stream: bool
    include_usage: bool
    continuous_usage: bool = False
    choices: int = 1
    tool: str | None = None
    stop_reason: str | None = None
    logprobs: int | None = None

    def given(self, tokens: list[str]) -> "Generation":
        """The answer as it was given in the end; shorter when it was aborted."""
        whole = len(tokens) == len(self.tokens)
        reason = self.finish_reason if whole else "abort"
        return replace(self, tokens=tuple(tokens), finish_reason=reason)

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.tokens)

    @property
    def usage(self) -> dict[str, int]:
        """OpenAI's usage object."""
        completion = len(self.tokens) * self.choices
        return {
            "prompt_tokens": self.prompt_tokens,
            "total_tokens": self.prompt_tokens + completion,
            "completion_tokens": completion,
        }


def plan(asked: Asked, *, arguments: EngineArguments, reply_tokens: int | None) -> Generation:
    """Decide what to generate; ProblemError is raised as vLLM would refuse the request."""
    model = known_model(asked.model, arguments)
    _check(asked, model, arguments)
    prompt_tokens = count_words(asked.texts)
    limit = _limit(asked, arguments.max_model_len, prompt_tokens)
    tool = called_tool(asked)
    all_tokens = tokens_of(asked, tool, model, limit if asked.exactly else reply_tokens)
    tokens, stop = stopped(all_tokens[:limit], asked.stop)
    ended = "length" if stop is None and len(all_tokens) >= limit else "stop"
    return Generation(
        model=model,
        prompt_tokens=prompt_tokens,
        tokens=tokens,
        # As vLLM: who names the tool is not told that one was called.
        finish_reason="tool_calls" if tool and asked.choice != tool.name else ended,
        stream=asked.stream,
        include_usage=asked.include_usage,
        continuous_usage=asked.continuous_usage,
        choices=asked.choices,
        tool=tool.name if tool else None,
        stop_reason=stop,
        logprobs=asked.logprobs,
    )


def known_model(name: str | None, arguments: EngineArguments) -> str:
    """The name by which the engine is asked; without one its first."""
    if name and name not in arguments.served_names:
        aliases = ", ".join(arguments.served_names)
        message = f"The model `{name}` does not exist. Valid aliases: {aliases}."
        raise ProblemError(404, message, kind="NotFoundError", param="model")
    return str(name or arguments.served_names[0])


def count_words(texts: tuple[str, ...]) -> int:
    """How many tokens they are."""
    return len(" ".join(texts).split())


def _check(asked: Asked, model: str, arguments: EngineArguments) -> None:
    if asked.pictures:
        raise ProblemError(400, f"{model} is not a multimodal model")
    if asked.choices > 1 and asked.greedy:
        raise ProblemError(400, f"n must be 1 when using greedy sampling, got {asked.choices}.")
    if asked.tools and asked.choice == "auto" and not arguments.calls_tools:
        message = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser'
        raise ProblemError(400, f"{message} to be set")
    named = asked.choice not in ("auto", "none", "required")
    if named and asked.choice not in {tool.name for tool in asked.tools}:
        message = "The tool specified in `tool_choice` does not match any of the specified `tools`"
        raise ProblemError(400, f"{message} (parameter=tool_choice)", param="tool_choice")


def _limit(asked: Asked, max_model_len: int, prompt_tokens: int) -> int:
    room = max_model_len - prompt_tokens
    if asked.limit is not None and asked.limit < 1:
        message = (
            f"max_tokens must be at least 1, got {asked.limit}. "
            f"(parameter=max_tokens, value={asked.limit})"
        )
        raise ProblemError(400, message, param="max_tokens")
    if room < 1 or (asked.limit or 0) > room:
        message = _too_large(asked.limit, max_model_len, prompt_tokens)
        raise ProblemError(400, message, param="max_tokens")
    return int(asked.limit or min(room, asked.usual or room))


def _too_large(asked: int | None, max_model_len: int, prompt_tokens: int) -> str:
    return (
        f"'max_tokens' or 'max_completion_tokens' is too large: {asked}. This model's maximum "
        f"context length is {max_model_len} tokens and your request has {prompt_tokens} input "
        f"tokens ({asked} > {max_model_len} - {prompt_tokens})."
    )
