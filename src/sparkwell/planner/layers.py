"""Times that pass in each layer of a step, whatever it reads and computes."""

from sparkwell.catalog.described import Described
from sparkwell.planner.efficiency import Family, weights_kind

# llama.cpp starts fewer kernels for a layer than vLLM (the measurements of the GGUF shares).
_GGUF_LAYER_S = 25e-6


def layers_s(family: Family, described: Described) -> float:
    """Fixed seconds of all layers in one step that runs as a CUDA graph."""
    shape = described.shape
    own = shape.num_hidden_layers * family.layer_s
    if weights_kind(described) == "GGUF":
        return min(own, shape.num_hidden_layers * _GGUF_LAYER_S)
    return own + shape.expert_layers * family.experts.more_s


def launches_s(family: Family, described: Described) -> float:
    """Seconds in which the kernels of one step are started one by one, beside the GPU's work."""
    shape = described.shape
    if weights_kind(described) == "GGUF":
        return 0.0
    dense = shape.num_hidden_layers - shape.expert_layers
    return dense * family.launch_s + shape.expert_layers * family.experts.launch_s
