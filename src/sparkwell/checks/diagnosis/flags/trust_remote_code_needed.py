"""The checkpoint brings code of its own, which the engine does not run unasked."""

import re
from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.platform.heard import Heard, hear
from sparkwell.checks.diagnosis.platform.said import checkpoint_of
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_NEEDED = re.compile(
    r"contains custom code which must be executed|references custom code contained in"
    r"|requires you to execute the \w+ file in that repo"
    r"|setting `trust_remote_code=True` in LLM"
    r"|(?:set the option|pass(?:ing)? the argument) `trust_remote_code=True`"
)
_NATIVE = re.compile(r"\bqwen3-|meta-llama|\bllama-3|mistral", re.IGNORECASE)

ABOUT = About(
    id="trust-remote-code-needed",
    title="The checkpoint needs code of its own, which the engine does not run unasked",
    severity=Severity.ERROR,
    symptoms=(
        "contains custom code which must be executed to correctly load the model",
        "consider setting `trust_remote_code=True` in LLM or using the `--trust-remote-code` flag",
    ),
    cause="The architecture is not in this version of transformers or vLLM; the repository has "
    "Python files for it. With trust_remote_code the engine runs them, with the rights of the "
    "engine, and whatever they will be at the next download.",
    remedies=(
        Remedy("Take a newer vLLM: most architectures are built in after a while, and need no code "
               "of the repository.", "sparkwell up MODEL --image IMAGE"),
        Remedy("If you have read the repository's Python files and trust its owner, let them run.",
               "sparkwell up MODEL --set trust_remote_code=true"),
    ),
    reference="transformers/dynamic_module_utils.py::resolve_trust_remote_code; "
    "vllm/transformers_utils/config.py, 0.10 to 0.33",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log or run that ended so."""
    for heard in hear(snapshot, _NEEDED):
        finding = ABOUT.finding(*heard.evidence, about=heard.about, model=heard.model)
        yield _native(finding, heard) if _is_native(heard) else finding


def _is_native(heard: Heard) -> bool:
    source = checkpoint_of(heard.log) if heard.log else heard.model
    return _NATIVE.search(source or "") is not None


def _native(finding: Finding, heard: Heard) -> Finding:
    """Qwen3, Llama 3 and Mistral are built into vLLM 0.10 and newer: something else is wrong."""
    first = Remedy(
        "Do not set it here: this architecture is built into vLLM from 0.10 on. See whether the "
        "folder holds the model that it should, and is the maker's own.",
        f"sparkwell plan {heard.model} --explain" if heard.model else None,
    )
    return replace(finding, remedies=(first, finding.remedies[0]))


CHECK = Check(ABOUT.id, "Does the checkpoint need code of its own?", look, ABOUT)
