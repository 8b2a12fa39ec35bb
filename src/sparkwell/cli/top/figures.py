"""Figures of models and of the machine in words: shared by `top` and `status`.

All take parts of the status document; what is null or absent there is unknown and left out.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sparkwell.cli.top.words import SERVING_STATES, gib
from sparkwell.core.units import GIB

Part = Mapping[str, Any]
Styled = tuple[str, str]


def rate(value: float | None) -> str:
    """A rate in three digits or more: ``"39.5"``, ``"1,204"``; empty if unknown."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value == 0 or value >= 99.95 else f"{value:.1f}"


def share(value: float | None) -> str:
    """A share, of which 1 is the whole: ``"67 %"``; empty if unknown."""
    return "" if value is None else f"{100 * value:.0f} %"


def short_time(seconds: float | None) -> str:
    """A time that may be short: ``"85 ms"``, ``"0.34 s"``, ``"12.4 s"``; empty if unknown."""
    if seconds is None:
        return ""
    if seconds < 0.0995:
        return f"{1000 * seconds:.0f} ms"
    digits = 2 if seconds < 9.995 else 1 if seconds < 99.95 else 0
    return f"{seconds:.{digits}f} s"


def figures_of(entry: Part) -> Part:
    """What was measured of an instance; nothing for one that cannot serve now."""
    return entry.get("figures") or {} if entry.get("state") in SERVING_STATES else {}


def figures_words(figures: Part) -> list[str]:
    """How a model is doing: output, first token, KV cache, requests, share of the plan."""
    known = (
        (rate(figures.get("output_tokens_per_s")), "{} tok/s out"),
        (short_time(figures.get("ttft_p95_s")), "first token {} (p95)"),
        (share(figures.get("kv_used")), "KV {}"),
        (_count(figures.get("running")), "{} running"),
        (_count(figures.get("waiting")), "{} waiting"),
        (share(figures.get("plan_share")), "{} of the plan"),
    )
    return [words.format(value) for value, words in known if value]


def machine_words(machine: Part | None) -> list[Styled]:
    """How busy the machine is, with a style for what is amiss: swap and stalls, if any."""
    told = machine or {}
    known = (
        (share(told.get("gpu_used")), "GPU {}", ""),
        (_whole(told.get("power_w"), "W"), "{}", ""),
        (_whole(told.get("temperature_c"), "°C"), "{}", ""),
        (_memory(told.get("gpu_used_bytes")), "GPU memory {}", ""),
        (share(told.get("cpu_used")), "CPU {}", ""),
        (_memory(told.get("swap_used_bytes")), "swap {}", ""),
        (_stalls(told.get("memory_stalled")), "{} stalled for memory", "yellow"),
    )
    return [(words.format(value), style) for value, words, style in known if value]


def asked(machine: Part | None) -> list[str]:
    """How many requests come; nothing when unknown."""
    per_s = (machine or {}).get("gateway_requests_per_s")
    return [] if per_s is None else [f"{rate(per_s)} requests/s"]


def plain_words(styled: Iterable[Styled]) -> list[str]:
    """The words without their styles."""
    return [words for words, _ in styled]


def _count(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


def _whole(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.0f} {unit}"


def _memory(count: float | None) -> str:
    """Empty also for less than a tenth: a little swap in use is usual."""
    return f"{gib(count)} GiB" if count is not None and count >= 0.05 * GIB else ""


def _stalls(value: float | None) -> str:
    """Empty for less than half a per cent of the time."""
    return share(value) if value is not None and value >= 0.005 else ""
