"""Before the first start: bytes to fetch, disk to keep free, and seconds of each phase."""

from collections.abc import Mapping
from dataclasses import dataclass

from sparkwell.catalog.described import Described
from sparkwell.core.phases import Phase
from sparkwell.hardware.machine import Machine
from sparkwell.planner.startup_figures import (
    BLOCK_FP8_EXPERTS_HOPPER,
    BLOCK_FP8_HOPPER,
    COMPILED,
    FIGURES,
    WIDE_GB10,
    Kernels,
    Kind,
    StartSize,
)

OTHER_FILES_BYTES = 20_000_000
"""Tokenizer, configurations and the like, beside the weights; 16 to 17 MB for the catalog's."""
GRAPHS = 30
"""CUDA graphs of a start with 64 sequences: 19 for mixed batches and 11 for decode alone."""
THIS_MACHINE = "this machine"


@dataclass(frozen=True, slots=True)
class PhaseEstimate:
    """Seconds of one phase with empty and with kept caches; None where they cannot be told."""

    name: Phase
    cold_s: float | None
    warm_s: float | None
    source: str


@dataclass(frozen=True, slots=True)
class Startup:
    """What a first start takes.

    ``download_bytes`` are fetched, ``disk_bytes`` is what the checkpoint takes on the disk: one
    copy, as the Hub's cache keeps it. The engine, its container image and its compile caches are
    not counted. ``cold_s`` and ``warm_s`` add up the phases whose seconds are known; the
    download is among them only where its rate was given, and never in ``warm_s``.
    """

    download_bytes: int
    disk_bytes: int
    cold_s: float
    warm_s: float
    phases: tuple[PhaseEstimate, ...]


def estimate_startup(
    described: Described,
    machine: Machine,
    *,
    graphs: int = GRAPHS,
    eager: bool = False,
    present_bytes: int = 0,
    download_bytes_per_s: float | None = None,
    history: Mapping[Phase, float] | None = None,
) -> Startup:
    """Estimate a start of vLLM with this model.

    ``graphs`` counts the CUDA graphs that are captured, ``present_bytes`` what is on the disk
    already. ``history`` has the seconds per phase that this machine took for this model with kept
    caches: it wins, and a cold start adds to it what empty caches add elsewhere. The download is
    never taken from it, since its length depends on what is missing.
    """
    disk_bytes = described.weights_bytes + (OTHER_FILES_BYTES if described.repo else 0)
    download_bytes = max(0, disk_bytes - present_bytes) if described.repo else 0
    pull = _pull(download_bytes, download_bytes_per_s)
    size = StartSize(described.weights_bytes, described.shape.num_hidden_layers, graphs)
    known = history or {}
    phases = (*pull, *_phases(described, machine, size, eager, known))
    return Startup(
        download_bytes=download_bytes,
        disk_bytes=disk_bytes,
        cold_s=sum(phase.cold_s or 0.0 for phase in phases),
        warm_s=sum(phase.warm_s or 0.0 for phase in phases),
        phases=phases,
    )


def kind_of(machine: Machine) -> Kind:
    """Whose figures hold for the machine."""
    if machine.device == "cpu":
        return "cpu"
    return "gb10" if machine.sm == 121 else "gpu"


def kernels_of(described: Described, machine: Machine) -> Kernels:
    """Seconds that a cold start spends on compiling kernels, by phase; empty where none is known.

    Other formats and GPUs compile kernels too, in less than was told apart from the rest.
    """
    how = described.quantization
    if machine.sm == 90 and how.block is not None:
        return BLOCK_FP8_EXPERTS_HOPPER if described.shape.moe else BLOCK_FP8_HOPPER
    return WIDE_GB10 if machine.sm == 121 and how.method == "none" else {}


def _pull(download_bytes: int, bytes_per_s: float | None) -> tuple[PhaseEstimate, ...]:
    """The download, if there is one; its seconds are unknown without a rate."""
    if not download_bytes:
        return ()
    if not bytes_per_s:
        source = "depends on the network"
        return (PhaseEstimate(Phase.DOWNLOAD, None, 0.0, source),)
    seconds = download_bytes / bytes_per_s
    return (PhaseEstimate(Phase.DOWNLOAD, seconds, 0.0, "at the rate that was given"),)


def _phases(
    described: Described,
    machine: Machine,
    size: StartSize,
    eager: bool,
    history: Mapping[Phase, float],
) -> list[PhaseEstimate]:
    """Everything after the download, in the order in which it happens."""
    figures, kernels = FIGURES[kind_of(machine)], kernels_of(described, machine)
    modelled = {
        phase: _modelled(phase, size, machine, kernels)
        for phase in figures
        if not (eager and phase in COMPILED)
    }
    seen = {phase for phase in history if phase not in (Phase.DOWNLOAD, Phase.READY)}
    return [
        _seen(phase, history[phase], modelled.get(phase)) if phase in seen else modelled[phase]
        for phase in Phase
        if phase in seen or phase in modelled
    ]


def _modelled(phase: Phase, size: StartSize, machine: Machine, kernels: Kernels) -> PhaseEstimate:
    figure = FIGURES[kind_of(machine)][phase]
    added_s = kernels.get(phase, 0.0)
    source = f"{figure.source}; cold with {added_s:.0f} s for kernels" if added_s else figure.source
    return PhaseEstimate(phase, figure.cold.of(size) + added_s, figure.warm.of(size), source)


def _seen(phase: Phase, seconds: float, modelled: PhaseEstimate | None) -> PhaseEstimate:
    """What this machine took, and what empty caches would add to it."""
    added = 0.0
    if modelled and modelled.cold_s is not None and modelled.warm_s is not None:
        added = max(0.0, modelled.cold_s - modelled.warm_s)
    return PhaseEstimate(phase, seconds + added, seconds, THIS_MACHINE)
