"""The methods of quantization that vLLM knows where its argument parser takes any word.

From 0.13 on the flag takes whatever a plugin may have registered, and a word that nobody
registered ends the engine at its start ("Unknown quantization method"). Plugins are set up in
files, and so are their methods: here are those that vLLM brings.
"""

from sparkwell.engines.vllm.history import choices, parse_version

FLAG = "quantization"
_READ = "0.32.0"
_LAST_LISTED = "0.12.0"
_METHODS = (
    *("auto_awq", "auto_gptq", "awq", "awq_marlin", "compressed-tensors", "deepseek_v4_fp8"),
    *("experts_int8", "fbgemm_fp8", "fp8", "fp8_per_block", "fp8_per_channel", "fp8_per_tensor"),
    *("fp_quant", "gpt_oss_mxfp4", "gptq", "gptq_marlin", "humming", "inc"),
    *("int8_per_channel_weight_only", "modelopt", "modelopt_fp4", "modelopt_mixed"),
    *("modelopt_mxfp8", "moe_wna16", "mxfp4", "mxfp8", "nvfp4_per_token", "online", "quark"),
    "torchao",
)
"""Of 0.32.0: vllm/model_executor/layers/quantization/__init__.py, ``QuantizationMethods``."""


def methods(version: str) -> tuple[str, ...]:
    """The words that this version takes; where it was not read, those of the versions around it."""
    listed = choices(FLAG, version)
    if listed:
        return tuple(map(str, listed))
    before = parse_version(version) < parse_version(_READ)
    earlier = choices(FLAG, _LAST_LISTED) if before else ()
    return tuple(sorted({*_METHODS, *map(str, earlier)}))
