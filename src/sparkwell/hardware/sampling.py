"""The rim: looks at this machine again and again, as cheaply as that can be."""

import os
from collections.abc import Callable
from time import monotonic
from typing import Any

from sparkwell.hardware.detect import MEMINFO
from sparkwell.hardware.nvml import NvmlSession
from sparkwell.hardware.parse import parse_meminfo
from sparkwell.hardware.samples import GpuSample, MachineSample
from sparkwell.hardware.usage import cpu_share, cpu_times, stalled_share, swap_used_bytes

PRESSURE = "/proc/pressure/memory"
STAT = "/proc/stat"
RETRY_S = 60.0
"""How long after NVML did not answer it is asked again."""


class MachineSampler:
    """Samples of this machine. Never raises; used by one thread at a time.

    ``read`` gives the text of a file or None, ``load`` NVML's bindings (as in ``read_nvml``).
    NVML stays open between samples; where it goes away its figures are None until it is back.
    A driver that hangs blocks the caller: ask from a thread of its own.
    """

    def __init__(
        self,
        read: Callable[[str], str | None] | None = None,
        load: Callable[[], Any] | None = None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._read = read or read_text
        self._nvml = NvmlSession(load)
        self._now = now
        self._ask_again_at: float | None = None
        self._cpu = cpu_times(self._read(STAT))

    def sample(self) -> MachineSample:
        """The machine now; ``cpu_used`` is since the sample before, or since this was made."""
        memory = parse_meminfo(self._read(MEMINFO))
        before, self._cpu = self._cpu, cpu_times(self._read(STAT))
        return MachineSample(
            total_bytes=memory.total_bytes,
            available_bytes=memory.available_bytes,
            swap_used_bytes=swap_used_bytes(memory),
            memory_stalled=stalled_share(self._read(PRESSURE)),
            cpu_used=cpu_share(before, self._cpu),
            gpus=self._gpus(),
        )

    def close(self) -> None:
        """Let NVML go; a later sample opens it again."""
        self._nvml.close()

    def _gpus(self) -> tuple[GpuSample, ...]:
        if self._ask_again_at is not None and self._now() < self._ask_again_at:
            return ()
        gpus = self._nvml.sample()
        self._ask_again_at = None if gpus else self._now() + RETRY_S
        return gpus


def read_text(path: str) -> str | None:
    """The text of a small file of the kernel's, or None where it cannot be read.

    Half as dear as Path.read_text: there is nothing to buffer.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(file, _MOST).decode("utf-8", "replace")
    except OSError:  # the kernel was started without pressure counts
        return None
    finally:
        os.close(file)


_MOST = 64 * 1024
