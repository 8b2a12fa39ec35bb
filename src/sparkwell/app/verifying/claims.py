"""What the guides claim of the figures that were measured: which claims, and what becomes of them.

A claim is about a DGX Spark. On another machine it is shown, and neither holds nor fails. One on
memory is about the flags of its guide: it is judged where the run's come to the same.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace

from sparkwell.app.verifying.figures import WARMTH_UNSAID, Figure, Guided
from sparkwell.app.verifying.gathered import Started
from sparkwell.app.verifying.verdicts import of_claim
from sparkwell.bench.claimed import FIRST, RATES, is_about
from sparkwell.catalog.guide_claims import Check, Claim
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import UsageError
from sparkwell.core.units import GB, GIB
from sparkwell.planner.plan import Plan
from sparkwell.planner.settings import resolve

_KEYS: Mapping[str, str] = {
    "kv_cache_tokens": "kv_cache_tokens",
    "kv_cache_gib": "kv_cache_tokens",
    "kv_cache_gb": "kv_cache_tokens",
    "max_concurrency": "kv_cache_tokens",
    "weights_gib": "weights_bytes",
    "weights_gb": "weights_bytes",
    "cold_s": "start_s",
    "warm_s": "start_s",
    "load_s": "load_s",
}
"""The figure that a claim of that kind stands beside."""
_OF_FLAGS = frozenset({"kv_cache_tokens", "kv_cache_gib", "kv_cache_gb", "max_concurrency"})


@dataclass(frozen=True, slots=True)
class Run:
    """What claims are judged by: the plan of the run, what its start took, the guide's flags."""

    recipe: str
    plan: Plan | None
    started: Started
    guide_flags: Mapping[str, FlagValue]


def with_claims(rows: Iterable[Figure], claims: Iterable[Claim], run: Run) -> list[Figure]:
    """The figures, each with what the guides claim of it; the model's own guide comes first."""
    own = [each for each in claims if each.measurable and each.measurable.recipe == run.recipe]
    own.sort(key=lambda claim: not run.recipe.startswith(claim.id.partition(".")[0]))
    return [
        replace(
            row, guides=tuple(_judged(row, each, run) for each in own if _is_on(row, each, run))
        )
        for row in rows
    ]


def _is_on(row: Figure, claim: Claim, run: Run) -> bool:
    """Whether the claim is about that figure."""
    check = claim.measurable
    assert check is not None  # noqa: S101 - with_claims has looked
    if row.case is None:
        return _KEYS.get(check.figure) == row.key
    kinds = RATES if row.unit == "tokens/s" else FIRST if row.key.startswith("ttft_") else ()
    return check.figure in kinds and is_about(check, run.recipe, row.case)


def _judged(row: Figure, claim: Claim, run: Run) -> Guided:
    check = claim.measurable
    assert check is not None  # noqa: S101 - with_claims has looked
    measured = _measured(row, check, run)
    why = _why_not(check, run) or row.why
    if why is None and measured is None:
        why = _unseen(check, run)
    judged = None if why else measured
    return Guided(
        claim.id, claim.says, check.unit, check.low, check.high, check.tolerance,
        check.engine_version, measured, of_claim(check.verdict(judged)), why,
    )  # fmt: skip


def _unseen(check: Check, run: Run) -> str:
    """Why there is no figure of its kind, as of a first start where this was none."""
    if check.figure not in _UNSEEN:
        return "not measured"
    return WARMTH_UNSAID if run.started.warm is None else _UNSEEN[check.figure]


_UNSEEN = {"cold_s": "this start found compiled code", "warm_s": "this was a first start"}


def _measured(row: Figure, check: Check, run: Run) -> float | None:
    """The row's figure in the claim's unit."""
    if row.measured is None:
        return None
    match check.figure:
        case "kv_cache_gib" | "kv_cache_gb":
            size = _cache_bytes(run)
            return None if size is None else size / (GIB if check.figure == "kv_cache_gib" else GB)
        case "max_concurrency":
            return None if run.plan is None else row.measured / run.plan.settings.max_model_len
        case "weights_gib" | "weights_gb":
            return row.measured / (GIB if check.figure == "weights_gib" else GB)
        case "cold_s" | "warm_s":
            return row.measured if run.started.warm is (check.figure == "warm_s") else None
        case _:
            return row.measured


def _cache_bytes(run: Run) -> int | None:
    """Of one device: the engine's blocks are exact, its log has two decimals."""
    tokens, plan = run.started.kv_cache_tokens, run.plan
    if tokens is None or plan is None:
        return run.started.kv_cache_bytes
    return tokens * plan.memory.kv_per_token


def _why_not(check: Check, run: Run) -> str | None:
    """Why this run says nothing of the claim; None where it does."""
    if run.plan is None:
        return "this run has no plan that says which machine it is"
    here = run.plan.question.machine.name
    if here != check.hardware:
        return f"the guide speaks of {check.hardware}, this is {here}"
    if check.figure not in _OF_FLAGS:
        return None
    others = _others(check, run.plan, run.guide_flags)
    return f"the run has another {', '.join(others)} than the guide" if others else None


def _others(check: Check, plan: Plan, guide_flags: Mapping[str, FlagValue]) -> list[str]:
    """Settings that the guide's flags come to otherwise than the run's; all, if they cannot be."""
    own = check.flags if isinstance(check.flags, dict) else {}
    q = plan.question
    try:
        wanted = resolve({**guide_flags, **own}, q.described, q.machine, q.rules)
    except UsageError:
        return ["set of flags"]
    return [
        each.name
        for each in fields(wanted)
        if getattr(wanted, each.name) != getattr(plan.settings, each.name)
    ]
