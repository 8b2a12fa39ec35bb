"""The fake's models: on its disk, and in the library that they are pulled from."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from sparkwell.catalog.ollama import OllamaName, parse_ollama
from sparkwell.hardware.quantities import size as bytes_of

_LAYERS, _KV_HEADS, _HEAD_DIM, _HEADS, _WIDTH = 8, 2, 64, 8, 512


@dataclass(frozen=True, slots=True)
class FakeModel:
    """A model. ``blob`` is the digest of its file: models made from one another share it."""

    name: OllamaName
    size_bytes: int
    longest_context: int
    blob: str
    parameters: Mapping[str, object] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Of its manifest: different for every name and every set of parameters."""
        said = f"{self.name.key}{sorted(self.parameters.items())}"
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def metadata(self) -> dict[str, object]:
        """What /api/show says of the GGUF file."""
        own = {
            "block_count": _LAYERS,
            "context_length": self.longest_context,
            "embedding_length": _WIDTH,
            "feed_forward_length": 4 * _WIDTH,
            "attention.head_count": _HEADS,
            "attention.head_count_kv": _KV_HEADS,
            "attention.key_length": _HEAD_DIM,
            "attention.value_length": _HEAD_DIM,
        }
        keys = {f"qwen3.{key}": value for key, value in own.items()}
        return {"general.architecture": "qwen3", **keys, "tokenizer.ggml.tokens": None}

    def held_bytes(self, num_ctx: int) -> int:
        """What it takes in memory: its file, and a 16-bit KV cache."""
        return self.size_bytes + num_ctx * 2 * _LAYERS * _KV_HEADS * _HEAD_DIM * 2

    @property
    def own_context(self) -> int | None:
        """The num_ctx among its parameters."""
        value = self.parameters.get("num_ctx")
        return value if isinstance(value, int) else None


def read_model(text: str) -> FakeModel:
    """A model from ``NAME=SIZE@CONTEXT``; raises ValueError or UsageError."""
    name, _, rest = text.partition("=")
    size, _, context = rest.partition("@")
    parsed = parse_ollama(name)
    blob = f"sha256:{hashlib.sha256(parsed.key.encode()).hexdigest()}"
    return FakeModel(parsed, int(str(bytes_of(size or "1GB"))), int(context or 40_960), blob)


class Library:
    """Models by name. Case does not distinguish, ``latest`` may be left out."""

    def __init__(self, models: list[FakeModel]) -> None:
        self._models = {model.name.key: model for model in models}

    def __iter__(self) -> Iterator[FakeModel]:
        return iter(self._models.values())

    def find(self, name: str) -> FakeModel | None:
        """The model of that name, or None; raises UsageError for what is no name."""
        return self._models.get(parse_ollama(name).key)

    def add(self, model: FakeModel) -> None:
        """Put a model there, in place of one of that name."""
        self._models[model.name.key] = model

    def derive(self, name: str, source: FakeModel, parameters: Mapping[str, object]) -> None:
        """Make a model of another one's file."""
        own = {**source.parameters, **parameters}
        self.add(replace(source, name=parse_ollama(name), parameters=own))

    def remove(self, model: FakeModel) -> None:
        """Take a name away."""
        del self._models[model.name.key]
