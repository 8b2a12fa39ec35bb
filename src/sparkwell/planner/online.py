"""Weights that are quantized while they load: `quantization=fp8` on a 16-bit checkpoint.

Read in vLLM's sources (layers/quantization/fp8.py and online/fp8.py): up to 0.15.1 the 16-bit
tensors of all layers are taken before the first is quantized, from 0.16.0 on one layer's at a
time. The peak here is that of the older ones, the worst case.
"""

from collections.abc import Mapping
from dataclasses import replace

from sparkwell.catalog.described import Described
from sparkwell.catalog.packing import CannotCountError
from sparkwell.catalog.recipe import FlagValue, Quantization
from sparkwell.catalog.weights import checkpoint_bytes, resident_parts

# What vLLM makes of 16-bit weights: one scale a matrix; embedding and head stay as they are.
_ONLINE = Quantization(method="fp8", weight_bits=8, activation="dynamic")
# The layouts in which makers publish a model, for a sibling of which only the format is known.
_PUBLISHED: Mapping[str, Quantization] = {
    "bf16": Quantization(method="none", weight_bits=16),
    "fp8": Quantization(method="fp8", weight_bits=8, activation="dynamic", block=(128, 128)),
    "awq": Quantization(method="awq", weight_bits=4, group_size=128),
    "gptq": Quantization(method="gptq", weight_bits=4, group_size=128),
    "nvfp4": Quantization(method="nvfp4", weight_bits=4, group_size=16),
}


def quantizes_while_loading(described: Described, flags: Mapping[str, FlagValue]) -> bool:
    """Whether a 16-bit checkpoint is to become FP8 in the engine."""
    return described.quantization.method == "none" and flags.get("quantization") == "fp8"


def as_served(described: Described, flags: Mapping[str, FlagValue]) -> Described:
    """The model as the engine holds it once it has loaded, FP8 where the flags ask for it."""
    if not quantizes_while_loading(described, flags):
        return described
    parts = resident_parts(described.shape, _ONLINE)
    return replace(described, quantization=_ONLINE, parts=parts)


def loading_peak_bytes(described: Described, flags: Mapping[str, FlagValue]) -> int | None:
    """Bytes of weights at the peak of loading; None where nothing is quantized meanwhile."""
    return described.parts.total if quantizes_while_loading(described, flags) else None


def in_format(described: Described, name: str) -> Described | None:
    """The same model in a published format ("fp8", "awq"); None for one that is not known."""
    how = _PUBLISHED.get(name.lower())
    if how is None:
        return None
    try:
        parts = resident_parts(described.shape, how)
        size = checkpoint_bytes(described.shape, how)
    except CannotCountError:
        return None
    return replace(described, quantization=how, parts=parts, weights_bytes=size)


def weight_bits(name: str) -> int | None:
    """Bits of a weight in a published format; None for one that is not known."""
    how = _PUBLISHED.get(name.lower())
    return how.weight_bits if how else None
