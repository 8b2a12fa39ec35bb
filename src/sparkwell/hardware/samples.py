"""What a machine says of itself at one moment."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GpuSample:
    """One GPU at one moment; None where the driver says "not supported".

    ``used`` is the share of the time in which it worked, 0 to 1; GB10 reports no memory.
    """

    name: str | None = None
    used: float | None = None
    used_bytes: int | None = None
    total_bytes: int | None = None
    power_w: float | None = None
    temperature_c: float | None = None


@dataclass(frozen=True, slots=True)
class MachineSample:
    """The machine at one moment; None where it does not say.

    ``memory_stalled`` is the kernel's pressure (PSI "full", avg10) as a share of the time, 0 to 1,
    ``cpu_used`` the share of all cores that worked since the sample before.
    """

    total_bytes: int | None = None
    available_bytes: int | None = None
    swap_used_bytes: int | None = None
    memory_stalled: float | None = None
    cpu_used: float | None = None
    gpus: tuple[GpuSample, ...] = ()
