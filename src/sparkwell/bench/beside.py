"""What a case was expected to give: the plan, the hardware's limit. Pure."""

from dataclasses import dataclass

from sparkwell.bench.suites import Case
from sparkwell.planner.pace import AS_MODELLED, Pace
from sparkwell.planner.plan import Plan
from sparkwell.planner.prompts import first_token_s
from sparkwell.planner.speed import (
    closed_loop_limit_tokens_per_s,
    closed_loop_tokens_per_s,
    fitting,
    served_model,
)
from sparkwell.planner.steps import Bound, Model, decode_limit, decode_s


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
