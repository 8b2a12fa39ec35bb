"""The failures that provoke makes: for each which model, which flags, and what is done to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

LOADING = "Starting to load model"
READY = "Application startup complete"
_SHELL = ("unshare", "--mount", "sh", "-c")


@dataclass(frozen=True, slots=True)
class Case:
    """One start. ``wrap`` stands before the engine's command and runs it in its last words.

    When the log says ``when``, ``then`` is done (a name in provoke_acts.ACTS). ``eager`` leaves
    compiling out, which changes nothing else and saves a minute. ``hub`` is how the Hub treats
    the repository "me/Tiny" where the model is that; HF_HOME is then an empty folder.
    """

    name: str
    model: str = "whole"
    flags: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    wrap: tuple[str, ...] = ()
    when: str = READY
    then: str = "stop"
    eager: bool = True
    hub: str | None = None
    limit_s: float = 420


def _mounted(what: str) -> tuple[str, ...]:
    """A mount that only this start sees."""
    return (*_SHELL, f'{what} && exec "$@"', "sh")


def _hub(name: str, how: str, **more: object) -> Case:
    return Case(name, "me/Tiny", hub=how, **more)  # type: ignore[arg-type]


_NO_SPACE = {"VLLM_CPU_KVCACHE_SPACE": ""}
_CAPLESS = ("setpriv", "--inh-caps=-all", "--bounding-set=-all")
_GROUP = "/sys/fs/cgroup/memory/provoke"
_LIMIT = f"mkdir -p {_GROUP} && echo 900M > {_GROUP}/memory.limit_in_bytes"
_LIMITED = ("sh", "-c", f'{_LIMIT} && echo $$ > {_GROUP}/cgroup.procs && exec "$@"', "sh")

CASES: tuple[Case, ...] = (
    Case("flag-unknown", flags=("--gpu-memory-utilisation", "0.8")),
    Case("flag-swap-space", flags=("--swap-space", "16")),
    Case("flag-disable-log-requests", flags=("--disable-log-requests",)),
    Case("value-not-a-number", flags=("--max-model-len", "32kk")),
    Case("value-not-a-choice", flags=("--dtype", "float17")),
    Case("value-out-of-range", flags=("--gpu-memory-utilization", "1.5")),
    Case("value-broken-json", flags=("--compilation-config", "{mode: 0")),
    Case("value-no-parser", flags=("--enable-auto-tool-choice", "--tool-call-parser", "nosuch")),
    Case("max-model-len", flags=("--max-model-len", "131072")),
    Case("model-no-folder", model="/models/nowhere"),
    Case("model-no-config", model="no-config"),
    Case("model-broken-config", model="broken-config"),
    Case("model-no-weights", model="no-weights"),
    Case("model-no-tokenizer", model="no-tokenizer"),
    Case("model-own-code", model="own-code"),
    Case("model-other-architecture", model="other-architecture"),
    Case("model-other-type", model="other-type"),
    Case("weights-cut", model="cut-weights"),
    Case("weights-begun", model="begun-weights"),
    Case("weights-lfs-pointer", model="lfs-pointer"),
    Case("weights-one-shard-of-two", model="one-shard-of-two"),
    Case("weights-other-size", model="wider"),
    Case("quantization-other", model="says-fp8", flags=("--quantization", "awq")),
    Case("quantization-none-there", flags=("--quantization", "awq")),
    Case("quantization-fp8-on-cpu", flags=("--quantization", "fp8")),
    Case("kv-cache-too-small", model="long-context"),
    Case("kv-cache-bytes-small", flags=("--kv-cache-memory-bytes", "1M"), env=_NO_SPACE),
    Case("kv-cache-bytes-zero", flags=("--kv-cache-memory-bytes", "1"), env=_NO_SPACE),
    Case("kv-cache-bytes-large", flags=("--kv-cache-memory-bytes", "400G"), env=_NO_SPACE),
    Case("memory-share-large", flags=("--gpu-memory-utilization", "0.99"), env=_NO_SPACE),
    Case("memory-share-small", flags=("--gpu-memory-utilization", "0.01"), env=_NO_SPACE),
    Case("port-in-use", wrap=("python3", "-c", "LISTENER")),
    Case("shm-small", wrap=_mounted("mount -t tmpfs -o size=64k tmpfs /dev/shm")),
    Case("memory-limit-of-cgroup", wrap=_LIMITED),
    Case("address-space-limit", wrap=("prlimit", "--as=3000000000")),
    Case("core-killed-loading", when="Initializing a V1 LLM engine", then="kill-core"),
    Case("core-killed-serving", then="kill-core-serving"),
    Case("worker-killed-serving", then="kill-worker-serving"),
    Case("interrupt-while-starting", when=LOADING, then="interrupt"),
    Case("term-while-starting", when="Initializing a V1 LLM engine", then="stop"),
    _hub("hub-gated-no-token", "gated"),
    _hub("hub-gated-not-let-in", "gated", env={"HF_TOKEN": "hf_known"}),
    _hub("hub-wrong-token", "open", env={"HF_TOKEN": "hf_wrong"}),
    _hub("hub-no-such-repo", "absent"),
    _hub("hub-unreachable", "off"),
    _hub("hub-offline-not-there", "open", env={"HF_HUB_OFFLINE": "1"}),
    _hub("hub-disk-full", "open", wrap=_mounted('mount -t tmpfs -o size=2m tmpfs "$HF_HOME"')),
    _hub("hub-cache-read-only", "open", wrap=_mounted('mount -t tmpfs -o ro tmpfs "$HF_HOME"')),
    _hub(
        "hub-cache-of-another",
        "open",
        wrap=("sh", "-c", f'chown 1000 "$HF_HOME" && exec {" ".join(_CAPLESS)} "$@"', "sh"),
    ),
    _hub("healthy-download", "open"),
    Case("healthy-traffic", then="traffic"),
    Case(
        "healthy-quoted-errors",
        flags=("--enable-log-requests", "--enable-log-outputs"),
        env={"VLLM_LOGGING_LEVEL": "DEBUG"},
        then="quote",
    ),
    Case(
        "healthy-quoted-info", flags=("--enable-log-requests", "--enable-log-outputs"), then="quote"
    ),
    Case("healthy-clients-leave", then="leave"),
    Case("healthy-bad-requests", then="bad-requests"),
    Case("healthy-compile-cold", eager=False),
    Case("healthy-compile-cached", eager=False),
    Case("healthy-api-key", flags=("--api-key", "secret-of-a-test"), then="bad-requests"),
)
