"""CUDA does not start: the driver is older than it, or libraries of two drivers are mixed."""

import re
from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.platform.heard import Heard, hear
from sparkwell.checks.gpu import FIRST_DRIVER, GOOD_LINE, TOO_OLD, newer_driver
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_TOO_OLD = re.compile(
    r"CUDA driver version is insufficient for CUDA runtime version"
    r"|driver on your system is too old(?: \(found version (?P<found>\d{4,6})\))?"
    r"|provided PTX was compiled with an unsupported toolchain"
)
_CONDITION = re.compile(r"unsatisfied condition: (?P<condition>cuda ?>= ?(?P<major>\d+)[\d.]*)")
_MIXED = re.compile(
    r"Error 80[34]: |unsupported display driver ?/ ?cuda driver combination"
    r"|forward compatibility was attempted on non supported HW"
)

ABOUT = About(
    id=TOO_OLD,
    title="The NVIDIA driver is older than the engine's CUDA",
    severity=Severity.ERROR,
    symptoms=(
        "CUDA driver version is insufficient for CUDA runtime version",
        "The NVIDIA driver on your system is too old (found version 12080).",
        "requirement error: unsatisfied condition: cuda>=13.0, please update your driver",
        "Error 803: system has unsupported display driver / cuda driver combination",
    ),
    cause="A driver runs the CUDA versions that were there when it was made, and none of a newer "
    "major version. CUDA 13 needs the line 580, CUDA 12 the line 525.",
    remedies=(
        newer_driver(GOOD_LINE),
        Remedy("Or take an image with a CUDA that this driver runs; without --image one is chosen.",
               "sparkwell up MODEL --image IMAGE"),
    ),
    reference="CUDA's release notes, table of driver versions; torch/csrc/cuda, 2.7 to 2.11; "
    "libnvidia-container, nvc_container.c; gpustack issue 4678",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log or run that ended so."""
    for heard in hear(snapshot, _TOO_OLD):
        finding = ABOUT.finding(*heard.evidence, about=heard.about, model=heard.model)
        yield replace(finding, title=_title(heard.match["found"]))
    for heard in hear(snapshot, _CONDITION):
        finding = ABOUT.finding(*heard.evidence, about=heard.about, model=heard.model)
        yield _refused(finding, heard)
    for heard in hear(snapshot, _MIXED):
        yield _mixed(ABOUT.finding(*heard.evidence, about=heard.about, model=heard.model))


def _title(found: str | None) -> str:
    """With the CUDA version that the driver runs: 12080 is 12.8."""
    runs = f", it runs CUDA {int(found) // 1000}.{int(found) % 1000 // 10}" if found else ""
    return ABOUT.title + runs


def _refused(finding: Finding, heard: Heard) -> Finding:
    """NVIDIA's container tool starts no image whose CUDA the driver does not run."""
    line = FIRST_DRIVER.get(int(heard["major"]))
    _, other_image = finding.remedies
    return replace(
        finding,
        title=f"The container image needs a newer NVIDIA driver: {heard['condition']}",
        cause="The image says which CUDA it needs, and this driver does not run it.",
        remedies=(*((newer_driver(line),) if line else ()), other_image),
    )


def _mixed(finding: Finding) -> Finding:
    driver, image = finding.remedies
    return replace(
        finding,
        title="The image's CUDA libraries and the host's driver do not fit together",
        cause="The image brings libraries of another driver (cuda-compat), and they are found "
        "before the host's. They work with older drivers on data centre GPUs only.",
        remedies=(
            image,
            Remedy(
                "Or let the host's libraries come first, in a recipe of your own, under serve: "
                "`env: {LD_LIBRARY_PATH: /usr/local/nvidia/lib64:/usr/local/nvidia/lib}`. "
                "It helped users; it is not confirmed here."
            ),
            driver,
        ),
    )


CHECK = Check(ABOUT.id, "Does the driver run the engine's CUDA?", look, ABOUT)
