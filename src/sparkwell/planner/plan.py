"""A plan: one model on one machine with one set of flags, as a breakdown with its reasons."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sparkwell.catalog.described import Described
from sparkwell.catalog.recipe import FlagValue
from sparkwell.catalog.tuned import Tuned
from sparkwell.core.phases import Phase
from sparkwell.hardware.machine import Machine
from sparkwell.planner.advice import Advice, problems, warnings
from sparkwell.planner.engine_rules import EngineRules
from sparkwell.planner.kv import bytes_per_token
from sparkwell.planner.memory import Calibration, Memory, plan_memory
from sparkwell.planner.online import as_served
from sparkwell.planner.pace import AS_MODELLED, Pace
from sparkwell.planner.settings import CACHE_BYTES, Settings, resolve
from sparkwell.planner.speed import Speed, estimate_speed
from sparkwell.planner.startup import Startup, estimate_startup

Basis = Literal["measured here", "modelled, corrected by starts with other flags", "modelled"]
# What a request has read already when its speed is asked for, where the context allows it.
CONTEXT_IN_USE = 4096
PROMPT_TOKENS = 512


@dataclass(frozen=True, slots=True)
class Question:
    """What a plan is asked for.

    ``flags`` are all flags of the start, ``reasons`` a sentence for each that was computed.
    ``calibration`` and ``history`` (seconds by phase) are what this machine has seen;
    ``basis`` says how far. ``beside_bytes`` is held by other engines on the same device,
    ``present_bytes`` of the weights are on the disk already.
    ``siblings`` are repositories of the same model in other formats, by format. ``sleep_level`` is
    the level at which an engine with sleep mode will sleep, None where nobody has said. ``pace`` is
    how fast the model was when it was measured here. ``tuned`` is the overlay that the flags are
    of, None where they are of none.
    """

    described: Described
    machine: Machine
    rules: EngineRules
    flags: Mapping[str, FlagValue]
    reasons: Mapping[str, str] = field(default_factory=dict)
    corrections: tuple[str, ...] = ()
    calibration: Calibration | None = None
    basis: Basis = "modelled"
    history: Mapping[Phase, float] | None = None
    beside_bytes: int = 0
    present_bytes: int = 0
    siblings: Mapping[str, str] = field(default_factory=dict)
    others: tuple[Machine, ...] = ()
    sleep_level: int | None = None
    pace: Pace = AS_MODELLED
    tuned: Tuned | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer. ``problems`` say why it does not fit and what would; empty when it fits.

    ``speed`` is None where the machine's bandwidth is unknown.
    """

    question: Question
    settings: Settings
    memory: Memory
    speed: Speed | None
    startup: Startup
    problems: tuple[Advice, ...]
    warnings: tuple[Advice, ...]

    @property
    def fits(self) -> bool:
        """One full sequence fits, the start-up check passes, headroom is not negative."""
        return not self.problems


def make_plan(question: Question) -> Plan:
    """Plan one start. Raises UsageError for flags that cannot be planned."""
    q = question
    described = as_served(q.described, q.flags)
    settings = resolve(q.flags, described, q.machine, q.rules)
    memory = plan_memory(
        described,
        q.machine,
        q.rules,
        settings,
        calibration=q.calibration,
        beside_bytes=q.beside_bytes,
        sleep_level=q.sleep_level,
    )
    return Plan(
        question=question,
        settings=settings,
        memory=memory,
        speed=_speed(question, settings, memory),
        startup=_startup(question, settings),
        problems=problems(question, settings, memory),
        warnings=warnings(question, settings, memory),
    )


def _startup(question: Question, settings: Settings) -> Startup:
    """A graph for each size, and one more for each that decoding alone can have."""
    q = question
    sizes = q.rules.graph_sizes(settings.max_num_seqs, settings.max_num_batched_tokens)
    decoding = sum(size <= settings.max_num_seqs for size in sizes)
    return estimate_startup(
        q.described,
        q.machine,
        graphs=len(sizes) + decoding,
        eager=settings.eager,
        present_bytes=q.present_bytes,
        history=q.history,
    )


def _speed(question: Question, settings: Settings, memory: Memory) -> Speed | None:
    context = min(CONTEXT_IN_USE, settings.max_model_len)
    return estimate_speed(
        as_served(question.described, question.flags),
        question.machine,
        kv_bytes_per_token=bytes_per_token(
            question.described.shape, CACHE_BYTES[settings.cache_type]
        ),
        kv_cache_tokens=memory.kv_tokens,
        context=context,
        prompt_tokens=min(PROMPT_TOKENS, context),
        max_num_seqs=settings.max_num_seqs,
        max_num_batched_tokens=settings.max_num_batched_tokens,
        devices=settings.tensor_parallel,
        pace=question.pace,
    )
