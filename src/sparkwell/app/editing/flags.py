"""Which of vLLM's flags may be changed from the dashboard: an allow-list, with the reasons.

A flag that may be changed has a type and a range in the engine's flag table and names neither
code nor files nor a place in the network: whoever has the admin key may make an engine slower or
too large with it, but cannot make it run or read something else. All other flags stay in files.
"""

from collections.abc import Mapping

from sparkwell.core.errors import UsageError
from sparkwell.engines.vllm.flag_table import FLAGS, OWNED, Flag
from sparkwell.engines.vllm.flags import check_flag
from sparkwell.engines.vllm.history import exists

EDITABLE: Mapping[str, tuple[str, ...]] = {
    "they divide the memory": (
        "max_model_len",
        "gpu_memory_utilization",
        "kv_cache_memory_bytes",
        "kv_cache_dtype",
        "cpu_offload_gb",
    ),
    "they say how many requests run together": (
        "max_num_seqs",
        "max_num_batched_tokens",
        "enable_prefix_caching",
        "enable_chunked_prefill",
        "enforce_eager",
    ),
    "they say how the model computes": (
        "quantization",
        "dtype",
        "block_size",
        "tensor_parallel_size",
        "pipeline_parallel_size",
        "seed",
    ),
    "they name a parser that vLLM has already": (
        "enable_auto_tool_choice",
        "tool_call_parser",
        "reasoning_parser",
    ),
}
"""Flags by the reason why they may be changed, those that are worth it most first."""

_CODE = "it decides which code the engine runs"
_FILES = "it names files, or where things are loaded from"
_NETWORK = "it decides who reaches the engine, or whom the engine reaches"
_REQUESTS = "it decides what of people's requests is written down, or what requests may bring along"
REFUSED: Mapping[str, tuple[str, ...]] = {
    _CODE: (
        "code_revision",
        "distributed_executor_backend",
        "io_processor_plugin",
        "load_format",
        "logits_processor_pattern",
        "logits_processors",
        "model_class_overrides",
        "model_impl",
        "model_loader_extra_config",
        "reasoning_parser_plugin",
        "scheduler_cls",
        "tool_parser_plugin",
        "trust_remote_code",
        "worker_cls",
        "worker_extension_cls",
    ),
    _FILES: (
        "allowed_local_media_path",
        "chat_template",
        "config_format",
        "default_mm_loras",
        "download_dir",
        "generation_config",
        "hf_config_path",
        "hf_overrides",
        "log_config_file",
        "logging_config",
        "lora_modules",
        "mm_encoder_fp8_scale_path",
        "mm_encoder_fp8_scale_save_path",
        "override_generation_config",
        "profiler_config",
        "pt_load_map_location",
        "revision",
        "spec_model",
        "speculative_config",
        "tokenizer",
        "tokenizer_mode",
        "tokenizer_revision",
    ),
    _NETWORK: (
        "allow_credentials",
        "allowed_headers",
        "allowed_media_domains",
        "allowed_methods",
        "allowed_origins",
        "data_parallel_address",
        "data_parallel_rpc_port",
        "ec_transfer_config",
        "enable_ssl_refresh",
        "grpc_port",
        "kv_events_config",
        "kv_transfer_config",
        "master_addr",
        "master_port",
        "otlp_traces_endpoint",
        "ssl_ciphers",
        "tool_server",
        "weight_transfer_config",
    ),
    _REQUESTS: (
        "enable_log_deltas",
        "enable_log_outputs",
        "enable_log_requests",
        "enable_mm_embeds",
        "enable_prompt_embeds",
        "trust_request_chat_template",
        "trust_request_mm_kwargs",
    ),
    "back_end says how the model makes room, and sets what that needs": ("enable_sleep_mode",),
}
"""Flags that somebody might look for, by the reason why they stay in files."""
_OTHERS = "it is not among the flags that are known to be safe there"
_LONGEST_NAME = 60


def editable_flags(version: str) -> list[Flag]:
    """The flags that may be changed and that this version of vLLM takes, or may take."""
    names = [name for group in EDITABLE.values() for name in group]
    return [FLAGS[name] for name in names if exists(name, version) is not False]


def why_not(name: str, version: str) -> str:
    """A sentence on a flag that may not be changed from the dashboard, and what to do instead."""
    shown = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
    if name in OWNED:
        return f"The flag {shown} cannot be set: {OWNED[name]}."
    listed = next((reason for reason, names in REFUSED.items() if name in names), None)
    if listed is None and (unknown := _unknown(name, version)):
        return unknown if len(name) <= _LONGEST_NAME else f"vLLM has no flag {shown!r}."
    return (
        f"The flag {shown} cannot be changed from the dashboard: {listed or _OTHERS}. "
        "Set it in sparkwell.yaml."
    )


def _unknown(name: str, version: str) -> str | None:
    """What is said of a flag that this version does not have; None for one that it has."""
    try:
        check_flag(name, True, version)
    except UsageError as error:
        known = name in FLAGS and exists(name, version) is not False
        return None if known else str(error)
    return None
