"""What the engine has done so far, for tests and as vLLM's metrics."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sparkwell.testing.fake_engine.arguments import EngineArguments
from sparkwell.testing.fake_engine.generation import Generation
from sparkwell.testing.fake_engine.script import Script

_TTFT_BUCKETS = (0.001, 0.01, 0.1, 1.0, 10.0)


@dataclass(slots=True)
class Counters:
    """Generations by what became of them, and the tokens that they took."""

    requests: int = 0
    waiting: int = 0
    running: int = 0
    cancelled: int = 0
    prompt_tokens: int = 0
    generation_tokens: int = 0
    sleep_level: int = 0  # 0: awake
    finished: Counter[str] = field(default_factory=Counter)  # by finish reason
    ttfts: list[float] = field(default_factory=list)

    @contextmanager
    def count(self, generation: Generation) -> Iterator[None]:
        """Count one generation: finished when the block ends, cancelled when the client left."""
        self.requests += 1
        try:
            yield
        except (asyncio.CancelledError, ConnectionError):
            self.cancelled += 1
            raise
        self.finished[generation.finish_reason] += 1

    def first_token(self, generation: Generation, seconds: float) -> None:
        """Note that the prompt was read and the first token came after so many seconds."""
        self.prompt_tokens += generation.prompt_tokens
        self.ttfts.append(seconds)

    def state(self) -> dict[str, int]:
        """Say it as /fake/state does."""
        return {
            "requests": self.requests,
            "waiting": self.waiting,
            "running": self.running,
            "finished": self.finished.total(),
            "cancelled": self.cancelled,
        }


def prometheus(counters: Counters, arguments: EngineArguments, script: Script) -> str:
    """Say it as /metrics does: the series that a monitor reads, in Prometheus' format."""
    labels = f'engine="0",model_name="{arguments.served_names[0]}"'
    usage = counters.running / 100
    lines = [
        *_series("gauge", "num_requests_running", labels, counters.running),
        *_series("gauge", "num_requests_waiting", labels, counters.waiting),
        *_series("gauge", "kv_cache_usage_perc", labels, usage),
        *_series("counter", "prompt_tokens_total", labels, counters.prompt_tokens),
        *_series("counter", "generation_tokens_total", labels, counters.generation_tokens),
        *_finished(counters, labels),
        *_ttft(counters, labels),
        *_series("gauge", "cache_config_info", _cache_config(arguments, script), 1),
    ]
    if script.style == "0.10":  # renamed to kv_cache_usage_perc, and gone since 0.12
        lines += _series("gauge", "gpu_cache_usage_perc", labels, usage)
    else:  # since 0.11.1
        lines += _sleep_state(labels, counters.sleep_level)
    return "\n".join(lines) + "\n"


def _series(kind: str, name: str, labels: str, value: float) -> list[str]:
    return [f"# TYPE vllm:{name} {kind}", f"vllm:{name}{{{labels}}} {float(value)}"]


def _sleep_state(labels: str, level: int) -> list[str]:
    states = ("awake", "weights_offloaded", "discard_all")  # by level
    return ["# TYPE vllm:engine_sleep_state gauge"] + [
        f'vllm:engine_sleep_state{{{labels},sleep_state="{state}"}} {float(level == at)}'
        for at, state in enumerate(states)
    ]


def _finished(counters: Counters, labels: str) -> list[str]:
    name = "vllm:request_success_total"
    return [f"# TYPE {name} counter"] + [
        f'{name}{{{labels},finished_reason="{reason}"}} {float(counters.finished[reason])}'
        for reason in ("stop", "length", "abort")
    ]


def _ttft(counters: Counters, labels: str) -> list[str]:
    name, ttfts = "vllm:time_to_first_token_seconds", counters.ttfts
    bounds = [(str(bound), sum(ttft <= bound for ttft in ttfts)) for bound in _TTFT_BUCKETS]
    return [
        f"# TYPE {name} histogram",
        *(f'{name}_bucket{{{labels},le="{le}"}} {float(count)}' for le, count in bounds),
        f'{name}_bucket{{{labels},le="+Inf"}} {float(len(ttfts))}',
        f"{name}_count{{{labels}}} {float(len(ttfts))}",
        f"{name}_sum{{{labels}}} {sum(ttfts)}",
    ]


def _cache_config(arguments: EngineArguments, script: Script) -> str:
    """The labels that somebody reads, sorted as there; what was not set says None."""
    given, tokens = arguments.given, script.kv_cache_tokens
    block = int(given.get("block_size", 16))
    labels = {
        "block_size": block,
        "cache_dtype": given.get("kv_cache_dtype", "auto"),
        "engine": 0,
        "gpu_memory_utilization": given.get("gpu_memory_utilization", "0.92"),
        "num_gpu_blocks": tokens // block,
        "num_gpu_blocks_override": None,
        "sliding_window": None,
    }
    if script.style != "0.10":  # since 0.24
        labels["kv_cache_max_concurrency"] = tokens / arguments.max_model_len
        labels["kv_cache_size_tokens"] = tokens
    return ",".join(f'{name}="{labels[name]}"' for name in sorted(labels))
