"""What a case was expected to give: the plan, the hardware's limit, the guide's claim. Pure."""

from dataclasses import dataclass

from sparkwell.bench.suites import Case
from sparkwell.catalog.guide_claims import Check, Claim, claims_for
from sparkwell.planner.pace import AS_MODELLED, Pace
from sparkwell.planner.plan import Plan
from sparkwell.planner.speed import (
    closed_loop_limit_tokens_per_s,
    closed_loop_tokens_per_s,
    fitting,
    served_model,
)
from sparkwell.planner.steps import Bound, Model, decode_limit, decode_s, first_token_s

_CLAIMED = ("single_tokens_per_s", "batched_tokens_per_s")


@dataclass(frozen=True, slots=True)
class Guide:
    """A guide's claim about as many requests at once: tokens a second, all of them together."""

    claim: str
    says: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Expected:
    """For a closed loop: all clients together, prefill of their prompts included.

    ``tpot_s`` is one token's time while all decode, ``tpot_limit_s`` the least that the hardware
    allows, ``bound`` by what. ``ttft_s`` is for prompts that come together and find nothing cached;
    None where some would have to wait for their turn. ``running`` is how many run at once, ``pace``
    what earlier runs had corrected already.
    """

    running: int
    tokens_per_s: float
    limit_tokens_per_s: float
    ttft_s: float | None
    tpot_s: float
    tpot_limit_s: float
    bound: Bound
    pace: Pace = AS_MODELLED


def expected(plan: Plan, case: Case) -> Expected | None:
    """None for what is not planned: an unknown bandwidth, arrivals at a rate, cached prompts."""
    asked = plan.question
    model = served_model(asked.described, asked.machine, asked.flags, plan.settings, asked.pace)
    if model is None or case.clients is None or case.workload.is_cached:
        return None
    return _closed_loop(model, plan, case, case.clients)


def _closed_loop(model: Model, plan: Plan, case: Case, clients: int) -> Expected | None:
    work, chunk = case.workload, plan.settings.max_num_batched_tokens
    seats = fitting(plan.settings.max_num_seqs, plan.memory.kv_tokens, work.tokens)
    running = min(clients, seats)
    if not running:
        return None
    loop = {
        "concurrency": running, "prompt_tokens": work.prompt_tokens,
        "output_tokens": work.output_tokens, "chunk_tokens": chunk,
    }  # fmt: skip
    context = work.prompt_tokens + work.output_tokens // 2
    least = decode_limit(model, context, running)
    first = first_token_s(model, work.prompt_tokens, chunk, prompts=running)
    return Expected(
        running=running,
        tokens_per_s=closed_loop_tokens_per_s(model, **loop),
        limit_tokens_per_s=closed_loop_limit_tokens_per_s(model, **loop),
        ttft_s=first if running == clients else None,
        tpot_s=decode_s(model, context, running),
        tpot_limit_s=least.seconds,
        bound=least.bound,
        pace=model.pace,
    )


def guide(recipe: str, case: Case) -> Guide | None:
    """What a guide claims of that model for as many requests at once; its own guide's first."""
    found = [
        claim
        for claim in claims_for(recipe)
        if claim.check is not None and is_about(claim.check, recipe, case)
    ]
    found.sort(key=lambda claim: not recipe.startswith(claim.id.partition(".")[0]))
    return _said(found[0]) if found else None


def is_about(check: Check, recipe: str, case: Case) -> bool:
    """Whether a claim on speed speaks of that model and of as many requests at once."""
    if check.recipe != recipe or check.figure not in _CLAIMED:
        return False
    at_once = 1 if check.figure == "single_tokens_per_s" else check.concurrency
    long_ones = (check.context or 0) > 2 * case.workload.tokens
    return case.rate is None and at_once == case.clients and not long_ones


def _said(claim: Claim) -> Guide:
    assert claim.check is not None  # noqa: S101 - is_about has looked
    return Guide(claim.id, claim.says, claim.check.low, claim.check.high)
