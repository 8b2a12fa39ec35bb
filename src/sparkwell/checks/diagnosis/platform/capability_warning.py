"""PyTorch warns that 12.1 is above the 12.0 that it was built for."""

import re
from collections.abc import Iterator
from itertools import islice

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.logs.find import find, logs, name_of, quoted
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Severity

_ABOVE = re.compile(r"which is of (?:cuda|compute) capability (?:\(CC\) )?12\.1")
# The highest that PyTorch was built for: "(8.0) - (12.0)", "supported is 12.0".
_HIGHEST = re.compile(r"\(\d+\.\d\) - \((\d+)\.\d\)|[Mm]aximum cuda capability supported is (\d+)")

ABOUT = About(
    id="capability-warning",
    title="PyTorch warns of compute capability 12.1: nothing to do",
    severity=Severity.INFO,
    symptoms=(
        "Found GPU0 NVIDIA GB10 which is of cuda capability 12.1.",
        "Minimum and Maximum cuda capability supported by this version is (8.0) - (12.0)",
    ),
    cause="PyTorch compares numbers. What is built for SM 12.0 runs on 12.1, which is of the same "
    "family, and NVIDIA's images bring what a GB10 needs. Where a kernel is missing all the same, "
    "another error says so.",
    remedies=(),
    reference="torch/cuda/__init__.py, 2.7 to 2.9; eugr/spark-vllm-docker issue 15",
)


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log with the warning; none where 12.x is not in PyTorch at all."""
    for log in logs(snapshot):
        if (found := find(log, _ABOVE)) and _same_family(log, found.line.number):
            yield ABOUT.finding(*quoted(log, found.line), about=name_of(log), model=log.model)


def _same_family(log: LogDigest, number: int) -> bool:
    """Whether the highest that PyTorch knows is 12 too, or is not said."""
    near = islice((each for each in log.lines if each.number >= number), 4)
    highest = next((found for each in near if (found := _HIGHEST.search(each.text))), None)
    return highest is None or int(highest[1] or highest[2]) >= 12


CHECK = Check(ABOUT.id, "Does PyTorch warn of the GPU's capability?", look, ABOUT)
