"""Status documents, findings and events for the dashboard's tests: a Spark amid a switch.

The figures are made up; their form is what the daemon sends.
"""

import time
from typing import Any

from sparkwell.core.events import Event
from sparkwell.core.findings import Finding, Remedy, Severity
from sparkwell.core.units import GIB

Json = dict[str, Any]
NEMO, QWEN, GIANT = "mistral-nemo-12b-fp8", "qwen3-8b-fp8", "qwen3-32b-fp8"


def instance(model: str, state: str, **more: Any) -> Json:
    """An entry of the status, with every key that the daemon sends."""
    return {
        "id": f"{model}-3f9a1c",
        "model": model,
        "state": state,
        "driver": "compose",
        "engine": "vllm",
        "engine_version": "0.10.1.1",
        "endpoint": "127.0.0.1:41877",
        "container": None,
        "image": None,
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
        "priority": 0,
        "back_end": "cold",
        "phase": "ready",
        "phase_title": "ready",
        "fraction": None,
        "started_at": None,
        "start_s": 73.0,
        "phases": {},
        "percent": 100.0,
        "elapsed_s": 73.0,
        "left_s": 0.0,
        "expectation": None,
        "last_line": None,
        "figures": None,
        "figures_problem": None,
        **more,
    }


def starting(model: str, percent: float, **more: Any) -> Json:
    """An instance that reads its weights."""
    return instance(
        model,
        "starting",
        phase="weights",
        phase_title="loading weights",
        fraction=percent / 130,
        percent=percent,
        elapsed_s=31.4,
        left_s=41.0,
        **{
            "expectation": "the guide says 3.4 min, this machine took 2.9 last time",
            "last_line": "Loading safetensors checkpoint shards:  38% Completed | 3/8",
            **more,
        },
    )


def status(*instances: Json, **more: Any) -> Json:
    """A whole document."""
    return {
        "version": "0.1.0",
        "api": 2,
        "pid": 4711,
        "detached": False,
        "gateway": "http://127.0.0.1:8000",
        "uptime_s": 11_520.0,
        "requests_running": 3,
        "event": 0,
        "instances": list(instances),
        "queue": [],
        "switch": None,
        "memory": {
            "total_bytes": int(119.7 * GIB),
            "available_bytes": int(71.3 * GIB),
            "budget_bytes": int(108.0 * GIB),
            "promised_bytes": sum(each["held_bytes"] or 0 for each in instances),
            "floor_bytes": 8 * GIB,
        },
        "guard": {"running": True, "pid": 4712, "protected": True, "enabled": True},
        "restarts": {},
        "machine": {
            "gpu_used": 0.87,
            "power_w": 61.0,
            "temperature_c": 58.0,
            "cpu_used": 0.12,
            "swap_used_bytes": 0.0,
            "memory_stalled": 0.0,
        },
        "findings": [],
        "recovering": False,
        **more,
    }


def switch(gone: str, to: str, step: str, since_s: float) -> Json:
    """A switch under way."""
    return {"from": [gone], "to": to, "step": step, "since_s": since_s}


FINDINGS = (
    Finding(
        "serving.kv_high",
        Severity.WARNING,
        f"The KV cache of {NEMO} is 93 % full",
        ("kv_used 0.93 on average over 5 min", "2 requests wait in the engine"),
        "Requests will queue when it is full.",
        (
            Remedy("Give it more memory: the plan says 31 % more tokens with 0.45."),
            Remedy(
                "Or shorter contexts.",
                f"sparkwell restart {NEMO} --set max_model_len=16384",
            ),
        ),
    ),
    Finding(
        "serving.prefix",
        Severity.INFO,
        "Prompts repeat, and the prefix cache hits 4 %",
        ("prefix_hit 0.04",),
        "What changes stands before what is fixed.",
        (Remedy("Put the fixed part first."),),
    ),
)


def story(count: int, now: float | None = None) -> list[Event]:
    """Events, oldest first: the same few things again and again."""
    end = time.time() if now is None else now
    return [_event(seq, end - (count - seq) * 7.0) for seq in range(1, count + 1)]


def _event(seq: int, at: float) -> Event:
    kind, message, data = _STORY[seq % len(_STORY)]
    return Event(seq, at, kind, message, QWEN, f"{QWEN}-4f1c2a", data)


_STORY: tuple[tuple[str, str, Json], ...] = (
    ("switch.begin", f"Switching from {GIANT} to {QWEN}", {"from": [GIANT], "to": QWEN}),
    ("switch.drained", f"{GIANT} has served its requests", {}),
    ("instance.stopped", f"{GIANT} has stopped", {}),
    ("memory.verified", f"The memory of {GIANT} is back: 71.3 GiB", {}),
    ("instance.phase", f"{QWEN}: loading weights", {}),
    ("instance.ready", f"{QWEN} is ready after 73 s", {}),
    ("queue.refused", "A request was refused: 512 wait already", {"hint": "Ask again in 40 s."}),
    (
        "instance.failed",
        f"{GIANT} failed: the engine ended by itself while starting (exit code 1)",
        {"hint": f"`sparkwell plan {GIANT}` says what would fit."},
    ),
)
