"""The container image cannot run on this machine: what the container engine says of it."""

import re
from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.platform.heard import Heard, hear
from sparkwell.checks.image import WRONG, for_this_machine, known_image
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_PROCESSOR = re.compile(
    r"[Ee]xec format error"
    r"|no matching manifest for (?P<wanted>linux/\w+)"
    r"|image(?:'s)? platform \((?P<built>linux/\w+)[^)]{0,40}\) does not match the "
    r"(?:detected host|expected) platform \((?P<host>linux/\w+)"
)

ABOUT = About(
    id=WRONG,
    title="The container image cannot run on this machine",
    severity=Severity.ERROR,
    symptoms=(
        "exec /usr/bin/bash: exec format error",
        "no matching manifest for linux/arm64/v8 in the manifest list entries",
        "The requested image's platform (linux/amd64) does not match the detected host platform",
    ),
    cause="The image is built for another processor; a DGX Spark is linux/arm64.",
    remedies=(
        known_image(),
        Remedy("See what the image is built for.", "docker manifest inspect IMAGE"),
    ),
    reference="containerd and Docker's own words",
)


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log or run that ended so."""
    for heard in hear(snapshot, _PROCESSOR):
        finding = ABOUT.finding(*heard.evidence, about=heard.about, model=heard.model)
        yield _of_processor(finding, heard)


def _of_processor(finding: Finding, heard: Heard) -> Finding:
    host = heard["wanted"] or heard["host"]
    built = f"for {heard['built']}" if heard["built"] else "for another processor"
    pull = (for_this_machine(host, "IMAGE"),) if host else ()
    return replace(
        finding,
        title=f"The container image is built {built}{f', not for {host}' if host else ''}",
        cause="A program for one kind of processor does not run on another.",
        remedies=(*pull, *finding.remedies),
    )


CHECK = Check(ABOUT.id, "Can the container image run on this machine?", look, ABOUT)
