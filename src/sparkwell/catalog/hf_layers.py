"""What differs between the layers of a config.json: windows of attention, and experts."""

from typing import Literal

from sparkwell.catalog.families import Family
from sparkwell.catalog.hf_keys import ConfigKeys
from sparkwell.catalog.json_document import validated
from sparkwell.catalog.shape import MixtureOfExperts
from sparkwell.core.errors import DocumentError


def windows(config: ConfigKeys, family: Family, where: str) -> tuple[int | None, int]:
    """The window in tokens and how many layers have it; (None, 0) where all see everything."""
    said = "sliding_window" in config.model_fields_set
    window = config.sliding_window if said else family.window
    layers = config.num_hidden_layers
    if not window or (family.switch and not config.use_sliding_window):
        return None, 0  # vLLM too takes a window of 0 as none
    count = layers
    if config.layer_types is not None:
        count = _listed(config.layer_types, layers, where)
    elif every := config.sliding_window_pattern or family.full_every:
        count = layers - layers // every
    elif family.upper_layers:  # 28 is what transformers assumes
        first = 28 if config.max_window_layers is None else config.max_window_layers
        count = max(0, layers - first)
    return (window, count) if count else (None, 0)


def _listed(
    kinds: list[Literal["full_attention", "sliding_attention"]], layers: int, where: str
) -> int:
    if len(kinds) != layers:
        raise DocumentError(
            f"{where}: layer_types has {len(kinds)} entries, num_hidden_layers is {layers}"
        )
    return kinds.count("sliding_attention")


def experts(config: ConfigKeys, family: Family, where: str) -> MixtureOfExperts | None:
    """The expert layers, None for a dense model; raises DocumentError where they cannot be."""
    count = config.num_experts or config.num_local_experts or config.n_routed_experts
    if family.experts == "none":
        if count and count > 1:
            raise DocumentError(
                f"{where}: {count} experts, but a {family.model_type} model has none"
            )
        return None
    if count is None:
        raise missing_key("num_experts", family, where)
    if config.num_experts_per_tok is None:
        raise missing_key("num_experts_per_tok", family, where)
    own = config.intermediate_size if family.experts in ("mixtral", "gpt-oss") else None
    width = own or config.moe_intermediate_size
    if width is None:
        raise missing_key("moe_intermediate_size", family, where)
    fields = {
        "num_experts": count,
        "num_experts_per_tok": config.num_experts_per_tok,
        "moe_intermediate_size": width,
        "dense_layers": _dense_layers(config, family),
        "shared_expert_intermediate_size": _shared(config, width),
    }
    return validated(fields, MixtureOfExperts, where)


def _dense_layers(config: ConfigKeys, family: Family) -> int:
    layers = config.num_hidden_layers
    if family.experts == "glm":
        return min(config.first_k_dense_replace or 0, layers)
    if family.experts != "qwen":
        return 0
    step, dense = config.decoder_sparse_step or 1, set(config.mlp_only_layers or [])
    return sum(layer in dense or (layer + 1) % step != 0 for layer in range(layers))


def _shared(config: ConfigKeys, width: int) -> int | None:
    """Width of all shared experts of a layer together."""
    return config.shared_expert_intermediate_size or (config.n_shared_experts or 0) * width or None


def missing_key(key: str, family: Family, where: str) -> DocumentError:
    """The error for a key that this family cannot do without."""
    return DocumentError(
        f"{where}: {key}: this key is required for a {family.model_type} model and missing"
    )
