"""What a step of an engine reads and computes, counted from sizes; nothing is fitted here.

A step is one pass of the model: a decode step makes one token for each of its sequences, a
prefill step takes a piece of a prompt.
"""

from dataclasses import dataclass
from typing import Literal

from sparkwell.catalog.described import Described
from sparkwell.catalog.recipe import Quantization
from sparkwell.catalog.shape import MixtureOfExperts, ModelShape

Arithmetic = Literal["fp8", "fp4", "bf16"]


@dataclass(frozen=True, slots=True)
class Work:
    """What one step does.

    ``weights_bytes`` and ``kv_bytes`` are read. ``matrix_flops`` are those of the quantized
    matrices, ``other_flops`` those of attention and the output head, which stay in 16 bits.
    """

    weights_bytes: float
    kv_bytes: float
    matrix_flops: float
    other_flops: float


def touched_experts(moe: MixtureOfExperts, tokens: float) -> float:
    """Experts of one layer that a step of ``tokens`` reads: E x (1 - (1 - k/E)^tokens).

    The expected number of different ones where each token chooses k of E evenly. Real routers
    prefer some, so it is an upper estimate for more than one token.
    """
    idle = 1 - moe.num_experts_per_tok / moe.num_experts
    return float(moe.num_experts * (1 - idle**tokens))


def weights_read_bytes(described: Described, tokens: float) -> float:
    """Bytes of weights that a step of ``tokens`` reads: each tensor once, experts if touched.

    Of the embedding one row a token; a tied embedding is read in full, as the output head.
    """
    parts, moe = described.parts, described.shape.moe
    share = touched_experts(moe, tokens) / moe.num_experts if moe else 0.0
    matrices = parts.linear_bytes + share * parts.expert_bytes
    scales = parts.scale_bytes * matrices / max(1, parts.linear_bytes + parts.expert_bytes)
    rows = min(1.0, tokens / described.shape.vocab_size)
    head = parts.head_bytes + rows * parts.embedding_bytes
    vocabulary = head if parts.head_bytes else parts.embedding_bytes
    return matrices + scales + vocabulary + parts.router_bytes + parts.norm_bytes


def kv_read_bytes(shape: ModelShape, kv_bytes_per_token: float, context: float) -> float:
    """Bytes of one sequence's KV cache that a decode step reads.

    ``kv_bytes_per_token`` counts all layers; those with a sliding window read no more than it.
    """
    sliding = shape.sliding_layers / shape.num_hidden_layers
    window = min(context, shape.sliding_window or context)
    return kv_bytes_per_token * ((1 - sliding) * context + sliding * window)


def matrix_parameters(shape: ModelShape) -> int:
    """Weights that one token is multiplied with, embedding and output head left out."""
    return shape.active_parameters - shape.embedding_parameters - shape.norm_parameters


def attention_flops(shape: ModelShape, context: float) -> float:
    """Operations of one token's attention to ``context`` tokens: scores and sums, all layers."""
    sliding = shape.sliding_layers
    window = min(context, shape.sliding_window or context)
    seen = (shape.num_hidden_layers - sliding) * context + sliding * window
    return 4.0 * shape.query_size * seen


def head_flops(shape: ModelShape) -> float:
    """Operations of the output head for one token."""
    return 2.0 * shape.vocab_size * shape.hidden_size


def decode_work(
    described: Described, kv_bytes_per_token: float, context: float, sequences: float
) -> Work:
    """One decode step of ``sequences``, each with ``context`` tokens in its KV cache."""
    shape = described.shape
    return Work(
        weights_bytes=weights_read_bytes(described, sequences),
        kv_bytes=sequences * kv_read_bytes(shape, kv_bytes_per_token, context),
        matrix_flops=sequences * 2.0 * matrix_parameters(shape),
        other_flops=sequences * (attention_flops(shape, context) + head_flops(shape)),
    )


def prefill_work(described: Described, prompt_tokens: int, chunk_tokens: int) -> Work:
    """A whole prompt in chunks of at most ``chunk_tokens``: every chunk reads the weights anew.

    Each token attends to those before it, half of the prompt on average. The KV cache that
    later chunks read is left out: compute outweighs it.
    """
    shape = described.shape
    chunks = prefill_chunks(prompt_tokens, chunk_tokens)
    attended = prompt_tokens * attention_flops(shape, prompt_tokens / 2)
    return Work(
        weights_bytes=chunks * weights_read_bytes(described, prompt_tokens / chunks),
        kv_bytes=0.0,
        matrix_flops=prompt_tokens * 2.0 * matrix_parameters(shape),
        other_flops=attended + head_flops(shape),
    )


def prefill_chunks(prompt_tokens: int, chunk_tokens: int) -> int:
    """Steps that a prompt takes where a step takes ``chunk_tokens``; at least 1."""
    return max(1, -(-prompt_tokens // max(1, chunk_tokens)))


def arithmetic(how: Quantization) -> Arithmetic:
    """The format that the engine multiplies in.

    8-bit weights with 8-bit activations multiply in FP8; NVFP4 quantizes both. All other
    quantization (AWQ, GPTQ, MXFP4, GGUF) shrinks the weights alone and multiplies in 16 bits.
    """
    if how.method == "nvfp4":
        return "fp4"
    eight = how.weight_bits == 8 and how.activation is not None
    return "fp8" if eight else "bf16"
