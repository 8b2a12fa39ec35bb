"""The engine's version does not know the model's architecture."""

import re
from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.platform.heard import hear
from sparkwell.checks.image import known_image
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_UNKNOWN = re.compile(
    r"Model architectures \[(?P<architectures>[^\]]{1,200})\] are not supported for now"
    r"|model type `(?P<type>[\w.-]{1,80})` but Transformers does not recognize this architecture"
)

ABOUT = About(
    id="model-unsupported",
    title="This version of the engine does not know the model's architecture",
    severity=Severity.ERROR,
    symptoms=(
        "Value error, Model architectures ['X'] are not supported for now.",
        "The checkpoint has model type `x` but Transformers does not recognize this architecture.",
    ),
    cause="The checkpoint's config.json names an architecture. vLLM has code for each that it can "
    "serve, and reads the file with Transformers; a model is mostly newer than the image.",
    remedies=(
        Remedy("Take an image with a newer vLLM: the model's page on the Hub names the first one "
               "that serves it.", "sparkwell up MODEL --image IMAGE"),
        known_image(),
        Remedy("See the image and the version that are planned.", "sparkwell plan MODEL"),
    ),
    reference="vllm/model_executor/models/registry.py and vllm/config/model.py, 0.10 to 0.33; "
    "transformers/models/auto/configuration_auto.py",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log or run that ended so."""
    for heard in hear(snapshot, _UNKNOWN):
        finding = ABOUT.finding(*heard.evidence, about=heard.about, model=heard.model)
        name = heard["type"] or heard["architectures"].replace("'", "")
        yield replace(finding, title=f"This version of the engine does not know {name}")


CHECK = Check(ABOUT.id, "Does this version know the model's architecture?", look, ABOUT)
