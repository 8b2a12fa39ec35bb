"""What to know of a plan, whether it fits or not: each warning with what to do about it."""

from collections.abc import Callable

from sparkwell.planner import flag_cautions as flags
from sparkwell.planner import model_cautions as model
from sparkwell.planner.memory import Memory
from sparkwell.planner.planned import Planned
from sparkwell.planner.question import Question
from sparkwell.planner.settings import Settings
from sparkwell.planner.trouble import Advice

_CHECKS: tuple[Callable[[Planned], Advice | None], ...] = (
    flags.not_counted,
    flags.share_above_advised,
    flags.bytes_without_share,
    flags.fp8_cache_slow,
    flags.sleep_mode,
    model.quantized_while_loading,
    flags.unchunked,
    flags.large_steps,
    flags.page_cache_in_the_way,
    model.beyond_window,
    model.scaled,
    model.declared_cache,
    flags.more_sequences_than_cache,
    model.remote_code,
)


def warnings(question: Question, settings: Settings, memory: Memory) -> tuple[Advice, ...]:
    """Warnings about a plan, in the order of their weight; a CPU has none of these troubles."""
    q = question
    if q.machine.device == "cpu":
        return ()
    planned = Planned(q.case, q.flags, q.siblings, settings, memory)
    return tuple(advice for check in _CHECKS if (advice := check(planned)))
