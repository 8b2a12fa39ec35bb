"""How much of one device's memory each of several engines gets, in whole percent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil

from sparkwell.catalog.described import Described
from sparkwell.catalog.recipe import FlagValue
from sparkwell.hardware.machine import Machine
from sparkwell.planner.engine_rules import EngineRules
from sparkwell.planner.fit import UTILIZATION, Case, Flags, excess_bytes, utilization_ceiling
from sparkwell.planner.ladders import ROOM, TYPICAL_TOKENS
from sparkwell.planner.memory import Memory


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine whose share can be lowered. A share in ``flags`` is the most that it gets.

    ``sleep_level`` is the level at which one with sleep mode will sleep.
    """

    name: str
    described: Described
    rules: EngineRules
    flags: Flags
    sleep_level: int | None = None

    @property
    def limit(self) -> float | None:
        """The user's share (0 to 1), None where the flags leave it open."""
        given = self.flags.get(UTILIZATION)
        return None if given is None else float(given)


@dataclass(frozen=True, slots=True)
class Bid:
    """What an engine needs, would like, and may have at most, in percent.

    ``least`` is for weights, overhead and one sequence of its context; ``wish`` for a KV cache
    of max_num_seqs typical requests. ``most`` is not below ``least``, even where the user's
    share is.
    """

    engine: Engine
    case: Case
    least: int
    wish: int
    most: int

    def flags(self, percent: int) -> dict[str, FlagValue]:
        """Its flags with that share; a CPU build knows no shares."""
        on_cpu = self.case.machine.device == "cpu"
        return {**self.engine.flags, **({} if on_cpu else {UTILIZATION: percent / 100})}

    def memory(self, percent: int, beside_bytes: int = 0) -> Memory:
        """Its memory with that share, beside others."""
        return replace(self.case, beside_bytes=beside_bytes).plan(self.flags(percent))[1]

    def fits(self, percent: int, beside_bytes: int) -> bool:
        """Whether it fits with that share beside others, the peak of loading included."""
        return replace(self.case, beside_bytes=beside_bytes).fits(self.flags(percent))

    @property
    def allowed(self) -> bool:
        """Whether the user's own share is enough for the least."""
        limit = self.engine.limit
        return limit is None or self.least <= round(100 * limit, 6)


def bid_of(engine: Engine, machine: Machine) -> Bid:
    """An engine's bid on an empty machine."""
    case = Case(engine.described, machine, engine.rules, sleep_level=engine.sleep_level)
    settings, memory = case.plan(engine.flags)
    if settings.kv_cache_memory_bytes is not None:
        only = _percent(memory.budget, memory.total)
        return Bid(engine, case, only, only, only)
    need = memory.weights + memory.overhead
    one = ceil(settings.max_model_len * ROOM) * memory.kv_per_token
    typical = settings.max_num_seqs * min(TYPICAL_TOKENS, settings.max_model_len)
    least = _percent(need + one, memory.total)
    wish = _percent(need + max(one, typical * memory.kv_per_token), memory.total)
    ceiling = engine.limit or utilization_ceiling(machine, engine.rules)
    return Bid(engine, case, least, wish, max(least, int(round(100 * ceiling, 6))))


def free_bytes(bids: Iterable[Bid], machine: Machine) -> int:
    """What all engines may hold together on one device."""
    totals = [machine.total_for(bid.engine.rules.version) for bid in bids]
    kept = (machine.system_bytes or 0) + machine.floor_bytes if machine.unified else 0
    return min(totals, default=machine.total_bytes) - kept


def share_out(bids: Sequence[Bid], free: int, total: int) -> list[int]:
    """What each needs, then towards its wish, then towards the most it may have, in proportion."""
    shares = [bid.least for bid in bids]
    for targets in ([min(bid.wish, bid.most) for bid in bids], [bid.most for bid in bids]):
        spare = max(0.0, 100 * (free - sum(held_by(bids, shares))) / total)
        gaps = [max(0, target - share) for target, share in zip(targets, shares, strict=True)]
        part = min(1.0, spare / max(1, sum(gaps)))
        shares = [share + int(part * gap) for share, gap in zip(shares, gaps, strict=True)]
    return shares


def lowered(bids: Sequence[Bid], shares: Sequence[int], fixed: int) -> list[int]:
    """The shares, lowered by whoever has most to spare until all can start and stay.

    ``fixed`` bytes are held by what has no share.
    """
    now = list(shares)
    for _ in range(sum(now)):
        spare = [share - bid.least for bid, share in zip(bids, now, strict=True)]
        if max(spare, default=0) <= 0 or not _excess(bids, now, fixed):
            break
        now[spare.index(max(spare))] -= 1
    return now


def held_by(bids: Sequence[Bid], shares: Sequence[int]) -> list[int]:
    """Bytes that each holds at its peak."""
    return [bid.memory(share).held for bid, share in zip(bids, shares, strict=True)]


def together(bids: Sequence[Bid], shares: Sequence[int], fixed: int) -> list[Memory]:
    """The memory of each beside all others, whichever started first."""
    held = held_by(bids, shares)
    beside = [fixed + sum(held) - own for own in held]
    return [bid.memory(s, b) for bid, s, b in zip(bids, shares, beside, strict=True)]


def _excess(bids: Sequence[Bid], shares: Sequence[int], fixed: int) -> bool:
    return any(excess_bytes(memory) > 0 for memory in together(bids, shares, fixed))


def _percent(size: int, total: int) -> int:
    return ceil(100 * size / total)
