"""Docker cannot hand the GPU to a container: what it says when it makes one."""

import re
from collections.abc import Iterator

from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.platform.heard import hear
from sparkwell.checks.docker_about import WITHOUT_GPU as ABOUT
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding

_REFUSED = re.compile(
    r'could not select device driver "[^"]{0,40}" with capabilities: \[\[[^\]]{0,40}gpu'
    r"|[Uu]nknown or invalid runtime name: nvidia"
)


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log or run that ended so."""
    for heard in hear(snapshot, _REFUSED):
        yield ABOUT.finding(*heard.evidence, about=heard.about, model=heard.model)


CHECK = Check(ABOUT.id, "Did Docker hand the GPU to the container?", look, ABOUT)
