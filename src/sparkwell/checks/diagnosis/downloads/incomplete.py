"""Weights that are not whole: a download that broke off, or files that it left."""

import re
from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import MODEL, About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.downloads.pointer import pointer_read
from sparkwell.checks.diagnosis.platform.heard import Heard, hear
from sparkwell.checks.logs.find import find_all, logs, name_of, quoted
from sparkwell.checks.model_parts import Partial
from sparkwell.checks.snapshot import Snapshot
from sparkwell.checks.weights import INCOMPLETE, go_on, unfinished
from sparkwell.core.findings import Finding, Remedy, Severity

_BROKEN = re.compile(
    r"SafetensorError: |Error while deserializing header|MetadataIncompleteBuffer|HeaderTooLarge"
    r"|FileNotFoundError: .{0,400}\.safetensors\b|Cannot find any model weights with"
    r"|Consistency check failed: file should be of size"
    r"|config file at '[^']{1,400}' is not a valid JSON file"
)
# vLLM takes a folder that is not there, or has no config.json, for the name of a repository.
_NOWHERE = re.compile(
    r"(?:HFValidationError: Repo id must be .{0,80}|Invalid repository ID or local directory "
    r"specified): '(?P<folder>/[^']{1,400})'"
)
_SHARDS = re.compile(r"Loading safetensors checkpoint shards: {0,3}\d{1,3}% Completed")

_FOLDER = re.compile(r"/models--(?P<repo>[^/]+)/")

ABOUT = About(
    id=INCOMPLETE,
    title="The weights are not whole",
    severity=Severity.ERROR,
    symptoms=(
        "Loading safetensors checkpoint shards stops before its end",
        "safetensors_rust.SafetensorError: Error while deserializing header: incomplete metadata",
        "FileNotFoundError: … model-00003-of-00007.safetensors",
    ),
    cause="A file of the checkpoint is shorter than it should be, or missing: the download broke "
    "off, the disk was full, or the file was copied before it was whole. Unfinished files end in "
    "`.incomplete` and lie in the repository's blobs folder, not beside it: removing "
    "models--…/*.incomplete finds none, and a download goes on with them.",
    remedies=(
        go_on(),
        Remedy("See which files are there, and which of them nobody needs any more.",
               "sparkwell preflight MODEL"),
        Remedy("Where that says that all is here: read every file, and fetch again those whose "
               "checksum is wrong.", "sparkwell pull MODEL --verify"),
    ),
    reference="safetensors' SafeTensorError; huggingface_hub/file_download.py; the Qwen3 guides",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log or run that ended so, and what lies unfinished in the cache."""
    for heard in hear(snapshot, _BROKEN, serving=False):
        lines = dict.fromkeys((*_reached(heard), *heard.evidence))
        yield ABOUT.finding(*lines, about=heard.about, model=heard.model)
    for heard in hear(snapshot, _NOWHERE, serving=False):
        yield _nowhere(heard)
    for log in logs(snapshot):
        if line := pointer_read(log):
            yield _pointer(ABOUT.finding(*quoted(log, line), about=name_of(log), model=log.model))
    for repo, partials in _others(snapshot).items():
        for finding in unfinished(partials, f"hf:{repo}" if repo else MODEL):
            yield replace(finding, about=repo)


def _nowhere(heard: Heard) -> Finding:
    folder = heard["folder"]
    finding = ABOUT.finding(*heard.evidence, about=heard.about, model=heard.model)
    look_at = Remedy("See whether it is there; in a container it has to be mounted at that path.",
                     f"ls -l '{folder}'")  # fmt: skip
    return replace(
        finding,
        title=f"The folder {folder} is not there, or has no config.json",
        cause="The engine takes such a folder for the name of a repository.",
        remedies=(look_at, *finding.remedies[:1]),
    )


def _pointer(finding: Finding) -> Finding:
    fetch = Remedy("In a clone, fetch what they point to.", "git lfs pull")
    return replace(
        finding,
        title="A file of the weights is no weights, but perhaps a pointer to them",
        cause="A repository that was cloned without Git LFS has files of 130 bytes in the place of "
        "the weights. Their first bytes are taken for the length of a header.",
        remedies=(fetch, *finding.remedies),
    )


def _reached(heard: Heard) -> tuple[str, ...]:
    """How far loading came."""
    bars = list(find_all(heard.log, _SHARDS)) if heard.log else []
    return quoted(heard.log, bars[-1].line) if heard.log and bars else ()


def _others(snapshot: Snapshot) -> dict[str | None, list[Partial]]:
    """Unfinished files by repository; without those of the model that was asked about."""
    told = {each.path for each in snapshot.weights.partials} if snapshot.weights else set()
    found: dict[str | None, list[Partial]] = {}
    for partial in snapshot.partials or ():
        if partial.path not in told:
            found.setdefault(_repo(partial.path), []).append(partial)
    return found


def _repo(path: str) -> str | None:
    """The repository whose file it is: the cache's folders are called models--OWNER--NAME."""
    found = _FOLDER.search(path)
    return found["repo"].replace("--", "/", 1) if found else None


CHECK = Check(ABOUT.id, "Are the weights whole?", look, ABOUT)
