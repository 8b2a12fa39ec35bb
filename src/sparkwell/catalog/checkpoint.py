"""A checkpoint as the list of its tensors, whatever the file format."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil, prod

# Elements and bytes of what is stored together, by the names that the formats use.
SAFETENSORS_BLOCKS: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(("BOOL", "U8", "I8"), (1, 1)),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), (1, 1)),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), (1, 2)),
    **dict.fromkeys(("F32", "I32", "U32"), (1, 4)),
    **dict.fromkeys(("F64", "I64", "U64", "C64"), (1, 8)),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), (4, 3)),
    "F4": (2, 1),
}

# ggml's blocks have their scales in them; sizes as in ggml's own table (ggml-common.h).
GGML_BLOCKS: Mapping[str, tuple[int, int]] = {
    **{name: SAFETENSORS_BLOCKS[name] for name in ("F32", "F16", "BF16", "F64")},
    **{name: SAFETENSORS_BLOCKS[name] for name in ("I8", "I16", "I32", "I64")},
    "Q1_0": (128, 18),
    "Q4_0": (32, 18),
    "Q4_1": (32, 20),
    "Q5_0": (32, 22),
    "Q5_1": (32, 24),
    "Q8_0": (32, 34),
    "Q8_1": (32, 40),
    "Q2_K": (256, 84),
    "Q3_K": (256, 110),
    "Q4_K": (256, 144),
    "Q5_K": (256, 176),
    "Q6_K": (256, 210),
    "Q8_K": (256, 292),
    "IQ1_S": (256, 50),
    "IQ1_M": (256, 56),
    "IQ2_XXS": (256, 66),
    "IQ2_XS": (256, 74),
    "IQ2_S": (256, 82),
    "IQ3_XXS": (256, 98),
    "IQ3_S": (256, 110),
    "IQ4_NL": (32, 18),
    "IQ4_XS": (256, 136),
    "TQ1_0": (256, 54),
    "TQ2_0": (256, 66),
    "MXFP4": (32, 17),
    "NVFP4": (64, 36),
}

BLOCKS = {**SAFETENSORS_BLOCKS, **GGML_BLOCKS}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor; ``dtype`` is a name in the tables above, else ``bytes`` raises KeyError."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """How many numbers; 1 for a scalar, whose shape is empty."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """Bytes in the file, in whole blocks."""
        elements, width = BLOCKS[self.dtype]
        return ceil(self.elements / elements) * width if elements > 1 else self.elements * width


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All tensors of a checkpoint, of all its files, each name once."""

    tensors: tuple[Tensor, ...]

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.tensors)

    @property
    def total_bytes(self) -> int:
        """Sum of the tensors in bytes, without file headers and padding."""
        return sum(tensor.bytes for tensor in self.tensors)

    @property
    def bytes_by_dtype(self) -> dict[str, int]:
        """Bytes of each type, the heaviest first."""
        found: dict[str, int] = {}
        for tensor in self.tensors:
            found[tensor.dtype] = found.get(tensor.dtype, 0) + tensor.bytes
        return dict(sorted(found.items(), key=lambda entry: -entry[1]))


def joined(files: Iterable[Iterable[Tensor]]) -> tuple[Checkpoint, tuple[str, ...]]:
    """One checkpoint of several files, and the names that were in more than one of them.

    The first of two tensors with one name counts, as it would be loaded over by an equal one.
    """
    found: dict[str, Tensor] = {}
    twice: dict[str, None] = {}
    for tensor in (tensor for tensors in files for tensor in tensors):
        if tensor.name in found:
            twice[tensor.name] = None
        else:
            found[tensor.name] = tensor
    return Checkpoint(tuple(found.values())), tuple(twice)
