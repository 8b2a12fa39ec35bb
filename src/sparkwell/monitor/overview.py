"""Who is sampled, and what a round of sampling found."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sparkwell.core.launch import LaunchSpec
from sparkwell.hardware.samples import GpuSample, MachineSample
from sparkwell.monitor.readings import Reading
from sparkwell.monitor.speed import Planned
from sparkwell.store.series_names import MACHINE, Point, Source


@dataclass(frozen=True, slots=True)
class Target:
    """An engine that is to be asked; ``planned`` is what its figures are compared with."""

    instance: str
    model: str
    engine: str
    spec: LaunchSpec
    planned: Planned | None = None


@dataclass(frozen=True, slots=True)
class GatewayCounts:
    """The gateway at one moment: requests since its start, and those that wait for a model."""

    requests: float | None = None
    waiting: float | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """The newest round. ``at`` is Unix seconds and ``age_s`` how old it is, None before the first.

    ``readings`` and ``models`` are by instance.
    """

    at: float | None = None
    age_s: float | None = None
    machine: MachineSample = field(default_factory=MachineSample)
    readings: Mapping[str, Reading] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    gateway_requests_per_s: float | None = None
    gateway_waiting: float | None = None

    def machine_values(self) -> dict[str, float | None]:
        """The machine's series by name: power and memory of all GPUs, the busiest, the hottest."""
        gpus = self.machine.gpus
        return {
            "available_bytes": self.machine.available_bytes,
            "swap_used_bytes": self.machine.swap_used_bytes,
            "memory_stalled": self.machine.memory_stalled,
            "cpu_used": self.machine.cpu_used,
            "gpu_used": max((gpu.used for gpu in gpus if gpu.used is not None), default=None),
            "power_w": power_w(gpus),
            "temperature_c": max(
                (gpu.temperature_c for gpu in gpus if gpu.temperature_c is not None), default=None
            ),
            "gpu_used_bytes": _total([gpu.used_bytes for gpu in gpus]),
            "gateway_requests_per_s": self.gateway_requests_per_s,
            "gateway_waiting": self.gateway_waiting,
        }


def power_w(gpus: tuple[GpuSample, ...]) -> float | None:
    """What all GPUs take; None where one does not say."""
    return _total([gpu.power_w for gpu in gpus])


def points_of(overview: Overview, readings: Mapping[str, Reading]) -> list[Point]:
    """What is stored of a round: the machine, and ``readings`` over the time since the last one."""
    engines = [
        Point(Source(instance, overview.models[instance]), reading.values())
        for instance, reading in readings.items()
    ]
    return [Point(MACHINE, overview.machine_values()), *engines]


def _total(values: list[int | None] | list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(sum(known)) if known and len(known) == len(values) else None
