"""The names of the profiles, apart from what computes them: that takes long to import."""

from typing import Literal, get_args

Profile = Literal[
    "balanced",
    "throughput",
    "latency",
    "concurrency",
    "long-context",
    "quality",
    "guide",
    "tuned-throughput",
    "tuned-latency",
    "tuned-concurrency",
    "tuned-goodput",
]
PROFILES: tuple[Profile, ...] = get_args(Profile)
DEFAULT: Profile = "balanced"
