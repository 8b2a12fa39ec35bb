"""Type and range of the flags that matter, and the flags that are Sparkwell's own.

Written by hand. What the flags are for stands in ``flag_texts.yaml``, which versions have them and
with which default in ``flag_history.json``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sparkwell.engines.vllm import texts


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag: the type of its value and the range that makes sense, ends included.

    ``words`` are values outside of the range that mean something, such as "auto".
    """

    name: str
    type: type[bool] | type[int] | type[float] | type[str]
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    words: tuple[str | int, ...] = ()

    @property
    def purpose(self) -> str:
        """What the flag is for, in one line."""
        return texts.purpose(self.name)

    @property
    def expected(self) -> str:
        """The values that are taken, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        kind = _KINDS[self.type]
        if self.low is not None and self.high is not None:
            return f"{kind} from {self.low:,} to {self.high:,}"
        return f"{kind} of at least {self.low:,}" if self.low is not None else kind


_KINDS: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
}

_TABLE = (
    Flag("max_model_len", int, 1, 10_000_000, words=("auto", -1)),
    Flag("gpu_memory_utilization", float, 0.01, 1.0),
    Flag("kv_cache_memory_bytes", int, 1),
    Flag("kv_cache_dtype", str),
    Flag("max_num_batched_tokens", int, 1, 10_000_000),
    Flag("max_num_seqs", int, 1, 65_536),
    Flag("block_size", int, 1, 4096),
    Flag("tensor_parallel_size", int, 1, 1024),
    Flag("pipeline_parallel_size", int, 1, 1024),
    Flag("enable_prefix_caching", bool),
    Flag("enable_chunked_prefill", bool),
    Flag("enforce_eager", bool),
    Flag("enable_sleep_mode", bool),
    Flag("trust_remote_code", bool),
    Flag("dtype", str, choices=("auto", "bfloat16", "float", "float16", "float32", "half")),
    Flag("quantization", str),
    Flag("download_dir", str),
    Flag("load_format", str),
    Flag("tool_call_parser", str),
    Flag("reasoning_parser", str),
    Flag("enable_auto_tool_choice", bool),
    Flag("cpu_offload_gb", float, 0, 4096),
    Flag("seed", int, 0),
)
FLAGS: Mapping[str, Flag] = {flag.name: flag for flag in _TABLE}

_NO_TLS = "the gateway speaks plain HTTP to the engine, over a socket of this machine"
OWNED: Mapping[str, str] = {
    "model": "the recipe says which model is served",
    "served_model_name": "the recipe's name and repository id are the served names",
    "host": "the engine listens where only the gateway reaches it",
    "port": "the engine listens where only the gateway reaches it; the gateway's port is --port",
    "uds": "the driver chooses the engine's socket",
    "api_key": "only the gateway talks to the engine",
    "hf_token": "the token is read from HF_TOKEN, .env or `hf auth login`",
    "root_path": "paths are the gateway's",
    "config": "a file of flags would go past these checks; sparkwell.yaml takes flags one by one",
    "headless": "an engine without an HTTP server cannot be asked by the gateway",
    "grpc": "the gateway speaks HTTP to the engine",
    "tokens_only": "the gateway needs the engine's endpoints for text",
    "middleware": "the engine has to answer the gateway's requests as they are",
    "ssl_keyfile": _NO_TLS,
    "ssl_certfile": _NO_TLS,
    "ssl_ca_certs": _NO_TLS,
    "ssl_cert_reqs": _NO_TLS,
    "data_parallel_multi_port_external_lb": "the gateway knows one address of the engine",
    "data_parallel_supervisor_port": "the gateway knows one address of the engine",
}
