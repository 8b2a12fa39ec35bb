"""Several engines on one device: each gets as much as leaves room for the others.

What an engine may take is a share of all the memory, whatever others hold, so the shares are
lowered until all fit. Each is planned beside all others, in whatever order they start: one that
starts again finds the others there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sparkwell.catalog.described import Described
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.units import GIB
from sparkwell.hardware.machine import Machine
from sparkwell.planner import kv
from sparkwell.planner.fit import UTILIZATION, takes_fp8_cache
from sparkwell.planner.ladders import BATCHED_TOKENS, contexts_down
from sparkwell.planner.memory import Memory
from sparkwell.planner.online import loading_peak_bytes
from sparkwell.planner.shares import (
    Bid,
    Engine,
    bid_of,
    free_bytes,
    lowered,
    share_out,
    together,
)
from sparkwell.planner.trouble import Advice

__all__ = ["Engine", "Entry", "Fixed", "Placement", "ollama", "place"]
# Beside weights and KV cache an Ollama runner has buffers and a process: assumed, not measured.
RUNNER_BYTES = GIB
_RUNNER_CACHE_BYTES = 2
_SMALLEST_CONTEXT = 4096


@dataclass(frozen=True, slots=True)
class Fixed:
    """What holds the same memory whatever else runs, in bytes: a model in Ollama."""

    name: str
    held_bytes: int


Wish = Engine | Fixed


@dataclass(frozen=True, slots=True)
class Entry:
    """What one of them gets, ``held_bytes`` at its peak; what is fixed has no memory and flags."""

    name: str
    held_bytes: int
    fits: bool
    flags: dict[str, FlagValue]
    memory: Memory | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """All of them, in the order in which they were asked for.

    ``free_bytes`` is what all may hold together. ``why_not`` says why they do not fit, None where
    they do; ``advice`` then has what would make them fit, and what to mind at the start else.
    """

    entries: tuple[Entry, ...]
    free_bytes: int
    why_not: str | None = None
    advice: tuple[Advice, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether all of them fit together."""
        return self.why_not is None


def ollama(name: str, described: Described, num_ctx: int, parallel: int = 1) -> Fixed:
    """A model in Ollama with an explicit context: weights, 16-bit KV cache, and its runner.

    Without num_ctx Ollama takes 262,144 tokens on a machine with 48 GiB or more.
    """
    cache = parallel * kv.sequence_bytes(described.shape, _RUNNER_CACHE_BYTES, num_ctx)
    return Fixed(name, described.parts.total + cache + RUNNER_BYTES)


def place(wishes: Sequence[Wish], machine: Machine) -> Placement:
    """Give each engine a share of one device's memory so that all fit, or say why they do not.

    Each gets what its weights, its overhead and one sequence of its context need; then up to a
    KV cache for max_num_seqs typical requests; then what is left, in proportion.
    """
    placement = _placed(wishes, machine)
    if placement.fits:
        return replace(placement, advice=_one_by_one(wishes))
    return replace(placement, advice=tuple(_ways(wishes, machine, placement.why_not or "")))


def _placed(wishes: Sequence[Wish], machine: Machine) -> Placement:
    bids = [bid_of(wish, machine) for wish in wishes if isinstance(wish, Engine)]
    fixed = sum(wish.held_bytes for wish in wishes if isinstance(wish, Fixed))
    free = free_bytes(bids, machine)
    shares = lowered(bids, share_out(bids, free - fixed, machine.total_bytes), fixed)
    memories = together(bids, shares, fixed)
    every = fixed + sum(memory.held for memory in memories)
    of_engine = iter(
        _placed_engine(bid, share, memory, every - memory.held)
        for bid, share, memory in zip(bids, shares, memories, strict=True)
    )
    room = fixed <= free
    entries = tuple(
        Entry(wish.name, wish.held_bytes, room, {}) if isinstance(wish, Fixed) else next(of_engine)
        for wish in wishes
    )
    why = None if all(each.fits for each in entries) else _why(wishes, bids, free)
    return Placement(entries, free, why)


