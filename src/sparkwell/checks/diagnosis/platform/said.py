"""What a log says of its engine at the start: version, model, quantization, flags given."""

import re

from sparkwell.checks.logs.find import find
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.snapshot import Snapshot

_CONFIG = re.compile(r"Initializing a V[01] LLM engine \(v(?P<version>\S+)\) with config: ")
_BANNER = re.compile(r"(?:vLLM API server version |[▀▄█] {1,3}version )v?(?P<version>\d[\w.+]*)")
_MODEL = re.compile(r"\bmodel='(?P<model>[^']+)'|'model(?:_tag)?': '(?P<given>[^']+)'")
_CACHED = re.compile(r"/models--(?P<repo>[^/]+)/snapshots/")
_METHOD = re.compile(r"[, ]quantization=(?P<method>[\w-]+)")
_GIVEN = re.compile(r"non-default args: .*'quantization': '(?P<method>[\w-]+)'")
_GB10 = re.compile(r"\bGB10\b|NVIDIA_GB10|\bsm_?121|capability (?:\(CC\) )?12\.1")


def version_of(log: LogDigest, snapshot: Snapshot | None = None) -> str | None:
    """The engine's version: as the log says, else of the run that it belongs to."""
    if log.version:
        return log.version
    if found := find(log, _CONFIG, _BANNER):
        return found["version"]
    runs = (snapshot.runs or ()) if snapshot else ()
    return next((run.engine_version for run in runs if run.id == log.instance), None)


def checkpoint_of(log: LogDigest) -> str | None:
    """The repository or the folder that the engine loads; of a folder in a cache the repository."""
    found = find(log, _MODEL)
    if found is None:
        return None
    name = found["model"] or found["given"]
    cached = _CACHED.search(name)
    return cached["repo"].replace("--", "/", 1) if cached else name


def quantization_of(log: LogDigest) -> str | None:
    """The method that the engine took, "None" for 16 bits; None where the log does not say."""
    found = find(log, _CONFIG)
    method = found and _METHOD.search(found.line.words, found.match.end())
    return method["method"] if method else None


def quantization_given(log: LogDigest) -> str | None:
    """The method that somebody named on the command line; None where nobody did."""
    found = find(log, _GIVEN)
    return found["method"] if found else None


def is_gb10(log: LogDigest, snapshot: Snapshot) -> bool:
    """Whether the log, or else the host that it comes from, has a GPU of SM 12.1."""
    if find(log, _GB10):
        return True
    machine = snapshot.machine
    return machine is not None and machine.compute_capability == (12, 1)
