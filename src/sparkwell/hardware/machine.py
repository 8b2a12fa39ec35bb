"""What a planner plans for: one machine, described in figures with their sources."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Device = Literal["cuda", "cpu"]
_RELEASE = re.compile(r"v?([0-9]{1,9}(?:\.[0-9]{1,9})*)")


class Source(NamedTuple):
    """Where a figure or a statement comes from."""

    what: str
    where: str


@dataclass(frozen=True, slots=True)
class SeenTotal:
    """The memory, in bytes, that engines older than the version ``before`` see on one device."""

    before: str
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as a planner needs it. None is unknown; a missing key of ``dense_flops`` too.

    ``total_bytes`` is what an engine sees on ONE device: the total of cudaMemGetInfo, or MemTotal
    where the engine runs on the CPU. ``unified`` says that this memory is the system's own, so
    that engine and system take from each other. ``dense_flops`` are operations a second without
    sparsity, by number format ("bf16", "fp8", "fp4"). ``gpus`` counts the devices of all
    ``nodes`` together; a machine without a GPU is one device. ``interconnect_bytes_per_s`` is
    what goes between two nodes, or two GPUs of one node, in one direction.

    ``system_bytes`` is what the system holds before an engine starts, and ``floor_bytes`` the
    MemAvailable under which the memory guard ends an engine; both matter on unified memory only.
    ``max_utilization`` is the highest share of ``total_bytes`` that should be given to an engine,
    None where nothing speaks against the engine's own limit. ``seen_totals`` are totals that
    older engines saw on a described machine; a detected machine has none, as its total is read.
    """

    name: str
    title: str
    device: Device
    total_bytes: int
    unified: bool
    bandwidth_bytes_per_s: float | None = None
    compute_capability: tuple[int, int] | None = None
    dense_flops: Mapping[str, float] = field(default_factory=dict, hash=False)
    gpus: int = 1
    nodes: int = 1
    interconnect_bytes_per_s: float | None = None
    system_bytes: int | None = None
    floor_bytes: int = 0
    max_utilization: float | None = None
    sleep_mode_safe: bool | None = None
    sources: tuple[Source, ...] = ()
    notes: tuple[str, ...] = ()
    seen_totals: tuple[SeenTotal, ...] = ()

    @property
    def sm(self) -> int | None:
        """The compute capability as compilers write it: 121 for 12.1; None without a GPU."""
        if self.compute_capability is None:
            return None
        major, minor = self.compute_capability
        return 10 * major + minor

    def total_for(self, engine_version: str | None) -> int:
        """Bytes that this version of the engine sees on one device.

        A version that is None or no number ("nightly") counts as newer than all that are known.
        """
        version = _release(engine_version or "")
        if version is None:
            return self.total_bytes
        bounds = [(_release(seen.before), seen.total_bytes) for seen in self.seen_totals]
        older = [(before, total) for before, total in bounds if before and version < before]
        return min(older)[1] if older else self.total_bytes


def _release(version: str) -> tuple[int, ...] | None:
    """The numbers that a version begins with: (0, 10, 1, 1) of "0.10.1.1+381074ae.nv25.09"."""
    found = _RELEASE.match(version)
    return tuple(int(part) for part in found[1].split(".")) if found else None
