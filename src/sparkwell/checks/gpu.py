"""Whether there is the GPU that the engine is built for, and whether its driver suits."""

from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.check import Check
from sparkwell.checks.say import major, ok
from sparkwell.checks.snapshot import Snapshot
from sparkwell.checks.start_about import (
    ASK_THE_DRIVER,
    DRIVER_REGRESSION,
    GPU_MISSING,
    ON_THE_CPU,
    REBOOT,
)
from sparkwell.core.findings import Finding, Remedy, Severity
from sparkwell.hardware.machine import Machine

MISSING, TOO_OLD, DOUBTFUL = "gpu-missing", "driver-too-old", "driver-regression"
GB10 = (12, 1)
GOOD_LINE = 580
# CUDA's release notes: the first driver line that runs a CUDA of that major version.
FIRST_DRIVER = {12: 525, 13: 580}
# The CUDA major version of the engine environment `vllm`.
ENVIRONMENT_CUDA = "13"


def gpu_missing(snapshot: Snapshot) -> Iterator[Finding]:
    """An engine for CUDA finds a GPU."""
    request, machine, gpu = snapshot.request, snapshot.machine, snapshot.gpu
    if request is None or machine is None or gpu is None or request.device != "cuda":
        return
    if gpu.gpus:
        names = ", ".join(found.name or "unnamed" for found in gpu.gpus)
        yield ok(MISSING, f"GPU: {names}", *([gpu.problem] if gpu.problem else []))
        return
    why = (gpu.problem or "NVML names none",)
    if machine.device == "cuda":  # known by its firmware, so the driver is what is wrong
        yield Finding(
            MISSING,
            Severity.ERROR,
            f"The GPU of this {machine.title} does not answer",
            evidence=why,
            remedies=(ASK_THE_DRIVER, REBOOT),
        )
        return
    yield Finding(
        MISSING,
        Severity.ERROR,
        f"{request.model} needs an NVIDIA GPU, and this machine has none",
        evidence=why,
        remedies=(
            Remedy("See what it would take on a machine with one.",
                   f"sparkwell plan {request.model} --hardware dgx-spark"),
            ON_THE_CPU,
        ),
    )  # fmt: skip


def driver_too_old(snapshot: Snapshot) -> Iterator[Finding]:
    """The driver runs the CUDA version that the engine was built with."""
    machine, gpu, cuda = snapshot.machine, snapshot.gpu, _cuda(snapshot)
    if machine is None or gpu is None or not gpu.driver_version or major(cuda) is None:
        return
    about = f"driver {gpu.driver_version}, which runs CUDA up to {gpu.cuda_version or 'unknown'}"
    if not _too_old(gpu.driver_version, gpu.cuda_version, major(cuda) or 0):
        yield ok(TOO_OLD, f"NVIDIA driver {gpu.driver_version} runs CUDA {cuda}")
        return
    line = FIRST_DRIVER.get(major(cuda) or 0, GOOD_LINE)
    yield Finding(
        TOO_OLD,
        Severity.WARNING if _has_compat(snapshot, machine) else Severity.ERROR,
        f"The NVIDIA driver is older than the engine's CUDA {cuda}",
        evidence=(about, f"CUDA {major(cuda)} needs driver {line} or newer"),
        cause="The image brings libraries for older drivers, which work on data centre GPUs only."
        if _has_compat(snapshot, machine)
        else None,
        remedies=(newer_driver(line),),
    )


def newer_driver(line: int) -> Remedy:
    """How a driver of that line comes here, on Ubuntu and DGX OS."""
    return Remedy(
        f"Install a driver of the line {line}, then restart.",
        f"sudo apt-get install -y nvidia-driver-{line}-open && sudo reboot",
    )


def driver_regression(snapshot: Snapshot) -> Iterator[Finding]:
    """On a GB10 the driver is of the line that is known to be good."""
    machine, gpu, request = snapshot.machine, snapshot.gpu, snapshot.request
    if machine is None or gpu is None or machine.compute_capability != GB10:
        return
    line = major(gpu.driver_version)
    if line is None or line < GOOD_LINE:
        return
    if line == GOOD_LINE:
        yield ok(DOUBTFUL, f"Driver line {GOOD_LINE} is known to be good on a GB10")
        return
    evidence = f"line {line}; users report CUDA graphs that fail with 590"
    known = DRIVER_REGRESSION.finding(evidence, model=request.model if request else None)
    title = f"Driver {gpu.driver_version} is newer than the line that is known to be good on a GB10"
    yield replace(known, title=title, about=None)


def _cuda(snapshot: Snapshot) -> str | None:
    """The CUDA version of what would be started; None where it is not known."""
    request = snapshot.request
    if request is None or request.device != "cuda":
        return None
    if request.driver == "process":
        return ENVIRONMENT_CUDA
    return snapshot.image.cuda_version if snapshot.image else None


def _too_old(driver: str, runs: str | None, wanted: int) -> bool:
    """By what the driver says that it runs; else by its own number."""
    if major(runs) is not None:
        return (major(runs) or 0) < wanted
    line, first = major(driver), FIRST_DRIVER.get(wanted)
    return line is not None and first is not None and line < first


def _has_compat(snapshot: Snapshot, machine: Machine) -> bool:
    """NVIDIA's own images carry libraries for older drivers; a GB10 cannot use them."""
    image = snapshot.image.name if snapshot.image else ""
    return image.startswith("nvcr.io/nvidia/") and not machine.unified


CHECKS = (
    Check(MISSING, "Is there an NVIDIA GPU for an engine that needs one?", gpu_missing,
          GPU_MISSING),
    Check(TOO_OLD, "Does the driver run the engine's CUDA version?", driver_too_old),
    Check(DOUBTFUL, "Is the driver's line known to be good on a GB10?", driver_regression,
          DRIVER_REGRESSION),
)  # fmt: skip