def _placed_engine(bid: Bid, share: int, memory: Memory, beside_bytes: int) -> Entry:
    fits = bid.allowed and bid.fits(share, beside_bytes)
    return Entry(bid.engine.name, memory.held, fits, bid.flags(share), memory)


def _why(wishes: Sequence[Wish], bids: Sequence[Bid], free: int) -> str:
    """Why they do not fit: one's own share is too small, or all need too much together."""
    for bid in bids:
        if not bid.allowed:
            return (
                f"{bid.engine.name} needs a share of at least {bid.least / 100:.2f} for its "
                f"weights, its overhead and one sequence of its context; {UTILIZATION} is "
                f"{bid.engine.limit:.2f}."
            )
    for bid in bids:
        peak = loading_peak_bytes(bid.engine.described, bid.engine.flags)
        others = sum(wish.held_bytes for wish in wishes if isinstance(wish, Fixed))
        if peak is not None and peak + others > free:
            return (
                f"{bid.engine.name} takes up to {_gib(peak)} while it loads, before its weights "
                f"shrink; beside {_gib(others)} only {_gib(free - others)} are there."
            )
    needs = [(bid.engine.name, bid.memory(bid.least).held) for bid in bids]
    needs += [(wish.name, wish.held_bytes) for wish in wishes if isinstance(wish, Fixed)]
    each = ", ".join(f"{name} needs {_gib(size)}" for name, size in needs)
    whole = _gib(sum(size for _, size in needs))
    return f"{each}: together {whole}, and {_gib(free)} are there for them."


def _ways(wishes: Sequence[Wish], machine: Machine, why: str) -> Iterator[Advice]:
    """Changes to one engine with which all fit, the mildest first; else who is too much."""
    found = [
        advice
        for place, wish in enumerate(wishes)
        if isinstance(wish, Engine)
        for advice in _changed(wishes, place, wish, machine, why)
    ]
    yield from found
    for place, wish in enumerate(wishes):
        others = [*wishes[:place], *wishes[place + 1 :]]
        if not found and others and _placed(others, machine).fits:
            yield Advice(f"without-{wish.name}", why, f"Without {wish.name} the others fit.")


def _changed(
    wishes: Sequence[Wish], place: int, wish: Engine, machine: Machine, why: str
) -> Iterator[Advice]:
    """The first change of each kind to one engine with which all fit."""
    for kind in _kinds(wish, machine):
        for change in kind:
            flags = {**wish.flags, **change}
            others = [*wishes[:place], replace(wish, flags=flags), *wishes[place + 1 :]]
            if _placed(others, machine).fits:
                said = " and ".join(f"{name} to {value}" for name, value in change.items())
                yield Advice(f"change-{wish.name}", why, f"For {wish.name} set {said}.", change)
                break


def _kinds(wish: Engine, machine: Machine) -> Iterator[list[dict[str, FlagValue]]]:
    """Changes to try, each kind from the mildest on."""
    bid = bid_of(wish, machine)
    settings, _ = bid.case.plan(wish.flags)
    yield [] if bid.allowed else [{UTILIZATION: bid.least / 100}]
    small: dict[str, FlagValue] = {"max_num_batched_tokens": BATCHED_TOKENS[0]}
    steps = [small] if settings.max_num_batched_tokens > BATCHED_TOKENS[0] else []
    yield [*steps]
    lower = [
        each for each in contexts_down(settings.max_model_len)[1:] if each >= _SMALLEST_CONTEXT
    ]
    yield [{"max_model_len": each} for each in lower]
    if settings.cache_type == "bf16" and takes_fp8_cache(machine, wish.rules):
        yield [{"kv_cache_dtype": "fp8"}]


def _one_by_one(wishes: Sequence[Wish]) -> tuple[Advice, ...]:
    if len(wishes) < 2:
        return ()
    any_fixed = any(isinstance(wish, Fixed) for wish in wishes)
    first = ", and load Ollama's models first."
    return (
        Advice(
            "start-one-by-one",
            "An engine measures the memory while it starts; another that takes or frees some "
            "meanwhile makes it fail.",
            "Start the next when the one before is ready" + (first if any_fixed else "."),
        ),
    )


def _gib(count: float) -> str:
    return f"{count / GIB:.1f} GiB"
