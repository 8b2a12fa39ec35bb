"""A start's figures, as log and metrics gave them, put into a record; nothing is stored here."""

import json
from collections.abc import Mapping

from sparkwell.catalog.recipe import FlagValue, Recipe
from sparkwell.core.errors import UsageError
from sparkwell.core.launch import LaunchSpec
from sparkwell.core.units import GIB
from sparkwell.engines.vllm.history import parse_version
from sparkwell.hardware.machine import Machine
from sparkwell.planner.flag_cautions import UNCOUNTED
from sparkwell.store.starts import StartRecord

MODELLED_FLAGS = (
    "block_size",
    "enable_sleep_mode",
    "enforce_eager",
    "gpu_memory_utilization",
    "kv_cache_dtype",
    "kv_cache_memory_bytes",
    "load_format",
    "max_model_len",
    "max_num_batched_tokens",
    "max_num_seqs",
    "pipeline_parallel_size",
    "tensor_parallel_size",
)
"""Flags that the planner has a term for: a start with other values says something all the same."""

OTHER_FLAGS = (*UNCOUNTED, "dtype", "hf_overrides", "max_lora_rank", "max_loras", "quantization")
"""Flags that change memory in ways that are not computed: starts are compared within them only."""


def memory_flags(flags: Mapping[str, FlagValue]) -> str:
    """The flags that memory depends on, as JSON with sorted names: the same for the same start."""
    chosen = {name: flags[name] for name in (*MODELLED_FLAGS, *OTHER_FLAGS) if name in flags}
    return json.dumps(chosen, sort_keys=True, separators=(",", ":"))


def machine_key(machine: Machine) -> str:
    """A machine by name and memory, "dgx-spark, 121.7 GiB".

    Not to the byte: MemTotal changes a little from boot to boot. The name of a GPU that has no
    description of its own is in the machine's name.
    """
    return f"{machine.name}, {machine.total_bytes / GIB:.1f} GiB"


def engine_key(version: str) -> str:
    """The version as planners name it: "0.10.1.1" for a build "0.10.1.1+381074ae.nv25.09"."""
    try:
        return str(parse_version(version))
    except UsageError:
        return version


def start_record(
    spec: LaunchSpec,
    facts: Mapping[str, float],
    machine: Machine,
    recipe: Recipe | None,
    at: float,
) -> StartRecord | None:
    """The record of a start that became ready; None where it said nothing of its memory.

    ``facts`` are the figures of the log (engines/vllm/log.py) and of /metrics.
    """
    tokens, from_metrics = _tokens(facts)
    weights, kv_cache = _bytes(facts, "weights_gib"), _bytes(facts, "kv_cache_gib")
    if (weights, kv_cache, tokens) == (None, None, None) or "flags" not in spec.labels:
        return None
    return StartRecord(
        instance=spec.instance,
        machine=machine_key(machine),
        total_bytes=machine.total_for(spec.engine_version),
        model=spec.model,
        repo=recipe.repo if recipe else None,
        revision=recipe.revision if recipe else None,
        engine=spec.engine,
        engine_version=engine_key(spec.engine_version),
        device=spec.labels.get("device", machine.device),
        flags=memory_flags(json.loads(spec.labels["flags"])),
        weights_bytes=weights,
        kv_cache_bytes=kv_cache,
        kv_cache_tokens=tokens,
        graphs_bytes=_bytes(facts, "graphs_gib"),
        at=at,
        warm=_warm(facts),
        from_metrics=from_metrics,
    )


def _bytes(facts: Mapping[str, float], name: str) -> int | None:
    return round(facts[name] * GIB) if name in facts else None


def _tokens(facts: Mapping[str, float]) -> tuple[int | None, bool]:
    """Tokens of the KV cache, and whether they are exact.

    Blocks are exact, but the sum of all engines where there are several, each with a log of its
    own. The log's figure is never more than the blocks hold, and at most a part of one less for
    each sequence.
    """
    logged = facts.get("kv_cache_tokens")
    if "gpu_blocks" in facts and "block_tokens" in facts:
        exact = facts["gpu_blocks"] * facts["block_tokens"]
        if logged is None or logged <= exact <= 1.05 * logged:
            return int(exact), True
    return (None if logged is None else int(logged)), False


def _warm(facts: Mapping[str, float]) -> bool | None:
    if "compile_cache_s" in facts:
        return True
    return False if "compile_s" in facts else None
