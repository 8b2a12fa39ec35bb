"""The names of what is sampled again and again, the same for every engine and version.

The place of a name is its place in the rows on disk: names are added at an end, never moved.
"""

from collections.abc import Mapping
from dataclasses import dataclass

ENGINE_SERIES = (
    "output_tokens_per_s",
    "prompt_tokens_per_s",
    "running",
    "waiting",
    "kv_used",
    "prefix_hit",
    "preemptions_per_s",
    "ttft_p50_s",
    "ttft_p95_s",
    "itl_p50_s",
    "itl_p95_s",
    "tpot_p50_s",
    "requests_per_s",
    "tokens_per_joule",
    "plan_share",
    "roofline_share",
)
"""Of one instance. Shares are 0 to 1 (those of plan and roofline may be more)."""

MACHINE_SERIES = (
    "available_bytes",
    "swap_used_bytes",
    "memory_stalled",
    "cpu_used",
    "gpu_used",
    "power_w",
    "temperature_c",
    "gpu_used_bytes",
    "gateway_requests_per_s",
    "gateway_waiting",
)
"""Of the machine, and of the gateway that it has."""

LOW_IS_BAD = frozenset({"available_bytes"})
"""Series whose peak is their lowest value; of all others it is the highest."""


@dataclass(frozen=True, slots=True)
class Source:
    """Whom values are of: an instance of a model, or the machine, for which both are empty."""

    instance: str = ""
    model: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The series that it has."""
        return ENGINE_SERIES if self.instance else MACHINE_SERIES


MACHINE = Source()


@dataclass(frozen=True, slots=True)
class Point:
    """The values of one source at one moment, by series; absent and None are unknown."""

    source: Source
    values: Mapping[str, float | None]
