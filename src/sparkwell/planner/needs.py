"""What somebody wants most of a model: the figures that needs rank by, and those in words.

Quality is not measured here. Parameters stand in for it, then the bits of a weight, which gives
the order that the guides state: Llama 70B, Qwen3 32B in BF16, in FP8, 30B-A3B, then the small.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sparkwell.core.errors import UsageError
from sparkwell.planner.compare import together_at
from sparkwell.planner.plan import CONTEXT_IN_USE, Plan

Score = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the plan must hold: ``concurrency`` requests at once with ``context`` tokens each.

    None is nothing in particular; a request then counts with CONTEXT_IN_USE tokens, or with the
    model's own context where that is shorter.
    """

    concurrency: int | None = None
    context: int | None = None

    def context_of(self, plan: Plan) -> int:
        """Tokens that each request takes at most, in this plan."""
        return self.context or min(CONTEXT_IN_USE, plan.settings.max_model_len)


@dataclass(frozen=True, slots=True)
class Need:
    """What somebody wants most: the profile that serves it, and the figure that ranks it.

    ``score`` is higher for the better, None where the plan does not know it; ``why`` says it.
    """

    name: str
    profile: str
    ranked_by: str
    score: Callable[[Plan, Wanted], Score | None]
    why: Callable[[Plan, Wanted], str]


def find_need(text: str) -> Need:
    """The need of that name, however it is spaced; raises UsageError that lists all."""
    name = "-".join(text.lower().replace("_", " ").replace("-", " ").split())
    found = next((need for need in NEEDS if need.name == name), None)
    if found is None:
        listed = "; ".join(f"{need.name} ({need.ranked_by})" for need in NEEDS)
        raise UsageError(f"{text!r} is not a need that is known.", hint=f"There are: {listed}.")
    return found


def requests_at_once(plan: Plan, wanted: Wanted) -> int:
    """Requests that run at once, each with the wished context: by KV cache and max_num_seqs."""
    held = plan.memory.kv_tokens // wanted.context_of(plan)
    return min(held, plan.settings.max_num_seqs)


def longest_context(plan: Plan, wanted: Wanted) -> int:
    """Tokens that each of the wished requests may have at once; of one where none is wished."""
    shared = plan.memory.kv_tokens // (wanted.concurrency or 1)
    return min(shared, plan.settings.max_model_len)


def figures(plan: Plan, wanted: Wanted) -> dict[str, float | None]:
    """The figures that needs rank by: tokens, requests, seconds, tokens a second, parameters."""
    speed = plan.speed
    together = together_at(speed, _most(plan, wanted)) if speed else None
    described = plan.question.described
    return {
        "single_tokens_per_s": round(speed.single_tokens_per_s, 2) if speed else None,
        "ttft_s": round(speed.ttft_s, 3) if speed else None,
        "concurrency": together.concurrency if together else None,
        "tokens_per_s": round(together.tokens_per_s, 1) if together else None,
        "requests_at_once": requests_at_once(plan, wanted),
        "context_of_each": wanted.context_of(plan),
        "longest_context": longest_context(plan, wanted),
        "parameters": described.shape.total_parameters,
        "weight_bits": described.quantization.weight_bits,
    }


def _most(plan: Plan, wanted: Wanted) -> int:
    """How many requests the throughput is stated for: as wished, or as many as run."""
    if wanted.concurrency:
        return wanted.concurrency
    batched = plan.speed.batched if plan.speed else ()
    return max((each.concurrency for each in batched), default=1)


def _latency(plan: Plan, _wanted: Wanted) -> Score | None:
    speed = plan.speed
    return None if speed is None else (speed.single_tokens_per_s, -speed.ttft_s)


def _latency_why(plan: Plan, _wanted: Wanted) -> str:
    speed = plan.speed
    if speed is None:
        return ""
    first = f"first token after {speed.ttft_s:.2f} s"
    return f"{speed.single_tokens_per_s:.1f} tokens/s for one, {first}"


def _throughput(plan: Plan, wanted: Wanted) -> Score | None:
    if plan.speed is None:
        return None
    return (together_at(plan.speed, _most(plan, wanted)).tokens_per_s,)


def _throughput_why(plan: Plan, wanted: Wanted) -> str:
    if plan.speed is None:
        return ""
    found = together_at(plan.speed, _most(plan, wanted))
    return f"{found.tokens_per_s:,.0f} tokens/s with {found.concurrency} at once"


def _long_context(plan: Plan, wanted: Wanted) -> Score:
    return (longest_context(plan, wanted), plan.memory.kv_tokens)


def _long_context_why(plan: Plan, wanted: Wanted) -> str:
    tokens = longest_context(plan, wanted)
    native = plan.question.described.shape.native_context
    who = f"for each of {wanted.concurrency}" if wanted.concurrency else "of context"
    scaled = f", positions scaled from {native:,}" if plan.settings.max_model_len > native else ""
    return f"{tokens:,} tokens {who}{scaled}"


def _concurrency(plan: Plan, wanted: Wanted) -> Score:
    return (requests_at_once(plan, wanted), plan.memory.kv_tokens)


def _concurrency_why(plan: Plan, wanted: Wanted) -> str:
    held, context = requests_at_once(plan, wanted), wanted.context_of(plan)
    return f"{held} requests of {context:,} tokens at once"


def _quality(plan: Plan, _wanted: Wanted) -> Score:
    described = plan.question.described
    return (described.shape.total_parameters, described.quantization.weight_bits)


def _quality_why(plan: Plan, _wanted: Wanted) -> str:
    shape, bits = plan.question.described.shape, plan.question.described.quantization.weight_bits
    active = f", {shape.active_parameters / 1e9:.1f} a token" if shape.moe else ""
    return f"{shape.total_parameters / 1e9:.1f} billion parameters{active}, {bits} bits each"


LATENCY = Need("latency", "latency", "tokens/s of one stream", _latency, _latency_why)
THROUGHPUT = Need(
    "throughput", "throughput", "tokens/s of all together", _throughput, _throughput_why
)
LONG_CONTEXT = Need(
    "long-context",
    "long-context",
    "tokens that each request may have",
    _long_context,
    _long_context_why,
)
CONCURRENCY = Need("concurrency", "concurrency", "requests at once", _concurrency, _concurrency_why)
QUALITY = Need(
    "quality",
    "quality",
    "parameters, then bits of a weight; quality itself is not measured",
    _quality,
    _quality_why,
)
NEEDS = (LATENCY, THROUGHPUT, CONCURRENCY, LONG_CONTEXT, QUALITY)
