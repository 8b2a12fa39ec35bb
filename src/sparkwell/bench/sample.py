"""What one request of a measurement came to. Pure: who reads the bytes says when they came."""

from array import array
from dataclasses import dataclass, field
from typing import Any

import msgspec

_KEPT_OF_A_REFUSAL = 2048


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: Any = None


class _Choice(msgspec.Struct, gc=False):
    text: str | None = None
    delta: _Delta | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Event(msgspec.Struct, gc=False):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Event).decode


@dataclass(slots=True)
class Sample:
    """One request and its answer; times are seconds of one monotonic clock.

    ``due_s`` is when the request was to be sent, ``sent_s`` when it was: what lies between is part
    of what its sender waits for, so latencies count from ``due_s`` (else a client that is held up
    by a slow engine would not count those whom it kept waiting: "coordinated omission").
    ``first_s`` and ``last_s`` are the events with the first and the last token, ``gaps`` the
    seconds between events with tokens. ``output_tokens`` is the engine's own count.
    """

    due_s: float
    sent_s: float = 0.0
    first_s: float | None = None
    last_s: float | None = None
    ended_s: float = 0.0
    gaps: "array[float]" = field(default_factory=lambda: array("d"))
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    status: int | None = None
    error: str | None = None

    @property
    def good(self) -> bool:
        """Whether a whole answer with tokens came."""
        return self.error is None and self.first_s is not None

    @property
    def tokens(self) -> int:
        """Tokens generated."""
        if self.output_tokens is not None:
            return self.output_tokens
        return 0 if self.first_s is None else len(self.gaps) + 1

    @property
    def ttft_s(self) -> float | None:
        """To the first token."""
        return None if self.first_s is None else self.first_s - self.due_s

    @property
    def tpot_s(self) -> float | None:
        """For each token after the first, on average; None where there is but one."""
        if self.first_s is None or self.last_s is None or self.tokens < 2:
            return None
        return (self.last_s - self.first_s) / (self.tokens - 1)

    @property
    def e2e_s(self) -> float:
        """To the end of the answer."""
        return self.ended_s - self.due_s


class Reading:
    """Takes the bytes of one streamed answer, and keeps of them what a sample has."""

    __slots__ = ("_left", "_refusal", "sample")

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self._left = self._refusal = b""

    def take(self, data: bytes, now_s: float) -> None:
        """A part of the body, and when it came."""
        if self.sample.status != 200:
            self._refusal = (self._refusal + data)[:_KEPT_OF_A_REFUSAL]
            return
        *events, self._left = (self._left + data).replace(b"\r\n", b"\n").split(b"\n\n")
        for event in events:
            self._event(event, now_s)

    def end(self, now_s: float) -> None:
        """The answer is over, whole as HTTP has it."""
        self.sample.ended_s = now_s
        if self.sample.status != 200:
            self.sample.error = f"{self.sample.status}: {said(self._refusal)}"
        elif self.sample.error is None and self.sample.first_s is None:
            self.sample.error = "the answer has no token"

    def fail(self, why: str, now_s: float) -> None:
        """No whole answer came."""
        self.sample.ended_s, self.sample.error = now_s, why

    def _event(self, event: bytes, now_s: float) -> None:
        data = event if event.startswith(b"data:") else _data(event)
        data = data[5:].strip()
        if not data or data == b"[DONE]":
            return
        try:
            found = _decode(data)
        except msgspec.MsgspecError:
            self.sample.error = f"an event is not understood: {data[:80].decode(errors='replace')}"
            return
        self._note(found, now_s)

    def _note(self, event: _Event, now_s: float) -> None:
        sample = self.sample
        if event.error is not None:
            sample.error = said(msgspec.json.encode({"error": event.error}))
        if event.usage is not None:
            sample.prompt_tokens = event.usage.prompt_tokens
            sample.output_tokens = event.usage.completion_tokens
        if any(map(_has_token, event.choices)):
            if sample.last_s is None:
                sample.first_s = now_s
            else:
                sample.gaps.append(now_s - sample.last_s)
            sample.last_s = now_s


def _has_token(choice: _Choice) -> bool:
    if choice.text:
        return True
    delta = choice.delta
    return delta is not None and bool(
        delta.content or delta.reasoning or delta.reasoning_content or delta.tool_calls
    )


def _data(event: bytes) -> bytes:
    """The line with the data, of an event with comments or other fields before it."""
    return next((line for line in event.split(b"\n") if line.startswith(b"data:")), b"")


def said(body: bytes) -> str:
    """The words of an error in OpenAI's envelope, or how the body begins."""
    try:
        return str(msgspec.json.decode(body)["error"]["message"])
    except (msgspec.MsgspecError, KeyError, TypeError):
        return body[:200].decode(errors="replace") or "no words"
