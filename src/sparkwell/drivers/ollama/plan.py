"""What a model in Ollama will take: from its file here, from the server, or unknown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from sparkwell.catalog.local import describe_gguf
from sparkwell.catalog.ollama import OllamaName, shape_of_metadata
from sparkwell.catalog.shape import ModelShape
from sparkwell.core.errors import SparkwellError
from sparkwell.drivers.ollama.api import OllamaApi
from sparkwell.drivers.ollama_store import find_files
from sparkwell.engines.ollama import choose_context, split_size
from sparkwell.engines.ollama.state import key_of
from sparkwell.planner import kv
from sparkwell.planner.placement import RUNNER_BYTES, ollama

_CACHE_BYTES = 2


@dataclass(frozen=True, slots=True)
class OllamaPlan:
    """A model with the context that it gets, in tokens, and the memory that it will hold.

    ``held_bytes`` is None where neither the file nor the server tells; ``source`` says who did.
    ``wanted_ctx`` is what was asked for.
    """

    name: OllamaName
    num_ctx: int
    held_bytes: int | None
    source: Literal["given", "file", "server", "unknown"]
    wanted_ctx: int | None = None

    @property
    def correction(self) -> str | None:
        """What of the wish was not done, as a sentence; None where all of it was."""
        if self.wanted_ctx is None or self.wanted_ctx <= self.num_ctx:
            return None
        return (
            f"num_ctx is {self.num_ctx:,}, not {self.wanted_ctx:,}: {self.name} has no longer "
            "context."
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """Where models may lie: the environment's folders, and those of the settings."""

    environ: Mapping[str, str]
    folders: Iterable[str] = ()


async def plan_model(
    name: str,
    kept: Kept,
    *,
    api: OllamaApi | None = None,
    wanted_ctx: int | None = None,
    parallel: int = 1,
) -> OllamaPlan:
    """The context and memory of ``ollama/qwen3:8b`` or ``ollama/qwen3:8b=20GiB``.

    Weights as the file has them, a 16-bit KV cache for ``parallel`` contexts, and a runner: the
    same sum as `plan`. The server is asked only where the file is not here to be read. Raises
    UsageError for a name or size that is none.
    """
    parsed, given = split_size(name)
    found = _from_file(parsed, kept, wanted_ctx, parallel)
    if found is None and api is not None:
        found = await _from_server(parsed, api, wanted_ctx, parallel)
    num_ctx = found.num_ctx if found else choose_context(None, wanted_ctx)
    if given is not None:
        return OllamaPlan(parsed, num_ctx, given, "given", wanted_ctx)
    return found or OllamaPlan(parsed, num_ctx, None, "unknown", wanted_ctx)


def plan_from_file(
    name: str, kept: Kept, wanted_ctx: int | None = None, parallel: int = 1
) -> OllamaPlan:
    """The same without the server: from the model's file here, or from a size in the name.

    Raises UsageError for a name or size that is none, and without a size EnvironmentFault when
    there is no file, DocumentError for one that cannot be read.
    """
    parsed, given = split_size(name)
    if given is None:
        return _read(parsed, kept, wanted_ctx, parallel)
    found = _from_file(parsed, kept, wanted_ctx, parallel)
    num_ctx = found.num_ctx if found else choose_context(None, wanted_ctx)
    return OllamaPlan(parsed, num_ctx, given, "given", wanted_ctx)


def _from_file(
    name: OllamaName, kept: Kept, wanted: int | None, parallel: int
) -> OllamaPlan | None:
    try:
        return _read(name, kept, wanted, parallel)
    except SparkwellError:  # not here, not ours to read, an architecture that is not known
        return None


def _read(name: OllamaName, kept: Kept, wanted: int | None, parallel: int) -> OllamaPlan:
    files = find_files(name, kept.environ, kept.folders)
    described = describe_gguf(files.gguf)
    num_ctx = choose_context(described.shape.max_position_embeddings, wanted)
    held = ollama(str(name), described, num_ctx, parallel).held_bytes + files.beside_bytes
    return OllamaPlan(name, num_ctx, held, "file", wanted)


async def _from_server(
    name: OllamaName, api: OllamaApi, wanted: int | None, parallel: int
) -> OllamaPlan | None:
    try:
        sizes = {key_of(each.name): each.size_bytes for each in await api.tags()}
        size = sizes.get(name.key)
        if size is None:
            return None
        shape = shape_of_metadata(await api.show(name.short), str(name))
    except SparkwellError:
        return None
    num_ctx = choose_context(shape.max_position_embeddings, wanted)
    held = size + _beside(shape, num_ctx, parallel)
    return OllamaPlan(name, num_ctx, held, "server", wanted)


def _beside(shape: ModelShape, num_ctx: int, parallel: int) -> int:
    return parallel * kv.sequence_bytes(shape, _CACHE_BYTES, num_ctx) + RUNNER_BYTES
