"""The header of a safetensors file: a length, then JSON that says what each tensor is.

Written here because huggingface_hub's parser believes what it reads: it takes unknown types,
negative sizes, and offsets that overlap or leave the file.
"""

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, RootModel

from sparkwell.catalog.checkpoint import SAFETENSORS_BLOCKS, Tensor
from sparkwell.catalog.json_document import read_object, shortened, validated
from sparkwell.core.errors import DocumentError
from sparkwell.core.units import file_size

LENGTH_BYTES = 8
# The format's own limit; the largest header of a well-known model has about 10 MB.
MAX_HEADER_BYTES = 100_000_000
_MAX_DIMENSIONS = 16

Count = Annotated[int, Field(strict=True, ge=0, le=2**53)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    dtype: str
    shape: tuple[Count, ...] = Field(max_length=_MAX_DIMENSIONS)
    data_offsets: tuple[Count, Count]


class _Entries(RootModel[dict[str, _Entry]]):
    pass


def header_bytes(start: bytes, where: str) -> int:
    """How many bytes the JSON has that follows the first 8; raises DocumentError.

    ``start`` is the beginning of the file, 8 bytes at least.
    """
    if len(start) < LENGTH_BYTES:
        raise DocumentError(
            f"{where}: this is no safetensors file: it ends after {len(start)} bytes.",
            hint="Download the file again.",
        )
    length = int.from_bytes(start[:LENGTH_BYTES], "little")
    if length > MAX_HEADER_BYTES:
        raise DocumentError(
            f"{where}: this is no safetensors file: its header claims {length:,} bytes, the format "
            f"allows {MAX_HEADER_BYTES:,}."
        )
    return length


def read_header(start: bytes, where: str, file_bytes: int | None = None) -> tuple[Tensor, ...]:
    """The tensors that the header names, in the order of their places in the file.

    ``start`` is the file from its beginning to the end of the header at least; ``file_bytes``
    the size of the whole file, None where it is not known. Raises DocumentError.
    """
    length = header_bytes(start, where)
    text = start[LENGTH_BYTES : LENGTH_BYTES + length]
    if len(text) < length:
        raise DocumentError(
            f"{where}: this safetensors file is cut: its header has {length:,} bytes, "
            f"{len(text):,} are there.",
            hint="Download the file again.",
        )
    data = read_object(text, where)
    data.pop("__metadata__", None)
    entries = validated(data, _Entries, where).root
    for name, entry in entries.items():
        _check_entry(name, entry, where)
    _check_places(entries, where)
    if file_bytes is not None:
        _check_size(entries.values(), file_bytes - LENGTH_BYTES - length, where)
    in_order = sorted(entries.items(), key=lambda item: item[1].data_offsets)
    return tuple(Tensor(name, entry.dtype, entry.shape) for name, entry in in_order)


def _check_entry(name: str, entry: _Entry, where: str) -> None:
    if entry.dtype not in SAFETENSORS_BLOCKS:
        said = f"{shortened(entry.dtype)} is not a type of safetensors"
        raise DocumentError(f"{where}: {shortened(name)}: {said}")
    begin, end = entry.data_offsets
    needed = Tensor(name, entry.dtype, entry.shape).bytes
    if end - begin != needed:
        raise DocumentError(
            f"{where}: {shortened(name)}: its place in the file has {end - begin:,} bytes, "
            f"{entry.dtype} of shape {shortened(list(entry.shape))} needs {needed:,}"
        )


def _check_places(entries: dict[str, _Entry], where: str) -> None:
    """The format wants one tensor after the other: no gap, nothing shared."""
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
        begin = entry.data_offsets[0]
        if begin != end:
            wrong = "lies over another tensor" if begin < end else "leaves a gap before it"
            raise DocumentError(
                f"{where}: {shortened(name)}: {wrong}: it begins at byte {begin:,}, the one before "
                f"it ends at {end:,}"
            )
        end = entry.data_offsets[1]


def _check_size(entries: Iterable[_Entry], there_bytes: int, where: str) -> None:
    wanted = max((entry.data_offsets[1] for entry in entries), default=0)
    if there_bytes < wanted:
        raise DocumentError(
            f"{where}: this safetensors file is cut: its tensors have {file_size(wanted)} "
            f"({wanted:,} bytes), {max(there_bytes, 0):,} bytes are there.",
            hint="Download the file again.",
        )
    if there_bytes > wanted:
        raise DocumentError(
            f"{where}: this safetensors file has {there_bytes - wanted:,} bytes more than its "
            "header names."
        )
