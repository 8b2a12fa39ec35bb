"""A model as the planner takes it, from whichever place its description came."""

from dataclasses import dataclass
from typing import Literal

from sparkwell.catalog.checkpoint import Checkpoint, Tensor
from sparkwell.catalog.hf_config import ConfigReading
from sparkwell.catalog.recipe import Quantization, Recipe
from sparkwell.catalog.shape import ModelShape
from sparkwell.catalog.tensor_parts import vllm_parts
from sparkwell.catalog.weights import WeightParts, checkpoint_bytes, resident_parts
from sparkwell.core.errors import DocumentError

Source = Literal["catalog", "folder", "hub", "gguf"]

# Types whose rows are rows: not packed several to an element.
_PLAIN = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")


@dataclass(frozen=True, slots=True)
class Described:
    """What a model is and weighs.

    ``weights_bytes`` is the sum of the checkpoint's tensors: what is downloaded and lies on the
    disk. ``parts`` is what the engine holds after its own conversions, in bytes. ``repo`` and
    ``revision`` name it on the Hub. ``notes`` are sentences about what was assumed.
    """

    name: str
    repo: str | None
    shape: ModelShape
    quantization: Quantization
    weights_bytes: int
    parts: WeightParts
    source: Source
    notes: tuple[str, ...] = ()
    revision: str | None = None


def describe_recipe(recipe: Recipe) -> Described:
    """A model of the catalog; its parts are counted from its shape."""
    return Described(
        name=recipe.name,
        repo=recipe.repo,
        shape=recipe.architecture,
        quantization=recipe.quantization,
        weights_bytes=recipe.weights_bytes,
        parts=resident_parts(recipe.architecture, recipe.quantization),
        source="catalog",
        revision=recipe.revision,
    )


def describe_config(
    name: str,
    reading: ConfigReading,
    checkpoint: Checkpoint | None,
    *,
    source: Source,
    where: str,
    repo: str | None = None,
    revision: str | None = None,
    notes: tuple[str, ...] = (),
) -> Described:
    """A model by its config.json and, where they are known, its tensors.

    Without tensors the bytes are computed from the shape, and a note says what that leaves out.
    Raises DocumentError where tensors and config.json contradict each other, CannotCountError
    where there are no tensors and the quantization needs them.
    """
    shape, how = reading.shape, reading.quantization
    if checkpoint is not None:
        check_agreement(checkpoint, shape, where)
        weights_bytes = checkpoint.total_bytes
        parts = vllm_parts(checkpoint, shape, how, reading.rotary_positions)
        uncounted: tuple[str, ...] = ()
    else:
        weights_bytes = checkpoint_bytes(shape, how)
        parts = resident_parts(shape, how, reading.rotary_positions)
        uncounted = reading.uncounted
    left_out = (f"Not counted exactly: {'; '.join(uncounted)}.",) if uncounted else ()
    every = (*notes, *reading.notes, *left_out)
    return Described(name, repo, shape, how, weights_bytes, parts, source, every, revision)


def check_agreement(checkpoint: Checkpoint, shape: ModelShape, where: str) -> None:
    """Whether the tensors are those of the shape; raises DocumentError that names both.

    Looks at what the KV cache and the budget rest on: width, key heads, and layers.
    """
    last = -1
    for tensor in checkpoint:
        _check_width(tensor, shape, where)
        before, found, after = tensor.name.partition(".layers.")
        number = after.partition(".")[0]
        if found and before in ("model", "language_model.model") and number.isdecimal():
            last = max(last, int(number[:9]))
    if -1 < last < shape.num_hidden_layers - 1:
        raise DocumentError(
            f"{where}: num_hidden_layers is {shape.num_hidden_layers}, the tensors end with layer "
            f"{last}, which is number {last + 1}."
        )


def _check_width(tensor: Tensor, shape: ModelShape, where: str) -> None:
    if tensor.dtype not in _PLAIN or len(tensor.shape) != 2:
        return
    rows, columns = tensor.shape
    if tensor.name.endswith("self_attn.k_proj.weight") and rows != shape.key_value_size:
        raise DocumentError(
            f"{where}: num_key_value_heads x head_dim is {shape.key_value_size}, but {tensor.name} "
            f"has {rows} rows."
        )
    if tensor.name.endswith("embed_tokens.weight") and columns != shape.hidden_size:
        raise DocumentError(
            f"{where}: hidden_size is {shape.hidden_size}, but {tensor.name} has {columns} columns."
        )
