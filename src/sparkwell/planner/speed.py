"""How fast: one stream, many streams, and the wait for a first token, beside their limits."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sparkwell.catalog.described import Described
from sparkwell.catalog.recipe import FlagValue
from sparkwell.catalog.shape import ModelShape
from sparkwell.hardware.machine import Machine
from sparkwell.planner.efficiency import Efficiency, efficiency
from sparkwell.planner.graphs import graph_tokens
from sparkwell.planner.kv import bytes_per_token
from sparkwell.planner.online import as_served
from sparkwell.planner.pace import AS_MODELLED, Pace
from sparkwell.planner.prompts import first_token_s, prefill_limit, prefill_s
from sparkwell.planner.settings import CACHE_BYTES, Settings
from sparkwell.planner.steps import Bound, Model, decode_limit, decode_s

__all__ = [
    "BatchSpeed",
    "Efficiency",
    "Speed",
    "closed_loop_limit_tokens_per_s",
    "closed_loop_tokens_per_s",
    "estimate_speed",
    "served_model",
]


@dataclass(frozen=True, slots=True)
class BatchSpeed:
    """Decode of ``concurrency`` sequences, each with ``context`` tokens; all of them together.

    ``limit_tokens_per_s`` is the roofline, ``bound`` what it is made of.
    """

    concurrency: int
    context: int
    tokens_per_s: float
    limit_tokens_per_s: float
    bound: Bound


@dataclass(frozen=True, slots=True)
class Speed:
    """What to expect of a model on a machine.

    The first three are for one sequence with ``context`` tokens in its KV cache: the roofline,
    the estimate, and the estimate's share of it (0 to 1). ``ttft_s`` is the wait for the first
    token of a prompt of ``prompt_tokens`` that is not in the prefix cache, on an idle engine.
    """

    roofline_tokens_per_s: float
    single_tokens_per_s: float
    fraction_of_limit: float
    ttft_s: float
    prefill_tokens_per_s: float
    prompt_tokens: int
    context: int
    bound: Bound
    efficiency: Efficiency
    batched: tuple[BatchSpeed, ...]


def estimate_speed(
    model: Model,
    *,
    kv_cache_tokens: int | None,
    context: int,
    prompt_tokens: int,
    max_num_seqs: int,
    max_num_batched_tokens: int,
) -> Speed:
    """Estimate decode, prefill and the first token.

    ``batched`` goes in powers of two up to ``max_num_seqs``, and no further than
    ``kv_cache_tokens`` hold sequences of ``context`` (without a limit where that is None).
    """
    single = _batch(model, context, 1)
    prompt_s = prefill_s(model, prompt_tokens, max_num_batched_tokens)
    most = fitting(max_num_seqs, kv_cache_tokens, context)
    return Speed(
        roofline_tokens_per_s=single.limit_tokens_per_s,
        single_tokens_per_s=single.tokens_per_s,
        fraction_of_limit=single.tokens_per_s / single.limit_tokens_per_s,
        ttft_s=first_token_s(model, prompt_tokens, max_num_batched_tokens),
        prefill_tokens_per_s=prompt_tokens / prompt_s,
        prompt_tokens=prompt_tokens,
        context=context,
        bound=single.bound,
        efficiency=_seen(model),
        batched=tuple(_batch(model, context, count) for count in concurrencies(most)),
    )


def served_model(
    described: Described,
    machine: Machine,
    flags: Mapping[str, FlagValue],
    settings: Settings,
    pace: Pace = AS_MODELLED,
) -> Model | None:
    """The model as an engine serves it with ``flags``; None where the bandwidth is unknown.

    ``settings`` are those of the flags. ``pace`` is what was measured of it on the machine.
    """
    bandwidth = machine.bandwidth_bytes_per_s
    if bandwidth is None:
        return None
    served = as_served(described, flags)
    kv_bytes = _kv_bytes_per_token(served.shape, settings)
    return Model(
        served,
        machine,
        bandwidth,
        settings.tensor_parallel,
        kv_bytes,
        pace=pace,
        graph_tokens=graph_tokens(flags, settings),
    )


def closed_loop_tokens_per_s(
    model: Model, *, concurrency: int, prompt_tokens: int, output_tokens: int, chunk_tokens: int
) -> float:
    """Output tokens a second when ``concurrency`` clients each ask again as soon as answered.

    The prompts' prefill shares the time with decode; ``concurrency`` counts what runs at once.
    """
    context = prompt_tokens + output_tokens // 2
    decoding_s = output_tokens * decode_s(model, context, concurrency)
    round_s = decoding_s + prefill_s(model, prompt_tokens, chunk_tokens, prompts=concurrency)
    return concurrency * output_tokens / round_s


def closed_loop_limit_tokens_per_s(
    model: Model, *, concurrency: int, prompt_tokens: int, output_tokens: int, chunk_tokens: int
) -> float:
    """The roofline of the same: every byte at full bandwidth, every operation at full rate."""
    context = prompt_tokens + output_tokens // 2
    decoding_s = output_tokens * decode_limit(model, context, concurrency).seconds
    prompts = prefill_limit(model, prompt_tokens, chunk_tokens, prompts=concurrency)
    return concurrency * output_tokens / (decoding_s + prompts.seconds)


def _kv_bytes_per_token(shape: ModelShape, settings: Settings) -> float:
    """Of all layers on all devices: where those outnumber the KV heads, they hold copies."""
    devices = settings.tensor_parallel
    copies = devices / min(devices, shape.num_key_value_heads)
    return copies * bytes_per_token(shape, CACHE_BYTES[settings.cache_type])


def _seen(model: Model) -> Efficiency:
    """With the source of what was measured here, if anything was."""
    estimated = efficiency(model.described, model.machine, model.devices)
    source = model.pace.source
    return replace(estimated, source=source, measured=True) if source else estimated


def fitting(max_num_seqs: int, kv_cache_tokens: int | None, context: int) -> int:
    """Sequences of ``context`` tokens that run at once; 0 where not even one fits."""
    if kv_cache_tokens is None:
        return max_num_seqs
    return min(max_num_seqs, kv_cache_tokens // max(1, context))


def concurrencies(most: int) -> tuple[int, ...]:
    """1, 2, 4 and so on below ``most``, and ``most`` itself; none where it is 0."""
    powers = [2**exponent for exponent in range(max(0, most).bit_length())]
    return tuple(sorted({count for count in powers if count < most} | ({most} if most else set())))


def _batch(model: Model, context: int, sequences: int) -> BatchSpeed:
    least = decode_limit(model, context, sequences)
    return BatchSpeed(
        concurrency=sequences,
        context=context,
        tokens_per_s=sequences / decode_s(model, context, sequences),
        limit_tokens_per_s=sequences / least.seconds,
        bound=least.bound,
    )
