"""One device's memory, divided as an engine version divides it.

``budget`` is what the engine may plan with; it falls into weights, overhead and KV cache. What
the engine then holds at its peak is another sum: graphs and buffers that a version does not
count come on top, and file pages that it counted are given back.
"""

from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from sparkwell.catalog.described import Described
from sparkwell.hardware.machine import Machine
from sparkwell.planner import kv, overhead, sleep, weights
from sparkwell.planner.engine_rules import EngineRules
from sparkwell.planner.overhead import DEFAULT, MIB, Coefficients, Overhead, Trial
from sparkwell.planner.settings import CACHE_BYTES, GB10, Settings

# What CUDA takes for a process before the engine's first measurement; outside of every budget
# (H100 and H200, driver 580: total minus free at the first snapshot).
CONTEXT_BYTES = 527 * MIB


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a start on this machine took: overhead and weights of one device, in bytes.

    ``starts`` counts the starts behind it.
    """

    overhead_bytes: int
    weights_bytes: int
    starts: int = 1


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of one device, in bytes; ``of_gpus`` devices share the model.

    ``total`` is what the engine sees, ``budget`` what it may plan with, ``overhead`` what of it is
    neither weights nor KV cache; ``parts`` says what the overhead is made of, None where it was
    measured. ``context`` is the longest sequence, ``max_model_len`` or what was fitted.
    ``kv_cache`` can be negative: so much is missing. ``held`` is the engine's peak; beside the
    budget ``outside`` and ``sleep`` are parts of it: what every start leaves out of its budget,
    and what sleep mode adds to that. ``headroom`` is what stays over the guard's
    floor on unified memory (None where the system's own use is unknown), and the unused rest on
    a discrete GPU. ``measured`` tells a plan from a start on this machine from a modelled one.
    """

    total: int
    budget: int
    weights: int
    overhead: int
    kv_cache: int
    kv_per_token: int
    kv_tokens: int
    context: int
    max_concurrency: float
    held: int
    outside: int
    headroom: int | None
    startup_free: int | None
    parts: Overhead | None
    measured: bool
    of_gpus: int = 1
    sleep: int = 0


def plan_memory(
    described: Described,
    machine: Machine,
    rules: EngineRules,
    settings: Settings,
    *,
    calibration: Calibration | None = None,
    warm: bool = False,
    beside_bytes: int = 0,
    sleep_level: int | None = None,
    coefficients: Coefficients = DEFAULT,
) -> Memory:
    """Divide one device's memory.

    ``beside_bytes`` is what other engines hold on the same device. ``warm`` means that the
    compiled code of an earlier start is kept. ``sleep_level`` is the level (1 or 2) at which the
    engine will sleep, None where nobody has said. Other ``coefficients`` are for measuring the
    error.
    """
    total = machine.total_for(rules.version)
    trial = Trial(described, settings, rules, warm=warm, coefficients=coefficients)
    parts = _overhead(trial, machine, total)
    spent, lost = _spent(trial, parts, calibration)
    budget = _budget(settings, total, spent + lost)
    cache = _cache(described, rules, settings, budget - spent - lost)
    outside = _outside(trial, machine)
    # A measured overhead is held too; pages are given back, and hidden memory is not free.
    asleep = sleep.extra_bytes(trial, machine, spent, sleep_level)
    held = spent + lost - parts.total + parts.held + max(0, cache.size) + outside + asleep
    return Memory(
        total=total,
        budget=budget,
        weights=spent,
        overhead=lost,
        kv_cache=cache.size,
        kv_per_token=cache.per_token,
        kv_tokens=cache.tokens,
        context=cache.context,
        max_concurrency=cache.concurrency,
        held=held,
        outside=outside,
        headroom=_headroom(machine, total, held, beside_bytes),
        startup_free=_startup_free(machine, total, rules, beside_bytes),
        parts=None if calibration else parts,
        measured=calibration is not None,
        of_gpus=settings.gpus,
        sleep=asleep,
    )


class _Cache(NamedTuple):
    size: int
    per_token: int
    tokens: int
    context: int
    concurrency: float


