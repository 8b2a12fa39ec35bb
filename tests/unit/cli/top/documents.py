"""Status documents and events for `sparkwell top`, written by hand: a Spark amid a switch.

The figures are made up; their form is what the daemon sends.
"""

from typing import Any

from sparkwell.core.units import GIB

Json = dict[str, Any]
NOW = 1_790_000_000.0
"""The moment of the documents, in Unix seconds."""


def instance(model: str, state: str, **more: Any) -> Json:
    """An entry of the status, with every key that there is."""
    return {
        "id": f"{model}-3f9a1c",
        "model": model,
        "state": state,
        "driver": "compose",
        "engine": "vllm",
        "engine_version": "0.10.1.1",
        "endpoint": "http://127.0.0.1:41877",
        "container": f"sparkwell-{model}",
        "image": "nvcr.io/nvidia/vllm:25.09-py3",
        "held_bytes": 40 * GIB,
        "log": None,
        "error": None,
        "hint": None,
        "last_lines": [],
        "requests_running": 0,
        "serving": 0,
        "resident_s": None,
        "idle_s": None,
        "pinned": False,
        "phase": "ready",
        "phase_title": "ready",
        "fraction": None,
        "started_at": NOW - 900,
        "start_s": 73.0,
        "phases": {},
        "percent": 100.0,
        "elapsed_s": 73.0,
        "left_s": 0.0,
        "expectation": None,
        "figures": None,
        "figures_problem": None,
        **more,
    }


FIGURES: Json = {
    "output_tokens_per_s": 84.2,
    "prompt_tokens_per_s": 1312.0,
    "running": 2.0,
    "waiting": 1.0,
    "kv_used": 0.97,
    "prefix_hit": 0.12,
    "preemptions_per_s": 0.2,
    "ttft_p50_s": 0.61,
    "ttft_p95_s": 1.84,
    "itl_p50_s": 0.021,
    "itl_p95_s": 0.034,
    "tpot_p50_s": 0.023,
    "requests_per_s": 0.8,
    "tokens_per_joule": 2.2,
    "plan_share": 0.82,
    "roofline_share": 0.61,
}
UNKNOWN: Json = dict.fromkeys(FIGURES)
"""Of a model that was asked, and told nothing."""
NEMO = instance(
    "mistral-nemo-12b-fp8",
    "ready",
    held_bytes=int(22.6 * GIB),
    requests_running=3,
    serving=3,
    resident_s=4120.0,
    idle_s=0.0,
    pinned=True,
    figures=FIGURES,
)
STARTING: Json = {
    "phase": "weights",
    "phase_title": "loading weights",
    "fraction": 0.57,
    "percent": 43.0,
    "elapsed_s": 31.4,
    "left_s": 41.0,
    "expectation": "the guide says 2.0 min, this machine took 73 s last time",
}
QWEN = instance("qwen3-8b-fp8", "starting", held_bytes=int(31.5 * GIB), **STARTING)
GIANT = instance(
    "qwen3-32b-fp8",
    "draining",
    held_bytes=int(61.2 * GIB),
    requests_running=2,
    serving=2,
    resident_s=1835.0,
    idle_s=0.0,
)
ASLEEP = instance("llama31-8b-fp8", "asleep", held_bytes=GIB, resident_s=15_000.0, idle_s=2000.0)
FAILED = instance(
    "qwen3-32b",
    "failed",
    held_bytes=None,
    error="the engine ended by itself while starting (exit code 1): CUDA out of memory",
    hint="`sparkwell plan qwen3-32b` says what would fit.",
)

MEMORY = {
    "total_bytes": int(119.7 * GIB),
    "available_bytes": int(71.3 * GIB),
    "budget_bytes": int(108.0 * GIB),
    "promised_bytes": int(54.1 * GIB),
    "floor_bytes": 8 * GIB,
}
GUARD = {"running": True, "pid": 4712, "protected": True, "enabled": True}
MACHINE: Json = {
    "available_bytes": float(MEMORY["available_bytes"]),
    "swap_used_bytes": 0.0,
    "memory_stalled": 0.0,
    "cpu_used": 0.14,
    "gpu_used": 0.88,
    "power_w": 38.4,
    "temperature_c": 61.0,
    "gpu_used_bytes": None,
    "gateway_requests_per_s": 0.8,
    "gateway_waiting": 5.0,
}
FULL: Json = {
    "id": "kv-cache-full",
    "severity": "warning",
    "model": "mistral-nemo-12b-fp8",
    "title": "The KV cache is full: requests queue, or are set back",
    "evidence": ["KV cache in use: 97 %; 95 % at most", "3 requests set back (preempted)"],
    "cause": "Each token of a running request keeps its place in the cache. When none is left the "
    "engine sets a request back and computes it again later; memory does not run out.",
    "remedies": [
        {"text": "Send fewer at once.", "command": None, "fix": None},
        {
            "text": "Keep the cache in FP8, half the bytes for each token:",
            "command": "sparkwell down mistral-nemo-12b-fp8 && "
            "sparkwell up mistral-nemo-12b-fp8 --set kv_cache_dtype=fp8",
            "fix": None,
        },
    ],
}
SLOW: Json = {
    "id": "slow-single-stream",
    "severity": "error",
    "title": "One request alone is slower than it should be",
    "evidence": ["one request alone: 2.1 tok/s"],
    "cause": "Something else uses the machine.",
    "remedies": [{"text": "See what the engine chose.", "command": None, "fix": None}],
}
ROOMY: Json = {
    "id": "kv-cache-underused",
    "severity": "info",
    "title": "The KV cache has room for more requests at once",
    "evidence": [],
    "cause": "Fewer or shorter requests come than it was made for; that harms nothing.",
    "remedies": [{"text": "Send more requests at once.", "command": None, "fix": None}],
}
WELL: Json = {
    **ROOMY,
    "id": "ttft-high",
    "severity": "ok",
    "title": "The first token comes in time",
}
QUEUE = [
    {
        "model": "qwen3-8b-fp8",
        "waiting": 4,
        "oldest_s": 47.3,
        "priority": 0,
        "estimated_s": 41.0,
    },
    {
        "model": "qwen3-30b-a3b-fp8",
        "waiting": 1,
        "oldest_s": 12.0,
        "priority": 5,
        "estimated_s": 130.0,
    },
]
SWITCH = {
    "from": ["qwen3-32b-fp8"],
    "to": "qwen3-8b-fp8",
    "step": "starting",
    "since_s": 47.3,
}


