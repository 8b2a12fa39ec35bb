"""Ollama's folder of models: which GGUF file stands behind a name.

Layout as Ollama writes it: ``manifests/registry/namespace/model/tag`` is a JSON document whose
layers name blobs; the layer of the media type below is the GGUF file.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from sparkwell.core.errors import DocumentError, EnvironmentFault

_MODEL_LAYER = "application/vnd.ollama.image.model"


def folders(environ: Mapping[str, str]) -> list[Path]:
    """Where Ollama keeps models: OLLAMA_MODELS, the user's, the service's, the guides'."""
    named = [Path(environ["OLLAMA_MODELS"])] if environ.get("OLLAMA_MODELS") else []
    home = [Path(environ["HOME"]) / ".ollama/models"] if environ.get("HOME") else []
    return [*named, *home, Path("/usr/share/ollama/.ollama/models"), Path("/opt/ollama/models")]


def find_gguf(name: str, environ: Mapping[str, str]) -> Path:
    """The GGUF file of ``qwen3:8b``; raises EnvironmentFault when Ollama has no such model here."""
    model, _, tag = name.partition(":")
    for folder in folders(environ):
        for manifest in folder.glob(f"manifests/*/*/{model}/{tag or 'latest'}"):
            return folder / "blobs" / _digest(manifest).replace(":", "-")
    raise EnvironmentFault(
        f"Ollama has no model {name} on this machine.",
        hint=f"Fetch it with `ollama pull {name}`, or say what it takes: ollama/{name}=20GiB.",
    )


def _digest(manifest: Path) -> str:
    try:
        layers = json.loads(manifest.read_text(encoding="utf-8"))["layers"]
        return str(next(each["digest"] for each in layers if each["mediaType"] == _MODEL_LAYER))
    except (OSError, ValueError, LookupError, TypeError, StopIteration):
        raise DocumentError(f"{manifest}: this is no manifest of an Ollama model.") from None
