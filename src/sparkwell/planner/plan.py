"""A plan: one model on one machine with one set of flags, as a breakdown with its reasons."""

from dataclasses import dataclass

from sparkwell.planner.advice import problems
from sparkwell.planner.cautions import warnings
from sparkwell.planner.memory import Memory
from sparkwell.planner.question import Question
from sparkwell.planner.settings import Settings
from sparkwell.planner.speed import Speed, estimate_speed, served_model
from sparkwell.planner.startup import Startup, estimate_startup
from sparkwell.planner.trouble import Advice

# What a request has read already when its speed is asked for, where the context allows it.
CONTEXT_IN_USE = 4096
PROMPT_TOKENS = 512


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
    settings, memory = question.case.plan(question.flags)
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
    q = question
    model = served_model(q.described, q.machine, q.flags, settings, q.pace)
    if model is None:
        return None
    context = min(CONTEXT_IN_USE, settings.max_model_len)
    return estimate_speed(
        model,
        kv_cache_tokens=memory.kv_tokens,
        context=context,
        prompt_tokens=min(PROMPT_TOKENS, context),
        max_num_seqs=settings.max_num_seqs,
        max_num_batched_tokens=settings.max_num_batched_tokens,
    )
