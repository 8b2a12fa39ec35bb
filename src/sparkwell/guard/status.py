"""The guard's state for status JSON, from what it has written down about itself. Pure."""

from collections.abc import Mapping
from typing import Any


def status_of(guard: Mapping[str, Any] | None) -> dict[str, object]:
    """Tell whether it lives and how well it is protected; None means that none lives.

    ``why_not`` says what is not protected and which instances cannot be ended, with reasons.
    """
    if guard is None:
        return {
            "running": False,
            "pid": None,
            "protected": False,
            "memory_locked": None,
            "oom_protected": None,
            "why_not": ["no guard is running"],
            "rss_bytes": None,
            "cpu_s": None,
        }
    protected: Mapping[str, Any] = guard.get("protected") or {}
    return {
        "running": True,
        "pid": guard.get("pid"),
        "protected": bool(protected) and all(protected.values()),
        "memory_locked": protected.get("memory_locked"),
        "oom_protected": protected.get("oom_protected"),
        "why_not": [*(guard.get("why_not") or ()), *_unable(guard)],
        "rss_bytes": guard.get("rss_bytes"),
        "cpu_s": guard.get("cpu_s"),
    }


def _unable(guard: Mapping[str, Any]) -> list[str]:
    cannot: Mapping[str, str] = guard.get("cannot_end") or {}
    return [f"{instance} cannot be ended: {why}" for instance, why in cannot.items()]
