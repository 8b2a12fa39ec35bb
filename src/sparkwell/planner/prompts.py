"""Seconds until prompts have been read, and until their first tokens come."""

from sparkwell.planner.steps import Limit, Model, limit, matrices_s
from sparkwell.planner.traffic import Work, prefill_chunks, prefill_work


def first_token_s(model: Model, prompt_tokens: int, chunk_tokens: int, prompts: int = 1) -> float:
    """Seconds to the first tokens of prompts that come together to an idle engine."""
    own_s = model.pace.first * (model.family.first_s + model.server.first_s)
    return prefill_s(model, prompt_tokens, chunk_tokens, prompts) + own_s + model.pace.late_s


def prefill_s(model: Model, prompt_tokens: int, chunk_tokens: int, prompts: int = 1) -> float:
    """Seconds to prefill ``prompts`` of that length, chunks of all of them filling the steps.

    The processor starts kernels while the GPU works: the longer of both.
    """
    total = prompts * prompt_tokens
    chunks = prefill_chunks(total, chunk_tokens)
    work = _prompts_work(model, prompt_tokens, chunk_tokens, prompts)
    fixed_s = chunks * (model.layers_s + model.family.step_s)
    own_s = matrices_s(model, work) + fixed_s + model.exchange_s(total, chunks)
    return model.pace.first * max(own_s, _launches_s(model, total, chunk_tokens))


def prefill_limit(model: Model, prompt_tokens: int, chunk_tokens: int, prompts: int = 1) -> Limit:
    """The roofline of the same."""
    return limit(model, _prompts_work(model, prompt_tokens, chunk_tokens, prompts))


def _prompts_work(model: Model, prompt_tokens: int, chunk_tokens: int, prompts: int) -> Work:
    one = prefill_work(model.described, prompt_tokens, chunk_tokens)
    each = prefill_work(model.described, prompts * prompt_tokens, chunk_tokens).weights_bytes
    return Work(each, 0.0, prompts * one.matrix_flops, prompts * one.other_flops)


def _launches_s(model: Model, tokens: int, chunk_tokens: int) -> float:
    """Of the chunks that no CUDA graph has."""
    full, rest = divmod(tokens, max(1, chunk_tokens))
    sizes = (chunk_tokens, full), (rest, 1)
    return model.launches_s * sum(count for size, count in sizes if size > model.graph_tokens)
