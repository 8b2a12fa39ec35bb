"""The Hub is not reached, and what is needed is not here."""

import re
from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.downloads import auth
from sparkwell.checks.diagnosis.platform.heard import Heard, hear
from sparkwell.checks.logs.find import find, find_all
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_FAILED = re.compile(
    r"LocalEntryNotFoundError|OfflineModeIsEnabled|couldn't connect to '?https?://"
    r"|outgoing traffic has been disabled|Cannot reach \S{1,300} offline mode is enabled"
    r"|\b5\d\d Server Error: .{0,200}\b(?:huggingface|hf)\.co"
)
# Said at every try: an engine whose files are here starts all the same.
_TRIED = re.compile(
    r"(?:NameResolutionError|Failed to resolve|Temporary failure in name resolution"
    r"|Name or service not known|Network is unreachable|Connect(?:ion)?(?:Timeout|Error)\b)"
    r"(?=.{0,300}(?:huggingface|hf\.co))"
    r"|(?:huggingface\.co|hf\.co).{0,300}(?:Name(?:ResolutionError| or service not known)"
    r"|Failed to resolve|Temporary failure in name resolution|Network is unreachable|timed out)"
    r"|httpx\.Connect(?:Error|Timeout): "
)
_WENT_ON = re.compile(r"Starting to load model|Loading weights took|Model loading took")
_READY = re.compile(r"Application startup complete")
_OFFLINE = re.compile(r"[Oo]ffline ?[Mm]ode|outgoing traffic has been disabled")

ABOUT = About(
    id="hub-unreachable",
    title="The Hub is not reached, and a file that is needed is not here",
    severity=Severity.ERROR,
    symptoms=(
        "huggingface_hub.errors.LocalEntryNotFoundError: Cannot find the requested files",
        "OSError: We couldn't connect to 'https://huggingface.co' to load the files",
        "Failed to resolve 'huggingface.co' ([Errno -3] Temporary failure in name resolution)",
    ),
    cause="The engine asks the Hub for what the cache does not hold. There is no network or no "
    "name resolution where it runs (a container has its own), a proxy is missing, or it was told "
    "to stay offline. Sparkwell starts engines offline once the weights are here.",
    remedies=(
        Remedy("Fetch the weights first, from here: the engine needs no network then.",
               "sparkwell pull MODEL"),
        Remedy("See whether this host reaches the Hub.",
               "curl -sSI https://huggingface.co | head -1"),
        Remedy("If it does and the container does not, give Docker name servers: \"dns\" in "
               "/etc/docker/daemon.json. That changes all containers that start afterwards."),
    ),
    reference="huggingface_hub/file_download.py, _snapshot_download.py; transformers/utils/hub.py",
)  # fmt: skip
_STAYS = "The engine was told to stay offline (HF_HUB_OFFLINE=1), and the cache lacks a file."


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log or run; none where the Hub answered, and refused."""
    refused = {each.about for each in auth.look(snapshot)}
    for heard in hear(snapshot, _FAILED, _TRIED, serving=False):
        if heard.about not in refused and not _went_on(heard):
            finding = ABOUT.finding(*heard.evidence, about=heard.about, model=heard.model)
            yield _offline(finding) if _is_offline(heard) else finding


def _went_on(heard: Heard) -> bool:
    """Whether the files were here after all."""
    if heard.log is None or heard.line is None:
        return False
    if find(heard.log, _READY):
        return True
    after = heard.line.number
    return any(found.line.number > after for found in find_all(heard.log, _WENT_ON))


def _is_offline(heard: Heard) -> bool:
    return _OFFLINE.search(" ".join(heard.evidence)) is not None


def _offline(finding: Finding) -> Finding:
    online = Remedy("Or let the engine ask the Hub once, at its start; in a Compose file take the "
                    "variables out.",
                    "unset HF_HUB_OFFLINE TRANSFORMERS_OFFLINE")  # fmt: skip
    return replace(finding, cause=_STAYS, remedies=(finding.remedies[0], online))


CHECK = Check(ABOUT.id, "Is the Hub reached, or everything here?", look, ABOUT)
