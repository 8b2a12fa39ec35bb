"""What is asked in a measurement: prompts of an exact length that no cache has seen. Pure.

Prompts are token ids, so their length is what is said, whatever the tokenizer (``text`` has those
for endpoints that take none). They are drawn anew for each seed: two runs, and two repeats of a
run, share no prefix unless that is what is measured.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Literal, Protocol, TypeVar

PromptLayout = Literal["document first", "question first"]
FIRST_ID = 1000
"""Ids below are left out: vocabularies begin with single bytes and special tokens."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of request: lengths in tokens, exact.

    ``document_tokens`` of the prompt are the same for all requests that are about one of
    ``documents``; ``order`` says where they stand. Only what stands first can be cached.
    """

    prompt_tokens: int
    output_tokens: int
    document_tokens: int = 0
    documents: int = 1
    order: PromptLayout = "document first"

    @property
    def tokens(self) -> int:
        """What a sequence holds when it is done."""
        return self.prompt_tokens + self.output_tokens

    @property
    def is_cached(self) -> bool:
        """Whether a prefix cache has the document after its first request."""
        return self.document_tokens > 0 and self.order == "document first"

    def within(self, most: int) -> "Workload":
        """The same of at most that many tokens: the prompt gives way, and half is the answer's."""
        output = min(self.output_tokens, max(1, most // 2))
        prompt = max(1, min(self.prompt_tokens, most - output))
        document = self.document_tokens * prompt // self.prompt_tokens
        return replace(self, prompt_tokens=prompt, output_tokens=output, document_tokens=document)


Unit = TypeVar("Unit")


class Source(Protocol[Unit]):
    """Where prompts are drawn from; ``overhead`` is how many tokens the server adds to each."""

    @property
    def overhead(self) -> int: ...  # noqa: D102 - said above

    def draw(self, random: Random, count: int) -> list[Unit]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The ids that a prompt may have: from ``first`` up to, and without, ``size``."""

    size: int
    first: int = FIRST_ID

    @property
    def overhead(self) -> int:
        """Ids are taken as they are: no server adds any."""
        return 0

    def draw(self, random: Random, count: int) -> list[int]:
        """So many ids."""
        first = min(self.first, self.size // 2)
        return random.choices(range(first, self.size), k=count)


def prompts(
    workload: Workload, count: int, source: Source[Unit], seed: str
) -> Iterator[list[Unit]]:
    """The prompts of ``count`` requests; the documents take turns."""
    random = Random(seed)  # noqa: S311 - chance that can be repeated
    documents = [source.draw(random, workload.document_tokens) for _ in range(workload.documents)]
    question_tokens = workload.prompt_tokens - workload.document_tokens - source.overhead
    for number in range(count):
        document = documents[number % len(documents)]
        question = source.draw(random, max(1, question_tokens))
        first = workload.order == "document first"
        yield document + question if first else question + document


def body(model: str, prompt: list[int], output_tokens: int) -> bytes:
    """A request of ``/v1/completions`` for exactly so many tokens, as they come.

    ``ignore_eos`` and ``min_tokens`` are vLLM's: an answer must not end by itself.
    """
    request = {
        "model": model, "prompt": prompt, "max_tokens": output_tokens,
        "min_tokens": output_tokens, "ignore_eos": True, "temperature": 0.7,
        "stream": True, "stream_options": {"include_usage": True},
    }  # fmt: skip
    return json.dumps(request, separators=(",", ":")).encode()
