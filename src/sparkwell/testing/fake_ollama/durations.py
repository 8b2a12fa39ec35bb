"""keep_alive as Ollama takes it: a number of seconds, or a duration as Go writes them."""

import math
import re

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d+(?:\.\d*)?)(h|ms|m|s)")
FOREVER_S = 2**63 / 1e9
"""As far as a Go duration reaches: 292 years. What is negative means this."""


def keep_alive_s(value: object) -> float:
    """Seconds; raises ValueError for what Ollama would refuse."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"Unsupported type: '{type(value).__name__}'")
    seconds = _go_duration(value) if isinstance(value, str) else float(value)
    return FOREVER_S if seconds < 0 else seconds


def _go_duration(text: str) -> float:
    sign = -1.0 if text.startswith("-") else 1.0
    bare = text.lstrip("+-")
    if bare == "0":
        return 0.0
    parts = _PART.findall(bare)
    if not parts or "".join(number + unit for number, unit in parts) != bare:
        raise ValueError(f'time: invalid duration "{text}"')
    return sign * math.fsum(float(number) * _UNITS[unit] for number, unit in parts)
