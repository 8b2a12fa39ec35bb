"""Ollama's folder of models: which files stand behind a name.

Layout as Ollama writes it: ``manifests/registry/namespace/model/tag`` is a JSON document whose
layers name blobs; the layer of the first media type below is the GGUF file, one of the second is
what a model for pictures has beside it.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sparkwell.catalog.described import Described
from sparkwell.catalog.local import describe_gguf
from sparkwell.catalog.ollama import OllamaName
from sparkwell.core.errors import DocumentError, EnvironmentFault
from sparkwell.core.units import GIB
from sparkwell.engines.ollama import choose_context
from sparkwell.planner.placement import ollama

_MODEL_LAYER = "application/vnd.ollama.image.model"
_PROJECTOR_LAYER = "application/vnd.ollama.image.projector"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model's GGUF file, and the bytes of what is loaded beside it."""

    gguf: Path
    beside_bytes: int


def folders(environ: Mapping[str, str], more: Iterable[str] = ()) -> list[Path]:
    """Where Ollama keeps models: OLLAMA_MODELS, the user's, the service's, the guides'.

    ``more`` are folders that a container has as /root/.ollama.
    """
    named = [Path(environ["OLLAMA_MODELS"])] if environ.get("OLLAMA_MODELS") else []
    home = [Path(environ["HOME"]) / ".ollama/models"] if environ.get("HOME") else []
    mounted = [Path(each) / "models" for each in more]
    usual = [Path("/usr/share/ollama/.ollama/models"), Path("/opt/ollama/models")]
    return [*named, *home, *mounted, *usual]


def find_files(
    name: OllamaName, environ: Mapping[str, str], more: Iterable[str] = ()
) -> ModelFiles:
    """The files of a model; raises EnvironmentFault when Ollama has no such model here.

    A folder that this user may not read counts as one without it.
    """
    for folder in folders(environ, more):
        manifest = folder / "manifests" / name.host / name.namespace / name.model / name.tag
        with suppress(OSError):
            if manifest.is_file():
                return _files(folder / "blobs", manifest)
    raise EnvironmentFault(
        f"Ollama has no model {name.short} on this machine.",
        hint=f"Fetch it with `ollama pull {name.short}`, or say what it takes: {name}=20GiB.",
    )


def describe_stored(
    name: OllamaName, environ: Mapping[str, str], more: Iterable[str] = ()
) -> Described:
    """The model's GGUF file, described; a note says what Ollama takes for it.

    Raises as ``find_files`` and ``describe_gguf`` do.
    """
    files = find_files(name, environ, more)
    described = describe_gguf(files.gguf)
    num_ctx = choose_context(described.shape.max_position_embeddings)
    held = ollama(str(name), described, num_ctx).held_bytes + files.beside_bytes
    note = (
        f"Memory, flags and speed are vLLM's, which can load this file too. In Ollama it holds "
        f"{held / GIB:.1f} GiB with a context of {num_ctx:,} tokens."
    )
    return replace(described, name=str(name), notes=(*described.notes, note))


def _files(blobs: Path, manifest: Path) -> ModelFiles:
    layers = _layers(manifest)
    beside = sum(each["size"] for each in layers if each["mediaType"] == _PROJECTOR_LAYER)
    digest = next(each["digest"] for each in layers if each["mediaType"] == _MODEL_LAYER)
    return ModelFiles(blobs / digest.replace(":", "-"), beside)


def _layers(manifest: Path) -> list[dict[str, Any]]:
    """The layers with their types checked, one GGUF file among them."""
    try:
        layers = [
            {
                "mediaType": str(each["mediaType"]),
                "digest": str(each["digest"]),
                "size": int(each.get("size", 0)),
            }
            for each in json.loads(manifest.read_text(encoding="utf-8"))["layers"]
        ]
    except (ValueError, LookupError, TypeError, AttributeError):
        raise DocumentError(f"{manifest}: this is no manifest of an Ollama model.") from None
    if not any(each["mediaType"] == _MODEL_LAYER for each in layers):
        raise DocumentError(f"{manifest}: there is no GGUF file among the layers of this model.")
    return layers
