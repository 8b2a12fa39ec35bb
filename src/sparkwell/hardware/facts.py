"""What could be found out about this machine, as it was found; None is "not reported"."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MemoryFacts:
    """The system's memory now, in bytes, from /proc/meminfo."""

    total_bytes: int | None = None
    available_bytes: int | None = None
    free_bytes: int | None = None
    cached_bytes: int | None = None
    swap_total_bytes: int | None = None
    swap_free_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class CpuFacts:
    """Processors that the kernel runs on, and what they are called."""

    count: int | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class GpuFacts:
    """What NVML says of one GPU, sizes in bytes.

    ``total_bytes`` is all of its memory. The driver keeps ``reserved_bytes`` of it, which an
    engine never sees. A GB10 answers "not supported" to all questions about memory.
    """

    name: str | None = None
    compute_capability: tuple[int, int] | None = None
    total_bytes: int | None = None
    reserved_bytes: int | None = None
    free_bytes: int | None = None

    @property
    def usable_bytes(self) -> int | None:
        """What is left for engines, or None where the driver does not say what it keeps."""
        if self.total_bytes is None or self.reserved_bytes is None:
            return None
        return max(0, self.total_bytes - self.reserved_bytes) or None


@dataclass(frozen=True, slots=True)
class NvmlFacts:
    """What NVML says; ``problem`` is why it says nothing, or not all (no driver, a lost GPU).

    ``cuda_version`` is the newest CUDA that the driver runs ("13.0").
    """

    driver_version: str | None = None
    cuda_version: str | None = None
    gpus: tuple[GpuFacts, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was read of one machine.

    ``vendor``, ``product`` and ``family`` are the firmware's (DMI, else the device tree).
    """

    memory: MemoryFacts = field(default_factory=MemoryFacts)
    cpu: CpuFacts = field(default_factory=CpuFacts)
    nvml: NvmlFacts = field(default_factory=NvmlFacts)
    vendor: str | None = None
    product: str | None = None
    family: str | None = None
