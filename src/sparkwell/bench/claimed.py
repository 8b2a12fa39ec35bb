"""What the guides claim of a case: the range that a measurement stands beside. Pure."""

from dataclasses import dataclass, replace

from sparkwell.bench.suites import Case
from sparkwell.bench.workload import Workload
from sparkwell.catalog.guide_claims import Check, Claim, claims_for

RATES = ("single_tokens_per_s", "batched_tokens_per_s")
FIRST = ("ttft_s",)
SAVED = ("saved_share",)
SHORT = 2048
"""Tokens: a claim that names no context, or one below, is about loads no longer than this."""


@dataclass(frozen=True, slots=True)
class Guide:
    """A guide's claim on a figure of such a case: tokens a second of all together, or seconds.

    ``saved_share`` is a share. ``others`` are claims on the same that have another range.
    """

    claim: str
    says: str
    low: float
    high: float
    others: tuple["Guide", ...] = ()


def guide(recipe: str, case: Case, figures: tuple[str, ...] = RATES) -> Guide | None:
    """What the guides claim of that model in such a case; its own guide's claim first."""
    found = [
        claim
        for claim in claims_for(recipe)
        if (check := claim.measurable) is not None
        and check.figure in figures
        and is_about(check, recipe, case)
    ]
    found.sort(key=lambda claim: not recipe.startswith(claim.id.partition(".")[0]))
    first: dict[tuple[float, float], Guide] = {}
    for claim in found:
        first.setdefault(_ends(claim), _said(claim))
    own, *others = first.values() or (None,)
    return None if own is None else replace(own, others=tuple(each for each in others if each))


def is_about(check: Check, recipe: str, case: Case) -> bool:
    """Whether a claim speaks of that model, as many requests at once, and prompts as long."""
    if check.recipe != recipe or case.rate is not None or case.clients is None:
        return False
    if check.figure in SAVED:
        return case.workload.is_cached
    if case.workload.is_cached or not _is_of_such_length(check, case.workload):
        return False
    least, most = _at_once(check)
    return least <= case.clients <= most


def _at_once(check: Check) -> tuple[int, int]:
    """From how many to how many; a first token's time is that of a prompt alone."""
    if check.figure == "batched_tokens_per_s" and check.concurrency is not None:
        return check.concurrency, check.most_concurrency or check.concurrency
    return (1, 1) if check.figure in (*RATES, *FIRST) else (1, 0)


def _is_of_such_length(check: Check, work: Workload) -> bool:
    """Neither far shorter than what the claim is about, nor far longer."""
    said = check.context or check.prompt_tokens or 0
    return said <= max(SHORT, 2 * work.tokens) and work.tokens <= max(SHORT, 2 * said)


def _said(claim: Claim) -> Guide:
    low, high = _ends(claim)
    return Guide(claim.id, claim.says, low, high)


def _ends(claim: Claim) -> tuple[float, float]:
    check = claim.measurable
    assert check is not None  # noqa: S101 - guide has looked
    return check.low, check.high