def status(**more: Any) -> Json:
    """A status in the middle of a switch; ``more`` replaces parts of it."""
    return {
        "version": "0.1.0",
        "api": 1,
        "pid": 4711,
        "detached": False,
        "gateway": "http://127.0.0.1:8000",
        "uptime_s": 11_520.0,
        "requests_running": 3,
        "event": 6,
        "instances": [NEMO, QWEN],
        "memory": MEMORY,
        "machine": MACHINE,
        "findings": [WELL, FULL],
        "guard": GUARD,
        "queue": QUEUE,
        "switch": SWITCH,
        **more,
    }


_NEW = (
    *("serving", "resident_s", "idle_s", "pinned"),
    *("figures", "figures_problem", "expectation"),
)


def old() -> Json:
    """What a daemon without monitor, switching, guard and queue sends."""
    known = status(instances=[QWEN, NEMO])
    for name in ("memory", "machine", "findings", "guard", "queue", "switch"):
        del known[name]
    known["instances"] = [
        {name: value for name, value in each.items() if name not in _NEW}
        for each in known["instances"]
    ]
    return known


def event(seq: int, ago_s: float, kind: str, message: str, model: str | None = None) -> Json:
    """One event, ``ago_s`` seconds before ``NOW``."""
    return {
        "seq": seq,
        "at": NOW - ago_s,
        "kind": kind,
        "message": message,
        "model": model,
        "instance": None,
        "data": {},
    }


def begun(seq: int, ago_s: float) -> Json:
    """The event with which the switch begins."""
    made = event(
        seq,
        ago_s,
        "switch.begin",
        "Switching from qwen3-32b-fp8 to qwen3-8b-fp8",
        "qwen3-8b-fp8",
    )
    return {**made, "data": {"from": ["qwen3-32b-fp8"], "to": "qwen3-8b-fp8"}}


EVENTS = [
    event(1, 4120, "instance.ready", "mistral-nemo-12b-fp8 is ready", "mistral-nemo-12b-fp8"),
    event(2, 1835, "instance.ready", "qwen3-32b-fp8 is ready", "qwen3-32b-fp8"),
    begun(3, 47.3),
    event(4, 38.2, "switch.drained", "qwen3-32b-fp8 has answered its last request", None),
    event(5, 38.2, "instance.stopping", "Stopping qwen3-32b-fp8", "qwen3-32b-fp8"),
    event(6, 34.1, "instance.stopped", "qwen3-32b-fp8 has stopped", "qwen3-32b-fp8"),
    event(7, 31.9, "memory.waiting", "58.2 GiB are back, 61.2 are awaited", None),
    event(8, 31.4, "memory.verified", "The memory of qwen3-32b-fp8 is back: 71.3 GiB", None),
    event(9, 31.4, "instance.starting", "Starting qwen3-8b-fp8", "qwen3-8b-fp8"),
    event(10, 22.6, "instance.phase", "qwen3-8b-fp8: setting up workers", "qwen3-8b-fp8"),
    event(11, 12.0, "instance.phase", "qwen3-8b-fp8: loading weights", "qwen3-8b-fp8"),
]
DONE = event(12, -42.0, "switch.done", "qwen3-8b-fp8 is ready", "qwen3-8b-fp8")
CALM = [
    event(0, 11_519, "guard.started", "The memory guard watches this machine."),
    *EVENTS[:2],
]


def two_that_serve() -> Json:
    """Two models at work, one of them with a full KV cache; nothing is switched."""
    busy = {**FIGURES, "output_tokens_per_s": 41.7, "kv_used": 0.58, "ttft_p95_s": 0.42}
    giant = {
        **GIANT,
        "state": "ready",
        "held_bytes": int(44.0 * GIB),
        "figures": {**busy, "waiting": 0.0, "plan_share": 0.94, "prompt_tokens_per_s": 655.0},
    }
    memory = {**MEMORY, "available_bytes": int(46.2 * GIB), "promised_bytes": int(66.6 * GIB)}
    told = status(instances=[NEMO, giant], memory=memory, queue=[], switch=None)
    return {**told, "requests_running": 5, "machine": {**MACHINE, "gateway_waiting": 0.0}}
