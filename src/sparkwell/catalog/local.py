"""Models on this machine: a Hugging Face folder, a GGUF file. Only headers are read."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sparkwell.catalog.checkpoint import Checkpoint, Tensor, joined
from sparkwell.catalog.described import Described, describe_config
from sparkwell.catalog.gguf import GgufHeader, read_gguf
from sparkwell.catalog.gguf_shape import gguf_quantization, gguf_shape
from sparkwell.catalog.hf_config import ConfigReading, read_config
from sparkwell.catalog.json_document import MAX_CONFIG_BYTES
from sparkwell.catalog.safetensors_header import LENGTH_BYTES, header_bytes, read_header
from sparkwell.catalog.safetensors_index import INDEX, MAX_INDEX_BYTES, loose_files, shards
from sparkwell.catalog.tensor_parts import ggml_parts
from sparkwell.core.errors import DocumentError, UsageError
from sparkwell.core.units import file_size

CONFIG, MODELOPT = "config.json", "hf_quant_config.json"
_PART = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.gguf")


def describe_path(path: Path) -> Described:
    """A folder or a GGUF file, whichever ``path`` is.

    A folder that holds one GGUF file and no config.json means that file. Raises UsageError for a
    path that is neither, DocumentError for a file that is not right.
    """
    with _readable(path):
        if path.is_dir():
            files = [file for file in sorted(path.glob("*.gguf")) if _first_part(file)]
            alone = len(files) == 1 and not (path / CONFIG).is_file()
            return describe_gguf(files[0]) if alone else describe_folder(path)
        if path.suffix.lower() == ".gguf" and path.is_file():
            return describe_gguf(path)
    raise UsageError(
        f"{path} is neither a folder nor a GGUF file.",
        hint="Name a folder with config.json and safetensors files, or a file *.gguf.",
    )


def describe_folder(path: Path, *, name: str | None = None, repo: str | None = None) -> Described:
    """A checkpoint in Hugging Face's layout; ``name`` is the folder's own unless given.

    Without weights, or where some of their files are missing, the bytes are computed from
    config.json, and a note says so. Raises UsageError where there is no config.json,
    DocumentError, and what reading the config raises.
    """
    with _readable(path):
        if not (path / CONFIG).is_file():
            raise UsageError(
                f"{path} has no config.json, so it is not a model in Hugging Face's layout.",
                hint="Name the folder that holds config.json and the safetensors files.",
            )
        reading = _reading(path)
        checkpoint, notes = _checkpoint(path)
    return describe_config(
        name or path.resolve().name,
        reading,
        checkpoint,
        source="folder",
        where=str(path / CONFIG),
        repo=repo,
        notes=notes,
    )


def describe_gguf(path: Path) -> Described:
    """A GGUF file for llama.cpp or Ollama; of a file in parts, any part.

    Raises UnknownArchitectureError, and DocumentError for a file that is not right, or where a
    part is missing.
    """
    with _readable(path):
        files = _parts(path)
        headers = [_header(file) for file in files]
    checkpoint, twice = joined(header.checkpoint for header in headers)
    whole = GgufHeader(headers[0].metadata, checkpoint)
    shape = gguf_shape(whole, str(files[0]))
    return Described(
        name=_PART.sub(r"\1", path.name).removesuffix(".gguf"),
        repo=None,
        shape=shape,
        quantization=gguf_quantization(checkpoint),
        weights_bytes=checkpoint.total_bytes,
        parts=ggml_parts(checkpoint, shape),
        source="gguf",
        notes=_said_twice(twice),
    )


def tensors_of(file: Path) -> tuple[Tensor, ...]:
    """The tensors of one safetensors file, by its header; raises DocumentError."""
    with _readable(file), file.open("rb") as stream:
        start = stream.read(LENGTH_BYTES)
        start += stream.read(header_bytes(start, str(file)))
    return read_header(start, str(file), file.stat().st_size)


def _reading(path: Path) -> ConfigReading:
    beside = path / MODELOPT
    modelopt = _text(beside, MAX_CONFIG_BYTES) if beside.is_file() else None
    file = path / CONFIG
    return read_config(_text(file, MAX_CONFIG_BYTES), str(file), modelopt)


def _checkpoint(path: Path) -> tuple[Checkpoint | None, tuple[str, ...]]:
    """The tensors of a folder, None where they are not all there, and why."""
    wanted = _files(path)
    missing = [file for file in wanted if not file.is_file()]
    if missing or not wanted:
        return None, (_absent(path, wanted, missing),)
    checkpoint, twice = joined(tensors_of(file) for file in wanted)
    return checkpoint, _said_twice(twice)


def _files(path: Path) -> list[Path]:
    """The files that a loader takes: those of the index, where there is one."""
    index = path / INDEX
    if index.is_file():
        return [path / name for name in shards(_text(index, MAX_INDEX_BYTES), str(index))]
    return [path / name for name in loose_files(file.name for file in path.iterdir())]


def _absent(path: Path, wanted: Iterable[Path], missing: list[Path]) -> str:
    if missing:
        count = len(list(wanted))
        what = f"{len(missing)} of {count} weight files are missing ({missing[0].name} first)"
    elif any(path.glob("*.bin")) or any(path.glob("*.pt*")):
        what = "the weights are pickle files, which are not read"
    else:
        what = "there are no weights in the folder"
    return f"Bytes of the weights are computed from config.json: {what}."


def _said_twice(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        return ()
    return (f"Tensors in more than one file count once: {len(names)}, {names[0]} first.",)


def _first_part(file: Path) -> bool:
    match = _PART.fullmatch(file.name)
    return match is None or int(match.group(2)) == 1


def _parts(path: Path) -> list[Path]:
    """All files of a GGUF that was split, else the one; raises DocumentError for a missing part."""
    match = _PART.fullmatch(path.name)
    if match is None:
        return [path]
    stem, _, count = match.groups()
    names = [f"{stem}-{number:05}-of-{count}.gguf" for number in range(1, int(count) + 1)]
    files = [path.with_name(name) for name in names]
    missing = [file.name for file in files if not file.is_file()]
    if missing or not files:
        raise DocumentError(
            f"{path}: {len(missing)} of its {int(count)} parts are missing.",
            hint=f"Download the others into the same folder: {', '.join(missing[:3])}.",
        )
    return files


def _header(file: Path) -> GgufHeader:
    with file.open("rb") as stream:
        return read_gguf(stream, file.stat().st_size, str(file))


def _text(file: Path, limit: int) -> bytes:
    if file.stat().st_size > limit:
        raise DocumentError(f"{file}: this file is larger than {file_size(limit)}")
    return file.read_bytes()


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say which file the system does not give: missing rights, a broken disk."""
    try:
        yield
    except OSError as error:
        said = error.strerror or error
        raise DocumentError(f"{error.filename or path}: this file cannot be read: {said}") from None
