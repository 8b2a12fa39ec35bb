"""The KV cache: what a token of context takes, and how many tokens a number of bytes holds."""

from math import ceil

from sparkwell.catalog.shape import ModelShape


def bytes_per_token(shape: ModelShape, cache_bytes: int) -> int:
    """Bytes of keys and values of one token in all layers: 2 x layers x KV heads x width.

    ``cache_bytes`` is the width of one element. Layers with a sliding window count fully: a
    token of the window takes the same there.
    """
    return 2 * shape.num_hidden_layers * shape.key_value_size * cache_bytes


def sequence_bytes(shape: ModelShape, cache_bytes: int, tokens: int) -> int:
    """Bytes of one sequence of ``tokens``; layers with a window keep only that many.

    The limit that the architecture allows: an engine that keeps more than the window needs more.
    """
    layer = 2 * shape.key_value_size * cache_bytes
    full = shape.num_hidden_layers - shape.sliding_layers
    window = min(tokens, shape.sliding_window or tokens)
    return layer * (full * tokens + shape.sliding_layers * window)


def whole_blocks(kv_bytes: int, per_token: int, block_tokens: int) -> int:
    """How many blocks of ``block_tokens`` tokens fit; 0 where nothing is left."""
    return max(0, kv_bytes) // (per_token * block_tokens)


def cache_tokens(blocks: int, block_tokens: int, max_model_len: int, rounding: str) -> int:
    """Tokens as the engine reports them: its whole blocks, or concurrency x context, cut off."""
    if rounding == "blocks":
        return blocks * block_tokens
    return int(concurrency(blocks, block_tokens, max_model_len) * max_model_len)


def concurrency(blocks: int, block_tokens: int, max_model_len: int) -> float:
    """How many sequences of ``max_model_len`` tokens the blocks hold."""
    return blocks / ceil(max_model_len / block_tokens)
