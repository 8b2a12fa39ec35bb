"""What vLLM's sleep mode makes an engine hold beside its share of the memory, while it is awake.

Measured on 2026-11-21 on an H100 with vLLM 0.25.0 and two models of 8B in FP8
(docs/switching-back-ends.md). Never on another version, another model or unified memory: every
figure is the most that was seen, for whatever version has the mode.
"""

from sparkwell.core.units import GIB
from sparkwell.hardware.machine import Machine
from sparkwell.planner import overhead
from sparkwell.planner.overhead import Trial

SOURCE = "the most seen on an H100"
"""In short, where the figures are shown."""

GAINED_BYTES = int(2.5 * GIB)
"""Held beyond the plan of the same flags without sleep mode, from the start on: Qwen3-8B-FP8 from
files held 2.4 GiB more than its plan at first, and 2.3 GiB more than without the mode at an equal
share (73.2 instead of 70.9 GiB). Its KV cache had grown by as much."""

RELOADED_BYTES = int(1.5 * GIB)
"""What an engine holds more, awake, once its weights were loaded again after level 2: there it was
1.4 to 1.5 GiB after the first time, and no more after the next ones."""

HOST_PER_WEIGHT = 1.5
"""Host memory that level 1 takes for each byte of weights, the most that was seen and a little.

There it was 12.5 and 12.8 GiB for the 8.8 GiB of Qwen3-8B-FP8, and 10.2 GiB for the 8.5 GiB of
Llama 3.1 8B. By PyTorch's source (ATen/core/CachingHostAllocator.h) pinned blocks are rounded up to
powers of two: it depends on the shapes, and may come to twice the weights. The engine keeps it
until it ends."""


def pinned_bytes(weights_bytes: int) -> int:
    """What level 1 pins of the host's memory for so many bytes of weights."""
    return int(HOST_PER_WEIGHT * weights_bytes)


def extra_bytes(trial: Trial, machine: Machine, weights_bytes: int, level: int | None) -> int:
    """What a start with sleep mode holds more than its budget says, in bytes on one device.

    ``level`` is the level that the engine will sleep at, None where nobody has said. At level 1
    the copy of the weights stays until the engine ends: on unified memory it is beside them.
    """
    if not trial.settings.sleep_mode or machine.device == "cpu":
        return 0
    # What dummy weights hide is counted by itself: overhead.dummy_scratch.
    gained = 0 if overhead.dummy_scratch(trial) else GAINED_BYTES
    copied = pinned_bytes(weights_bytes) if level == 1 and machine.unified else 0
    return gained + copied + (RELOADED_BYTES if level == 2 else 0)
