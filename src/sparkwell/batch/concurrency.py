"""How many requests of a batch are on their way at a time. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from sparkwell.batch.lines import Line

UNKNOWN = 8
"""Where nobody knows what the model's engine takes."""
MOST = 256
"""More are never under way: an engine that takes more at a time has a queue of them by then."""


@dataclass(frozen=True, slots=True)
class Room:
    """What an engine is planned to take: sequences at a time, and tokens of KV cache, if known."""

    max_num_seqs: int
    kv_cache_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Concurrency:
    """``at_once`` requests are under way; ``why`` says what bounds them."""

    at_once: int
    why: str


def concurrency(lines: Sequence[Line], room: Room | None, given: int | None) -> Concurrency:
    """That of one model's lines.

    More than fit into the KV cache would be taken in and thrown out again by the engine
    (preemption), and computed twice; more than ``max_num_seqs`` would wait in it.
    """
    if given is not None:
        return Concurrency(given, "as asked for")
    if room is None:
        return Concurrency(UNKNOWN, "what the engine takes is not known")
    mean = max(1, sum(line.tokens for line in lines) // max(1, len(lines)))
    held = None if room.kv_cache_tokens is None else max(1, room.kv_cache_tokens // mean)
    if held is not None and held < min(room.max_num_seqs, MOST):
        return Concurrency(held, f"the KV cache holds so many of about {mean:,} tokens")
    if room.max_num_seqs > MOST:
        return Concurrency(MOST, "no more are under way at a time")
    return Concurrency(room.max_num_seqs, "the model's max_num_seqs")