def _spent(trial: Trial, parts: Overhead, calibration: Calibration | None) -> tuple[int, int]:
    """Weights and overhead, as they were measured here or as they are modelled."""
    if calibration is not None:
        return calibration.weights_bytes, calibration.overhead_bytes
    return weights.held_bytes(trial.described, trial.settings, trial.coefficients), parts.total


def _budget(settings: Settings, total: int, spent: int) -> int:
    given = settings.kv_cache_memory_bytes
    return ceil(total * settings.utilization) if given is None else spent + given


def _cache(described: Described, rules: EngineRules, settings: Settings, size: int) -> _Cache:
    """What the KV cache holds; a context that is to be fitted becomes as long as it allows."""
    block = settings.block_tokens
    per_token = kv.bytes_per_token(described.shape, CACHE_BYTES[settings.cache_type])
    per_token = max(1, per_token // _cache_shares(described, settings))
    blocks = kv.whole_blocks(size, per_token, block)
    longest = settings.max_model_len
    context = max(1, min(longest, blocks * block)) if settings.fitted_len else longest
    tokens = kv.cache_tokens(blocks, block, context, rules.tokens_round)
    return _Cache(size, per_token, tokens, context, kv.concurrency(blocks, block, context))


def _cache_shares(described: Described, settings: Settings) -> int:
    """Devices that share the KV cache: heads are divided no further than one each."""
    heads = min(settings.tensor_parallel, described.shape.num_key_value_heads)
    return heads * settings.pipeline_parallel


def _overhead(trial: Trial, machine: Machine, total: int) -> Overhead:
    c, unified = trial.coefficients, machine.unified
    if machine.device == "cpu":
        return Overhead(overhead.activation_peak(trial), kernels=0, host=c.cpu_host_bytes)
    counts_pages = unified and trial.rules.free_memory == "cuda"
    return Overhead(
        activations=overhead.activation_peak(trial),
        kernels=c.kernels_v1_bytes if trial.runner == "v1" else c.kernels_v2_bytes,
        graphs=overhead.graph_estimate(trial) if trial.counts_graphs else 0,
        state=overhead.sampler_state(trial) if trial.rules.counts_resident else 0,
        host=c.host_bytes if unified else 0,
        page_cache=_page_cache(trial, machine, total) if counts_pages else 0,
        sleep=-overhead.dummy_scratch(trial),
    )


def _page_cache(trial: Trial, machine: Machine, total: int) -> int:
    """File pages that stay after loading: a share of the files, as far as both fit beside.

    Fitted on the guides' two runs, n = 2: 32 GiB of files left 4 GiB, 61 GiB of files none.
    """
    files = trial.described.weights_bytes
    free = total - (machine.system_bytes or 0) - 2 * files
    return round(trial.coefficients.page_cache_share * max(0, min(files, free)))


def _outside(trial: Trial, machine: Machine) -> int:
    """Held beside the budget: the CUDA context, graphs and state that the version leaves out."""
    if machine.device == "cpu":
        return 0
    graphs = 0 if trial.counts_graphs or trial.settings.eager else overhead.graph_estimate(trial)
    state = 0 if trial.rules.counts_resident else overhead.sampler_state(trial)
    return CONTEXT_BYTES + graphs + state


def _headroom(machine: Machine, total: int, held: int, beside: int) -> int | None:
    if not machine.unified:
        return total - beside - held
    if machine.system_bytes is None:
        # Unknown, unless it is too much even for a system that holds nothing.
        return min(0, total - beside - held) or None
    return total - machine.system_bytes - beside - held - machine.floor_bytes


def _startup_free(machine: Machine, total: int, rules: EngineRules, beside: int) -> int | None:
    """What the engine finds free when it checks its share; None where it does not check."""
    if not rules.startup_check or machine.device == "cpu":
        return None
    system = (machine.system_bytes or 0) if machine.unified else 0
    return total - system - beside - CONTEXT_BYTES


def is_gb10(machine: Machine) -> bool:
    """Whether the machine's GPU is a GB10."""
    return machine.compute_capability == GB10
