"""How many requests are out at once where they come at a rate. Pure."""

from sparkwell.bench.suites import Case
from sparkwell.planner.plan import Plan
from sparkwell.planner.prompts import first_token_s
from sparkwell.planner.speed import served_model
from sparkwell.planner.steps import Model, decode_s


def in_flight(plan: Plan, case: Case) -> float | None:
    """At least so many on average, by Little's law: the rate times an answer's time.

    That is the plan's for a request that has the engine to itself; beside others it takes longer.
    None without a rate, and where the memory's bandwidth is not known.
    """
    asked = plan.question
    model = served_model(asked.described, asked.machine, asked.flags, plan.settings, asked.pace)
    if model is None or case.rate is None:
        return None
    alone_s = _alone_s(model, case, plan.settings.max_num_batched_tokens)
    return min(case.requests, case.rate * alone_s)


def _alone_s(model: Model, case: Case, chunk_tokens: int) -> float:
    work = case.workload
    unread = work.prompt_tokens - (work.document_tokens if work.is_cached else 0)
    first = first_token_s(model, unread, chunk_tokens)
    return first + (work.output_tokens - 1) * decode_s(model, work.prompt_tokens, 1)
