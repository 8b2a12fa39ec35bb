"""Names of models in Ollama, and what its metadata say of a model's shape.

The grammar is Ollama's own (types/model/name.go): ``[HOST/][NAMESPACE/]MODEL[:TAG]``. What is left
out is ``registry.ollama.ai``, ``library`` and ``latest``; case is kept, and does not distinguish.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparkwell.catalog.checkpoint import Checkpoint, Tensor
from sparkwell.catalog.gguf import GgufHeader
from sparkwell.catalog.gguf_shape import gguf_shape
from sparkwell.catalog.shape import ModelShape
from sparkwell.core.errors import UsageError

PREFIX = "ollama/"
HOST, NAMESPACE, TAG = "registry.ollama.ai", "library", "latest"
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}"
_NAME = re.compile(
    r"(?:(?P<host>[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349})/)?"
    r"(?:(?P<namespace>[A-Za-z0-9_][A-Za-z0-9_-]{0,79})/)?"
    rf"(?P<model>{_PART})(?::(?P<tag>{_PART}))?"
)
# Models whose tag is or ends like this run at Ollama's, not on this machine.
_CLOUD = "cloud"


@dataclass(frozen=True, slots=True)
class OllamaName:
    """A model's name in Ollama, with all its parts. ``str`` of it is Sparkwell's name for it."""

    model: str
    tag: str = TAG
    namespace: str = NAMESPACE
    host: str = HOST

    def __str__(self) -> str:
        return PREFIX + self.short

    @property
    def short(self) -> str:
        """As Ollama's own commands take it: ``llama3.2``, ``qwen3:8b``, ``hf.co/org/m:Q4_K_M``."""
        tag = "" if self.tag.lower() == TAG else f":{self.tag}"
        if self.host.lower() != HOST:
            return f"{self.host}/{self.namespace}/{self.model}{tag}"
        if self.namespace.lower() != NAMESPACE:
            return f"{self.namespace}/{self.model}{tag}"
        return f"{self.model}{tag}"

    @property
    def key(self) -> str:
        """Equal for two names of the same model."""
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}".lower()


def is_ollama(name: str) -> bool:
    """Whether a name as users write it means a model in Ollama."""
    return name.lower().startswith(PREFIX)


def parse_ollama(text: str) -> OllamaName:
    """The name in ``ollama/qwen3:8b``, or in ``qwen3:8b`` as Ollama writes it.

    Raises UsageError for one that Ollama would not take, and for a model of its cloud.
    """
    bare = text[len(PREFIX) :] if is_ollama(text) else text
    found = _NAME.fullmatch(bare)
    if found is None or ".." in bare:
        raise UsageError(
            f"{text[:80]!r} is no name of a model in Ollama.",
            hint="Write it as ollama/llama3.2, ollama/qwen3:8b or ollama/hf.co/ORG/MODEL:TAG.",
        )
    host, namespace = found["host"], found["namespace"]
    if host and not namespace:  # with two parts the first is the namespace
        host, namespace = None, host
    if namespace and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}", namespace):
        raise UsageError(
            f"{text[:80]!r} is no name of a model in Ollama: {namespace} is no namespace.",
            hint="With a host it has three parts: ollama/hf.co/ORG/MODEL:TAG.",
        )
    name = OllamaName(found["model"], found["tag"] or TAG, namespace or NAMESPACE, host or HOST)
    if name.tag.lower() == _CLOUD or name.tag.lower().endswith(f"-{_CLOUD}"):
        raise UsageError(
            f"{name} runs on Ollama's servers, not on this machine.",
            hint="Choose a tag without cloud: those are downloaded and run here.",
        )
    return name


def shape_of_metadata(metadata: Mapping[str, Any], where: str) -> ModelShape:
    """The shape in the GGUF metadata that Ollama's /api/show gives; the tensors are not there.

    Enough for the KV cache and the longest context; the vocabulary is not known. Raises
    UnknownArchitectureError and DocumentError as ``gguf_shape`` does.
    """
    architecture = metadata.get("general.architecture")
    width = metadata.get(f"{architecture}.embedding_length")
    rows = metadata.get(f"{architecture}.vocab_size")
    embedding = Tensor("token_embd.weight", "F16", (_whole(rows), _whole(width)))
    kept = {key: tuple(each) if isinstance(each, list) else each for key, each in metadata.items()}
    return gguf_shape(GgufHeader(kept, Checkpoint((embedding,))), where)


def _whole(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 1
