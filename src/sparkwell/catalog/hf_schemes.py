"""How each method of quantization describes itself in a config.json.

Looked up in vLLM 0.25 (model_executor/layers/quantization).
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sparkwell.catalog.json_document import shortened
from sparkwell.core.errors import DocumentError, UsageError

Whole = Annotated[int, Field(strict=True, ge=-1, le=2**27)]


class UnknownQuantizationError(UsageError):
    """A quantization whose weights have a size that is not known here."""

    code = "unknown_quantization"
    http_status = 422


class Scheme(BaseModel):
    """How compressed-tensors describes weights, activations or the KV cache."""

    model_config = ConfigDict(extra="ignore")

    num_bits: Whole | None = None
    type: str | None = None
    strategy: str | None = None
    group_size: Whole | None = None
    block_structure: list[Whole] | None = None
    symmetric: bool | None = None
    dynamic: bool | str | None = None


class Group(BaseModel):
    """One of compressed-tensors' groups of layers."""

    model_config = ConfigDict(extra="ignore")

    weights: Scheme | None = None
    input_activations: Scheme | None = None


class Declared(BaseModel):
    """The keys of all methods together."""

    model_config = ConfigDict(extra="ignore")

    quant_method: str | None = None
    quant_algo: str | None = None
    kv_cache_quant_algo: str | None = None
    kv_cache_scheme: Scheme | str | None = None
    activation_scheme: Literal["dynamic", "static"] | None = None
    weight_block_size: list[Whole] | None = None
    bits: Whole | None = None
    w_bit: Whole | None = None
    group_size: Whole | None = None
    q_group_size: Whole | None = None
    load_in_4bit: bool = False
    load_in_8bit: bool = False
    config_groups: dict[str, Group] = Field(default_factory=dict)
    modules_to_not_convert: list[str] | None = None
    ignored_layers: list[str] | None = None
    ignore: list[str] | None = None
    exclude_modules: list[str] | None = None
    llm_int8_skip_modules: list[str] | None = None


def _fp8(declared: Declared, where: str) -> dict[str, Any]:
    block = declared.weight_block_size
    if block is not None and (len(block) != 2 or min(block) < 1):
        raise DocumentError(
            f"{where}: quantization_config.weight_block_size: expected rows and columns, got "
            f"{shortened(block)}"
        )
    return {
        "method": "fp8",
        "weight_bits": 8,
        "activation": declared.activation_scheme or "dynamic",
        "block": tuple(block) if block else None,
    }


def _modelopt(declared: Declared, where: str) -> dict[str, Any]:
    match (declared.quant_algo or "").upper():
        case "FP8":
            return {"method": "modelopt", "weight_bits": 8, "activation": "static"}
        case "FP8_PER_CHANNEL_PER_TOKEN":
            dynamic = {"activation": "dynamic", "per_channel": True}
            return {"method": "modelopt", "weight_bits": 8, **dynamic}
        case "NVFP4" | "W4A16_NVFP4":
            return {"method": "nvfp4", "weight_bits": 4, "group_size": declared.group_size or 16}
        case other:
            raise unknown_method(f"modelopt {other or 'without quant_algo'}", where)


def _awq(declared: Declared, where: str) -> dict[str, Any]:
    bits = declared.bits or declared.w_bit
    if bits != 4:
        raise unknown_method(f"awq with {bits} bits", where)
    return {"method": "awq", "weight_bits": 4, "group_size": _group(declared)}


def _gptq(declared: Declared, where: str) -> dict[str, Any]:
    if declared.bits not in (2, 3, 4, 8):
        raise unknown_method(f"gptq with {declared.bits} bits", where)
    group = _group(declared)
    method = {"method": "gptq", "weight_bits": declared.bits}
    return {**method, "group_size": group, "per_channel": group is None}


def _group(declared: Declared) -> int | None:
    """Weights that share a scale; -1 says that a whole output does."""
    size = declared.group_size or declared.q_group_size or 128
    return None if size == -1 else size


def _mxfp4(_given: Declared, _where: str) -> dict[str, Any]:
    return {"method": "mxfp4", "weight_bits": 4, "group_size": 32}


def _bitsandbytes(declared: Declared, where: str) -> dict[str, Any]:
    if declared.load_in_4bit == declared.load_in_8bit:
        raise unknown_method("bitsandbytes with neither 4 nor 8 bits, or both", where)
    return {"method": "bitsandbytes", "weight_bits": 4 if declared.load_in_4bit else 8}


def _compressed_tensors(declared: Declared, where: str) -> dict[str, Any]:
    groups = list(declared.config_groups.values())
    weights = [group.weights for group in groups if group.weights]
    if not weights or any(each != weights[0] for each in weights):
        raise unknown_method(f"compressed-tensors with {len(weights)} kinds of weights", where)
    scheme, inputs = weights[0], groups[0].input_activations
    activation = None if inputs is None else "dynamic" if inputs.dynamic else "static"
    fields = {"method": "compressed-tensors", "activation": activation}
    match (scheme.type, scheme.num_bits, scheme.strategy):
        case ("float", 4, "tensor_group" | "group"):
            size = scheme.group_size or 16
            method = "mxfp4" if size == 32 else "nvfp4"
            return {**fields, "method": method, "weight_bits": 4, "group_size": size}
        case ("int", 4 | 8, "group"):
            return {**fields, "weight_bits": scheme.num_bits, "group_size": scheme.group_size}
        case ("int", 4 | 8, "channel") | ("float", 8, "channel"):
            return {**fields, "weight_bits": scheme.num_bits, "per_channel": True}
        case ("float" | "int", 8, "tensor"):
            return {**fields, "weight_bits": 8}
        case ("float", 8, "block"):
            return {**fields, "weight_bits": 8, "block": scheme.block_structure or (128, 128)}
    said = f"compressed-tensors with {scheme.num_bits} bits ({scheme.type}, {scheme.strategy})"
    raise unknown_method(said, where)


READERS: Mapping[str, Callable[[Declared, str], dict[str, Any]]] = {
    "fp8": _fp8,
    "modelopt": _modelopt,
    "modelopt_fp4": _modelopt,
    "awq": _awq,
    "gptq": _gptq,
    "mxfp4": _mxfp4,
    "bitsandbytes": _bitsandbytes,
    "compressed-tensors": _compressed_tensors,
}


def unknown_method(method: str | None, where: str) -> UnknownQuantizationError:
    """The error for a method that is not in the table."""
    return UnknownQuantizationError(
        f"{where}: the quantization {shortened(method)} is not known, so neither is what its "
        "weights take.",
        hint=f"Known: {', '.join(READERS)}. Is there a checkpoint of the model in one of them?",
    )
