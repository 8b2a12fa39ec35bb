"""What stored starts spent of their budgets, told with the planner's model of the same model."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from sparkwell.catalog.described import Described
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import UsageError
from sparkwell.core.units import GIB
from sparkwell.hardware.machine import Machine
from sparkwell.planner.engine_rules import EngineRules
from sparkwell.planner.memory import Memory, plan_memory
from sparkwell.planner.settings import Settings, resolve
from sparkwell.store.record import OTHER_FLAGS
from sparkwell.store.starts import StartRecord

# Two decimals. Beyond that, several devices do not have quite the same cache; each logs its own.
_LOG_ERROR_BYTES = round(0.005 * GIB)
_UNLIKE = 0.005


class Start(NamedTuple):
    """A start whose overhead can be told, with the settings that its flags stand for."""

    record: StartRecord
    settings: Settings


class Spent(NamedTuple):
    """Weights and overhead together, as spent and as modelled for the same start; in bytes.

    ``warm``: nothing was spent on compiling.
    """

    weights_bytes: int
    spent_bytes: int
    modelled_bytes: int
    warm: bool


@dataclass(frozen=True, slots=True)
class Model:
    """One model on one machine under one engine version, as the planner sees them."""

    described: Described
    machine: Machine
    rules: EngineRules

    def starts(self, records: Iterable[StartRecord], flags: Mapping[str, FlagValue]) -> list[Start]:
        """Starts of the same weights on a GPU whose KV cache was left to the engine.

        Flags that the model has no term for must be equal; the others may differ.
        """
        found = ((record, self._settings(record, _others(flags))) for record in records)
        return [Start(record, settings) for record, settings in found if settings]

    def _settings(self, record: StartRecord, others: Mapping[str, FlagValue]) -> Settings | None:
        same = (record.repo, record.revision) == (self.described.repo, self.described.revision)
        if not same or record.device == "cpu":
            return None
        try:
            flags = record.flag_values
            settings = resolve(flags, self.described, self.machine, self.rules)
        except (UsageError, ValueError):
            return None
        given = settings.kv_cache_memory_bytes is not None or "num_gpu_blocks_override" in flags
        return None if given or _others(flags) != others else settings

    def spent(self, start: Start) -> Spent | None:
        """What a start spent; None where it did not say."""
        record, settings = start
        # That start's own total: it may have been another by some bytes.
        seen = replace(self.machine, total_bytes=record.total_bytes, seen_totals=())
        memory = replace(self, machine=seen).memory(settings, warm=record.warm is not False)
        cache = cache_bytes(record, settings, memory.kv_per_token, self.rules)
        if cache is None:
            return None
        return Spent(
            weights_bytes=record.weights_bytes or memory.weights,
            spent_bytes=memory.budget - cache,
            modelled_bytes=modelled_bytes(memory),
            warm=record.warm is True,
        )

    def memory(self, settings: Settings, *, warm: bool) -> Memory:
        """The model's own word, not calibrated."""
        return plan_memory(self.described, self.machine, self.rules, settings, warm=warm)


def modelled_bytes(memory: Memory) -> int:
    """Weights and overhead of a plan."""
    return memory.weights + memory.overhead


def cache_bytes(
    record: StartRecord, settings: Settings, bytes_per_token: int, rules: EngineRules
) -> int | None:
    """Bytes of the KV cache on one device: whole blocks; None where the start did not say.

    ``settings`` are those of the start, ``bytes_per_token`` is the planner's for them. Where
    blocks and the log's GiB contradict each other, bytes_per_token is not this engine's, and the
    log is right.
    """
    if record.kv_cache_tokens is None:
        return record.kv_cache_bytes
    block_bytes = settings.block_tokens * bytes_per_token
    exact = _blocks(record, record.kv_cache_tokens, settings, rules) * block_bytes
    logged = record.kv_cache_bytes
    slack = _LOG_ERROR_BYTES + block_bytes + _UNLIKE * exact
    return exact if logged is None or abs(logged - exact) <= slack else logged


def _blocks(record: StartRecord, tokens: int, settings: Settings, rules: EngineRules) -> int:
    """The inverse of planner.kv.cache_tokens: the fewest blocks that show as so many tokens."""
    if record.from_metrics or rules.tokens_round == "blocks":
        return tokens // settings.block_tokens
    longest = settings.max_model_len
    blocks_each = -(-longest // settings.block_tokens)
    return -(-tokens * blocks_each // longest)


def _others(flags: Mapping[str, FlagValue]) -> dict[str, FlagValue]:
    return {name: flags[name] for name in OTHER_FLAGS if name in flags}
