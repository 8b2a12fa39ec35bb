"""The flags that are searched, and the values that each may take. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import UsageError
from sparkwell.engines.vllm import check_flags
from sparkwell.planner.fit import own_cache_flag, takes_fp8_cache
from sparkwell.planner.plan import Plan
from sparkwell.planner.probes import LONGEST_STEP
from sparkwell.tune.goal import Goal

Value = FlagValue | None
Values = Mapping[str, Value]
"""A value for each knob; None leaves the flag out, so that the engine chooses."""
SEQUENCES = (4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
STEPS = (512, 1024, 2048, 4096, 8192, 16384, 32768)
SHORTEST_GPU_STEP = 2048
CACHE_KIND, NARROW = "kv_cache_dtype", "fp8"
NGRAM = '{"method":"ngram","num_speculative_tokens":4,"prompt_lookup_max":4}'
GRAPHS, LARGE_GRAPHS = 512, 1024
"""Tokens of a step. Without being asked the engine captures graphs for twice its sequences, 512 at
most: then a prompt among few others runs kernel by kernel, and so do steps of more sequences."""


@dataclass(frozen=True, slots=True)
class Knob:
    """A flag and its values; in ascending order where ``ordered``, so that neighbours are near."""

    name: str
    values: tuple[Value, ...]
    ordered: bool = False


def knobs(
    goal: Goal, plan: Plan, version: str, *, fixed: Collection[str] = (), guessing: bool = False
) -> tuple[Knob, ...]:
    """Those that this engine and machine have and nobody has fixed; each has a choice to make.

    ``guessing`` adds speculative decoding, which prompts of random tokens say little of.
    """
    every = [*_sizes(goal, plan), *_caches(plan), *_ways(goal, plan)]
    if guessing:
        every.append(Knob("speculative_config", (None, NGRAM)))
    known = [Knob(each.name, _known(each, version), each.ordered) for each in every]
    return tuple(each for each in known if len(each.values) > 1 and each.name not in fixed)


def _sizes(goal: Goal, plan: Plan) -> list[Knob]:
    """How many run at once, and in what steps."""
    machine = plan.question.machine
    least, most = (SHORTEST_GPU_STEP, STEPS[-1]) if machine.device == "cuda" else (STEPS[0], 8192)
    if machine.unified:  # longer ones have frozen machines whose memory is the system's
        most = LONGEST_STEP
    enough = next((each for each in SEQUENCES if each >= goal.clients[-1]), SEQUENCES[-1])
    return [
        Knob("max_num_seqs", tuple(each for each in SEQUENCES if each <= enough), ordered=True),
        Knob(
            "max_num_batched_tokens",
            tuple(each for each in STEPS if least <= each <= most), ordered=True,
        ),
    ]  # fmt: skip


def _caches(plan: Plan) -> list[Knob]:
    """Prefix caching, and keys and values in 8 bits where the machine computes with them well."""
    case = plan.question
    if case.machine.device == "cpu":
        return [Knob("enable_prefix_caching", (None, False))]
    own = own_cache_flag(case.described, case.rules)
    narrow = (NARROW,) if takes_fp8_cache(case.machine, case.rules) and own != NARROW else ()
    wide = None if own == "auto" else own
    return [Knob(CACHE_KIND, (wide, *narrow)), Knob("enable_prefix_caching", (None, False))]


def _ways(goal: Goal, plan: Plan) -> list[Knob]:
    """How the engine goes about it: graphs, kernels."""
    if plan.question.machine.device == "cpu":
        return []
    found = [Knob("attention_backend", (None, "FLASH_ATTN", "FLASHINFER"))]
    sizes = [GRAPHS] * (goal.name == "latency") + [LARGE_GRAPHS] * (goal.clients[-1] > GRAPHS)
    found.append(Knob("max_cudagraph_capture_size", (None, *sizes)))
    if goal.name == "latency":
        found.append(Knob("performance_mode", (None, "interactivity")))
    return found


def _known(knob: Knob, version: str) -> tuple[Value, ...]:
    """The values that this version of the engine takes."""
    return tuple(each for each in knob.values if each is None or _takes(knob.name, each, version))


def _takes(name: str, value: FlagValue, version: str) -> bool:
    try:
        check_flags({name: value}, version=version)
    except UsageError:
        return False
    return True
