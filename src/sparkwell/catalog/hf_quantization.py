"""What a checkpoint says of its quantization: quantization_config, or ModelOpt's own file.

What is known becomes a Quantization; a method that is not known is an error, since bytes guessed
from it would be wrong.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sparkwell.catalog.hf_schemes import READERS, Declared, Scheme, unknown_method
from sparkwell.catalog.json_document import shortened, validated
from sparkwell.catalog.packing import Module
from sparkwell.catalog.recipe import Quantization
from sparkwell.core.errors import DocumentError

_NAME = re.compile(r"^(?:language_model\.)?(?:model\.)?(?:layers\.(\d+|\*)\.)?(.*)$", re.DOTALL)
_ROUTERS = ("mlp.gate", "mlp.router", "block_sparse_moe.gate", "shared_expert_gate")
_MODULES = frozenset(get_args(Module))
_MOST_NAMES = 24


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a checkpoint declares, with sentences about what was left aside.

    ``uncounted`` names modules that stay in 16 bits and that bytes computed from the shape take
    for quantized.
    """

    quantization: Quantization
    notes: tuple[str, ...] = ()
    uncounted: tuple[str, ...] = ()


def read_quantization(
    config: Mapping[str, Any], modelopt: Mapping[str, Any] | None, dtype: str | None, where: str
) -> Declaration:
    """The quantization of a checkpoint.

    ``config`` is the config.json, ``modelopt`` the hf_quant_config.json beside it; as in vLLM
    the first wins. ``dtype`` is config.json's. Raises DocumentError, UnknownQuantizationError.
    """
    fields: dict[str, Any] = {"dtype": "float16" if dtype == "float16" else "bfloat16"}
    raw = config.get("quantization_config") or config.get("compression_config")
    if raw is None and modelopt is not None:
        raw, where = {"quant_method": "modelopt", **modelopt}, "hf_quant_config.json"
    if raw is None:
        return Declaration(Quantization(method="none", weight_bits=16, **fields))
    declared = _declared(raw, where)
    read = READERS.get((declared.quant_method or "").lower())
    if read is None:
        raise unknown_method(declared.quant_method, where)
    fields |= read(declared, where)
    cache, notes = _kv_cache(declared)
    stays, uncounted = _unquantized(declared, int(config.get("num_hidden_layers") or 0))
    fields |= {"kv_cache_dtype": cache, "unquantized": stays}
    quantization = validated(fields, Quantization, f"{where}: quantization_config")
    return Declaration(quantization, notes, uncounted)


def _declared(raw: Any, where: str) -> Declared:
    """The keys, whether they stand at the top or, as in ModelOpt's own file, below a key."""
    place = f"{where}: quantization_config"
    if not isinstance(raw, dict):
        raise DocumentError(f"{place}: expected a JSON object, got {shortened(raw)}")
    inner = raw.get("quantization")
    return validated(raw | inner if isinstance(inner, dict) else raw, Declared, place)


def _kv_cache(declared: Declared) -> tuple[Literal["fp8"] | None, tuple[str, ...]]:
    """The type that the checkpoint declares for its KV cache, None for none or an unknown one."""
    said = declared.kv_cache_quant_algo or declared.kv_cache_scheme
    if said is None or said == "":
        return None, ()
    known = said.upper() == "FP8" if isinstance(said, str) else False
    if isinstance(said, Scheme):
        known = (said.type, said.num_bits) == ("float", 8)
    if known:
        return "fp8", ()
    shown = said if isinstance(said, str) else f"{said.num_bits} bits ({said.type})"
    note = f"The checkpoint declares a KV cache of {shortened(shown)}, which is not counted so."
    return None, (note,)


def _unquantized(declared: Declared, layers: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The modules that stay as they were, and those of them that do so in some layers only.

    A module of every layer is named once, without its layer. Of the second kind only those count
    that quantization would shrink.
    """
    named = (
        declared.modules_to_not_convert,
        declared.ignored_layers,
        declared.ignore,
        declared.exclude_modules,
        declared.llm_int8_skip_modules,
    )
    found: dict[str, set[str]] = {}
    for name in (name for names in named for name in names or ()):
        layer, rest = _split(name)
        found.setdefault(rest, set()).add(layer)
    whole = [rest for rest, where in found.items() if where & {"", "*"} or len(where) >= layers]
    partly = [rest for rest in found if rest not in whole and _is_matrix(rest)]
    odd = [rest for rest in whole if _is_matrix(rest) and rest not in _MODULES]
    stays = dict.fromkeys(
        ["embed_tokens", "norms", *(rest for rest in found if rest not in partly)]
    )
    return tuple(stays)[:_MOST_NAMES], tuple([*partly, *odd][:_MOST_NAMES])


def _split(name: str) -> tuple[str, str]:
    """The layer ("" for none, "*" for all) and the module within it."""
    match = _NAME.match(name)
    layer, rest = match.groups() if match else (None, name)
    return layer or "", rest.strip("*.")


def _is_matrix(name: str) -> bool:
    return name.startswith(("self_attn", "mlp", "block_sparse_moe")) and not name.endswith(_ROUTERS)
