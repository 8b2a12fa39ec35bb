"""Whether a plan fits, and the largest share of the memory with which it does."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil

from sparkwell.catalog.described import Described
from sparkwell.catalog.recipe import FlagValue
from sparkwell.hardware.machine import Machine
from sparkwell.planner.engine_rules import EngineRules
from sparkwell.planner.memory import Calibration, Memory, is_gb10, plan_memory
from sparkwell.planner.online import as_served, loading_peak_bytes
from sparkwell.planner.settings import Settings, cache_type, resolve

Flags = Mapping[str, FlagValue]
UTILIZATION = "gpu_memory_utilization"
# Flags that the overhead or the weights depend on: a calibration does not outlive their change.
_CALIBRATED_WITH = (
    "max_num_batched_tokens",
    "max_num_seqs",
    "quantization",
    "enforce_eager",
    "enable_sleep_mode",
    "load_format",
    "tensor_parallel_size",
    "pipeline_parallel_size",
)
_FP8_ARITHMETIC = (8, 9)


@dataclass(frozen=True, slots=True)
class Case:
    """What stays the same while flags are tried.

    ``beside_bytes`` is held by other engines on the same device. ``calibration`` belongs to
    ``flags``; it is left aside for other values of those that it depends on. ``sleep_level`` is
    the level at which an engine with sleep mode will sleep, None where nobody has said.
    """

    described: Described
    machine: Machine
    rules: EngineRules
    beside_bytes: int = 0
    calibration: Calibration | None = None
    flags: Flags | None = None
    sleep_level: int | None = None

    def plan(self, flags: Flags) -> tuple[Settings, Memory]:
        """Settings and memory with these flags; raises UsageError for what cannot be planned."""
        described = as_served(self.described, flags)
        settings = resolve(flags, described, self.machine, self.rules)
        return settings, plan_memory(
            described,
            self.machine,
            self.rules,
            settings,
            calibration=self._calibration(flags),
            beside_bytes=self.beside_bytes,
            sleep_level=self.sleep_level,
        )

    def fits(self, flags: Flags) -> bool:
        """Whether these flags fit, the peak of loading included."""
        settings, memory = self.plan(flags)
        starts = unchecked_bytes(settings, memory) <= 0
        return fits(memory) and starts and loading_fits(self, flags)

    def on(self, machine: Machine) -> "Case":
        """The same on another machine, alone and as it is modelled."""
        return replace(self, machine=machine, beside_bytes=0, calibration=None)

    def _calibration(self, flags: Flags) -> Calibration | None:
        before = self.flags if self.flags is not None else flags
        same = all(before.get(name) == flags.get(name) for name in _CALIBRATED_WITH)
        return self.calibration if same else None


def fits(memory: Memory) -> bool:
    """Whether one full sequence fits, the engine's own check passes, and headroom is left."""
    return memory.max_concurrency >= 1 and excess_bytes(memory) <= 0


def excess_bytes(memory: Memory) -> int:
    """Bytes by which the budget is too large for the start-up check or for the headroom."""
    check = 0 if memory.startup_free is None else memory.budget - memory.startup_free
    return max(0, check, -(memory.headroom or 0))


def unchecked_bytes(settings: Settings, memory: Memory) -> int:
    """Bytes that the start-up check finds missing though the KV cache is given in bytes.

    The check goes by the share all the same; 0 where it passes or the budget is the share.
    """
    if settings.kv_cache_memory_bytes is None or memory.startup_free is None:
        return 0
    return max(0, ceil(memory.total * settings.utilization) - memory.startup_free)


def loading_fits(case: Case, flags: Flags) -> bool:
    """Whether the peak of loading fits, where weights are quantized on the way."""
    peak = loading_peak_bytes(case.described, flags)
    if peak is None:
        return True
    machine = case.machine
    system = (machine.system_bytes or 0) + machine.floor_bytes if machine.unified else 0
    free = machine.total_for(case.rules.version) - system - case.beside_bytes
    return peak // resolve(flags, case.described, machine, case.rules).gpus <= free


def utilization_ceiling(machine: Machine, rules: EngineRules) -> float:
    """The share above which no profile goes: the machine's own limit, or the engine's default."""
    return machine.max_utilization or rules.default_utilization


def safe_utilization(case: Case, flags: Flags, ceiling: float) -> float | None:
    """The largest whole percent up to ``ceiling`` with headroom that passes the start-up check.

    None where no share does, because the weights alone are too large. Says nothing of whether a
    sequence fits.
    """
    percent = int(round(ceiling * 100, 6))
    while percent > 0:
        share = percent / 100
        _, memory = case.plan({**flags, UTILIZATION: share})
        excess = excess_bytes(memory)
        if excess <= 0:
            return share
        if memory.kv_cache <= 0 and (memory.headroom or 0) < 0:
            return None
        percent -= max(1, ceil(100 * excess / memory.total))
    return None


def largest_safe_utilization(
    case: Case, flags: Flags, *, ceiling: float | None = None
) -> float | None:
    """The largest share, in whole percent, with which these flags fit; None where none does.

    ``ceiling`` is ``utilization_ceiling`` unless given. A KV cache given in bytes has no share;
    there the answer is what the start-up check needs.
    """
    if flags.get("kv_cache_memory_bytes") is not None:
        share = matching_utilization(case, flags)
        return share if case.fits({**flags, UTILIZATION: share}) else None
    limit = utilization_ceiling(case.machine, case.rules) if ceiling is None else ceiling
    safe = safe_utilization(case, flags, limit)
    return safe if safe is not None and case.fits({**flags, UTILIZATION: safe}) else None


def matching_utilization(case: Case, flags: Flags) -> float:
    """The share that covers weights, overhead and a KV cache given in bytes, in whole percent."""
    _, memory = case.plan(flags)
    return min(1.0, ceil(100 * memory.budget / memory.total) / 100)


def takes_fp8_cache(machine: Machine, rules: EngineRules) -> bool:
    """Whether this engine version keeps keys and values in FP8 on this machine with good speed."""
    if is_gb10(machine):
        return rules.fp8_kv_on_gb10 is True
    return (machine.compute_capability or (0, 0)) >= _FP8_ARITHMETIC


def own_cache_flag(described: Described, rules: EngineRules) -> str:
    """The KV dtype that the engine takes by itself: "auto", or "fp8" where that is what it means.

    Said in words for a checkpoint that declares one, so that the version does not matter.
    """
    return "fp8" if cache_type("auto", described, rules) == "fp8" else "auto"


def wide_cache_flag(described: Described, rules: EngineRules) -> str:
    """The flag for a KV cache in 16 bits."""
    return "bfloat16" if cache_type("auto", described, rules) == "fp8" else "auto"
