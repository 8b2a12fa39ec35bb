"""Why a plan does not fit, and what would make it fit."""

from sparkwell.core.units import GIB
from sparkwell.planner.fit import Case, loading_fits, unchecked_bytes
from sparkwell.planner.memory import Memory
from sparkwell.planner.online import loading_peak_bytes
from sparkwell.planner.question import Question
from sparkwell.planner.remedies import remedies
from sparkwell.planner.settings import Settings
from sparkwell.planner.trouble import Advice, Trouble


def problems(question: Question, settings: Settings, memory: Memory) -> tuple[Advice, ...]:
    """What would make a plan fit, the mildest first; empty where it fits.

    All have the same message, which says why it does not fit. Where nothing helps there is one
    advice without flags.
    """
    case = question.case
    why = " ".join(_causes(case, question, settings, memory))
    if not why:
        return ()
    trouble = Trouble(case, question.flags, why, question.siblings, question.others)
    found = remedies(trouble)
    nothing = "No flags make it fit on this machine: take a smaller model or more memory."
    return found or (trouble.advice("does-not-fit", nothing),)


def _causes(case: Case, question: Question, settings: Settings, memory: Memory) -> list[str]:
    """One sentence for each reason why it does not fit."""
    causes = [
        _too_little_cache(settings, memory),
        _too_little_free(case, settings, memory),
        _too_little_left(case, memory),
        _too_large_while_loading(case, question),
    ]
    return [cause for cause in causes if cause]


def _too_little_cache(settings: Settings, memory: Memory) -> str:
    if memory.kv_cache <= 0:
        return (
            f"Weights ({_gib(memory.weights)}) and overhead ({_gib(memory.overhead)}) take more "
            f"than the engine's share of {_gib(memory.budget)}."
        )
    if memory.max_concurrency >= 1:
        return ""
    wanted = settings.max_model_len * memory.kv_per_token
    return (
        f"One sequence of {settings.max_model_len:,} tokens takes {_gib(wanted)} of KV cache; "
        f"{_gib(memory.kv_cache)} are left for it."
    )


def _too_little_free(case: Case, settings: Settings, memory: Memory) -> str:
    """The start-up check, which goes by the share even where the KV cache is given in bytes."""
    if memory.startup_free is None:
        return ""
    unchecked = unchecked_bytes(settings, memory)
    wanted = memory.startup_free + unchecked if unchecked else memory.budget
    if wanted <= memory.startup_free:
        return ""
    return (
        f"vLLM {case.rules.version} refuses to start: it wants its whole share of "
        f"{_gib(wanted)} free, and {_gib(memory.startup_free)} are."
    )


def _too_little_left(case: Case, memory: Memory) -> str:
    if memory.headroom is None or memory.headroom >= 0:
        return ""
    if not case.machine.floor_bytes:
        return f"At its peak the engine takes {-memory.headroom / GIB:.2f} GiB too much."
    return (
        f"At its peak the engine holds {_gib(memory.held)}, which leaves "
        f"{-memory.headroom / GIB:.2f} GiB less than the guard's floor of "
        f"{_gib(case.machine.floor_bytes)}."
    )


def _too_large_while_loading(case: Case, question: Question) -> str:
    peak = loading_peak_bytes(case.described, question.flags)
    if peak is None or loading_fits(case, question.flags):
        return ""
    return f"While loading, up to {_gib(peak)} of 16-bit weights have to fit before they shrink."


def _gib(count: float) -> str:
    return f"{count / GIB:.1f} GiB"
