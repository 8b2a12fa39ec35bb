"""The header of a GGUF file (versions 2 and 3): metadata, and what tensors there are.

Written here because the gguf package maps the whole file, makes an array object of every token
of the vocabulary (seconds), and follows lengths that the file claims. This reads the header
alone, keeps no vocabulary, and never reads more than the file or the limits below allow.
"""

import struct
from dataclasses import dataclass
from math import prod
from typing import BinaryIO

from sparkwell.catalog.checkpoint import GGML_BLOCKS, Checkpoint, Tensor
from sparkwell.catalog.gguf_reader import MAX_HEADER_BYTES, HeaderReader
from sparkwell.catalog.json_document import shortened
from sparkwell.core.errors import DocumentError

MAGIC = b"GGUF"
MAX_TENSORS = 100_000
_LONGEST_KEPT = 65_536  # bytes of a text, items of a list
_LONGEST_LIST = 2_000_000  # vocabularies have a quarter of a million entries
_MOST_DIMENSIONS = 4
_ALIGNMENT = 32

Scalar = int | float | bool | str
Value = Scalar | tuple[Scalar, ...] | None

_SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_STRING, _ARRAY = 8, 9
_TYPES = (
    *("F32", "F16", "Q4_0", "Q4_1", "", "", "Q5_0", "Q5_1", "Q8_0", "Q8_1", "Q2_K", "Q3_K"),
    *("Q4_K", "Q5_K", "Q6_K", "Q8_K", "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL"),
    *("IQ3_S", "IQ2_S", "IQ4_XS", "I8", "I16", "I32", "I64", "F64", "IQ1_M", "BF16"),
    *("", "", "", "TQ1_0", "TQ2_0", "", "", "", "MXFP4", "NVFP4", "Q1_0"),
)


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """The metadata by key, and the tensors with rows before columns.

    A list or a text that is longer than what is kept (a vocabulary) has the value None.
    """

    metadata: dict[str, Value]
    checkpoint: Checkpoint


def read_gguf(file: BinaryIO, file_bytes: int, where: str) -> GgufHeader:
    """Read the header from the beginning of ``file``, which has ``file_bytes`` bytes.

    Raises DocumentError for a file that is no GGUF, is cut, or contradicts itself.
    """
    reader = HeaderReader(file, min(file_bytes, MAX_HEADER_BYTES), where)
    if reader.take(len(MAGIC)) != MAGIC:
        raise reader.wrong("this is no GGUF file")
    version = reader.number("I")
    if version not in (2, 3):
        big = int.from_bytes(version.to_bytes(4, "little"), "big") in (2, 3)
        said = "it is of big-endian machines" if big else f"it has version {version}"
        raise reader.wrong(f"this GGUF file is not one of version 2 or 3: {said}")
    tensors, keys = reader.number("Q"), reader.number("Q")
    if tensors > MAX_TENSORS:
        raise reader.wrong(f"this GGUF file claims {tensors:,} tensors")
    metadata = _metadata(reader, keys)
    places = [_tensor(reader) for _ in range(tensors)]
    data_begins = _aligned(reader.position, _alignment(metadata, reader))
    _check_places(places, file_bytes - data_begins, where)
    return GgufHeader(metadata, Checkpoint(tuple(tensor for tensor, _ in places)))


def _metadata(reader: HeaderReader, count: int) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for _ in range(count):
        key = reader.name()
        if key in found:
            raise reader.wrong(f"the key {shortened(key)} is there twice")
        found[key] = _value(reader, reader.number("I"), key)
    return found


def _value(reader: HeaderReader, kind: int, key: str) -> Value:
    if kind == _STRING:
        return _text(reader)
    if kind == _ARRAY:
        return _array(reader, reader.number("I"), reader.number("Q"), key)
    form = _form(reader, kind, key)
    value: Scalar = struct.unpack("<" + form, reader.take(struct.calcsize(form)))[0]
    return value


def _text(reader: HeaderReader) -> str | None:
    length = reader.number("Q")
    if length > _LONGEST_KEPT:
        reader.skip(length)
        return None
    return reader.take(length).decode("utf-8", errors="replace")


def _array(reader: HeaderReader, kind: int, count: int, key: str) -> Value:
    if count > _LONGEST_LIST:
        raise reader.wrong(f"{shortened(key)} is a list of {count:,}")
    if kind == _STRING:
        for _ in range(count):
            reader.skip(reader.number("Q"))
        return None
    form = _form(reader, kind, key)
    width = struct.calcsize(form)
    if count > _LONGEST_KEPT:
        reader.skip(count * width)
        return None
    return struct.unpack(f"<{count}{form}", reader.take(count * width))


def _form(reader: HeaderReader, kind: int, key: str) -> str:
    """How struct reads a scalar; lists of lists are in no known file, so not taken."""
    form = _SCALARS.get(kind)
    if form is None:
        raise reader.wrong(f"{shortened(key)} has a value of the unknown kind {kind}")
    return form


def _tensor(reader: HeaderReader) -> tuple[Tensor, int]:
    """A tensor and the byte at which it begins in the data."""
    name, dimensions = reader.name(), reader.number("I")
    if dimensions > _MOST_DIMENSIONS:
        raise reader.wrong(f"{shortened(name)} has {dimensions:,} dimensions")
    inner_first = struct.unpack(f"<{dimensions}Q", reader.take(8 * dimensions))
    kind, begin = reader.number("I"), reader.number("Q")
    dtype = _TYPES[kind] if kind < len(_TYPES) else ""
    if not dtype:
        raise reader.wrong(f"{shortened(name)} has the type {kind}, which is not known")
    size = GGML_BLOCKS[dtype][0]
    if prod(inner_first) > 2**53 or (inner_first and inner_first[0] % size):
        said = f"{shortened(name)} has the sizes {inner_first}, which {dtype} cannot have"
        raise reader.wrong(said)
    return Tensor(name, dtype, inner_first[::-1]), begin


def _alignment(metadata: dict[str, Value], reader: HeaderReader) -> int:
    value = metadata.get("general.alignment", _ALIGNMENT)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= 2**20:
        raise reader.wrong(f"general.alignment is {shortened(value)}")
    return value


def _aligned(position: int, step: int) -> int:
    return -(-position // step) * step


def _check_places(places: list[tuple[Tensor, int]], data_bytes: int, where: str) -> None:
    """No tensor lies over another or beyond the end of the file, no name is there twice."""
    end, seen = 0, set[str]()
    for tensor, begin in sorted(places, key=lambda place: place[1]):
        named = f"{where}: {shortened(tensor.name)}"
        if tensor.name in seen:
            raise DocumentError(f"{named}: this tensor is there twice")
        if begin < end:
            raise DocumentError(f"{named}: this tensor lies over another, at byte {begin:,}")
        end = begin + tensor.bytes
        seen.add(tensor.name)
    if end > data_bytes:
        raise DocumentError(
            f"{where}: this GGUF file is cut: its tensors need {end:,} bytes, "
            f"{max(data_bytes, 0):,} are there.",
            hint="Download the file again.",
        )
