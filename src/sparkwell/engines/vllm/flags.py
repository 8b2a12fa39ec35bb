"""vLLM's serving flags: which exist, what they take, and which of them are Sparkwell's own.

Two sources: the table below, written by hand, knows type and range of the flags that matter;
``known_flags.txt`` lists every other flag of the version in its first line, so that a typing
error is told apart from a rare flag. Flags are named as Python names them, with underscores.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import UsageError


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
    purpose: str = ""

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
    Flag(
        "max_model_len",
        int,
        1,
        10_000_000,
        words=("auto", -1),
        purpose="longest prompt plus answer, in tokens; auto: as long as fits",
    ),
    Flag(
        "gpu_memory_utilization",
        float,
        0.01,
        1.0,
        purpose="share of the memory that the engine may plan with",
    ),
    Flag("kv_cache_memory_bytes", int, 1, purpose="bytes for the KV cache, instead of a share"),
    Flag("kv_cache_dtype", str, purpose="how keys and values are stored"),
    Flag("max_num_batched_tokens", int, 1, 10_000_000, purpose="tokens in one step of the engine"),
    Flag("max_num_seqs", int, 1, 65_536, purpose="requests that run at the same time"),
    Flag("block_size", int, 1, 4096, purpose="tokens in one block of the KV cache"),
    Flag("tensor_parallel_size", int, 1, 1024, purpose="GPUs that share every layer"),
    Flag("pipeline_parallel_size", int, 1, 1024, purpose="GPUs that hold layers in turn"),
    Flag("enable_prefix_caching", bool, purpose="reuse the KV cache of equal beginnings"),
    Flag("enable_chunked_prefill", bool, purpose="mix pieces of long prompts with decoding"),
    Flag("enforce_eager", bool, purpose="no compilation and no CUDA graphs"),
    Flag("enable_sleep_mode", bool, purpose="allow the engine to give memory back"),
    Flag("trust_remote_code", bool, purpose="run Python code that comes with the model"),
    Flag(
        "dtype",
        str,
        choices=("auto", "bfloat16", "float", "float16", "float32", "half"),
        purpose="type of weights and activations that are not quantized",
    ),
    Flag("quantization", str, purpose="how the weights are quantized, when not by the checkpoint"),
    Flag("download_dir", str, purpose="where weights from the Hub are kept"),
    Flag("load_format", str, purpose="how the weights are read"),
    Flag("tool_call_parser", str, purpose="how tool calls are found in the text"),
    Flag("reasoning_parser", str, purpose="how thinking is told from the answer"),
    Flag("enable_auto_tool_choice", bool, purpose="let the model call tools"),
    Flag("cpu_offload_gb", float, 0, 4096, purpose="GiB of weights kept in CPU memory"),
    Flag("seed", int, 0, purpose="start of the random numbers"),
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


@cache
def known_names() -> frozenset[str]:
    """Every flag that the recorded version of vLLM takes, with underscores."""
    text = files(__package__).joinpath("known_flags.txt").read_text(encoding="ascii")
    return frozenset(line for line in text.splitlines() if not line.startswith("#")) | FLAGS.keys()


def parse_flag(text: str) -> tuple[str, FlagValue]:
    """Read ``NAME=VALUE`` (``NAME`` alone means true); dashes are as good as underscores.

    Raises UsageError for an unknown flag, one that is Sparkwell's own, or a value out of range.
    """
    name, given, value = text.partition("=")
    name = name.strip().lstrip("-").replace("-", "_").lower()
    if not given and name.removeprefix("no_") in FLAGS:
        return name.removeprefix("no_"), check_flag(name.removeprefix("no_"), name in FLAGS)
    return name, check_flag(name, _value(value.strip()) if given else True)


def check_flags(flags: Mapping[str, FlagValue], where: str = "") -> dict[str, FlagValue]:
    """All flags, checked; ``where`` ("recipe x") begins the message of a UsageError."""
    try:
        return {name: check_flag(name, value) for name, value in flags.items()}
    except UsageError as error:
        prefix = f"{where}: " if where else ""
        raise UsageError(f"{prefix}{error.message}", hint=error.hint) from None


def check_flag(name: str, value: FlagValue) -> FlagValue:
    """The value as vLLM takes it; raises UsageError when the flag or the value is wrong."""
    if name in OWNED:
        raise UsageError(f"The flag {name} cannot be set: {OWNED[name]}.")
    if name not in known_names():
        raise UsageError(f"vLLM has no flag {name!r}.", hint=_near(name))
    flag = FLAGS.get(name)
    return value if flag is None else _checked(flag, value)


def _checked(flag: Flag, value: FlagValue) -> FlagValue:
    right_type = isinstance(value, flag.type) or (flag.type is float and _is_int(value))
    if value in flag.words:
        return value
    if not right_type or (flag.type is int and isinstance(value, bool)):
        raise _refusal(flag, value)
    if flag.choices and value not in flag.choices:
        raise _refusal(flag, value)
    if isinstance(value, int | float) and not _in_range(flag, value):
        raise _refusal(flag, value)
    return value


def _is_int(value: FlagValue) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _in_range(flag: Flag, value: float) -> bool:
    return (flag.low is None or value >= flag.low) and (flag.high is None or value <= flag.high)


def _refusal(flag: Flag, value: FlagValue) -> UsageError:
    return UsageError(f"The flag {flag.name} takes {flag.expected}, not {value!r}.")


def _near(name: str) -> str:
    near = get_close_matches(name, known_names(), n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(near)}?" if near else "See `vllm serve --help=all`."


def _value(text: str) -> FlagValue:
    """A flag's value as JSON would read it (numbers, true, false), else the text itself."""
    try:
        value = json.loads(text.lower() if text.lower() in ("true", "false") else text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text
