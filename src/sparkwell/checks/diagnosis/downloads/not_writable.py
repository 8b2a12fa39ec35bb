"""The engine may not write where it keeps weights and compiled code."""

import re
from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.platform.heard import Heard, hear
from sparkwell.checks.folders import NOT_WRITABLE, WEIGHTS_ELSEWHERE, in_quotes, own
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_DENIED = re.compile(
    r"PermissionError: \[Errno 13\] Permission denied: "
    r"'(?P<path>/(?!dev/|proc/|sys/|run/)[^']{1,400})'"
)
_HUB = re.compile(r"PermissionError at (?P<path>/\S{1,400}) when downloading")
_READ_ONLY = re.compile(r"Error: \[Errno 30\] Read-only file system: '(?P<path>/[^']{1,400})'")
_FEARED = re.compile(
    r"problem when trying to write in your cache folder \((?P<path>/[^)]{1,400})\)"
)

_REPO = re.compile(r"(?P<cache>/.{0,400}?)/models--[^/]+")
_MOUNTS = Remedy(
    "In a container this is a folder of the host, mounted there: see which one and whether it may "
    "be written (RW), then make that one this user's own.",
    "docker inspect -f '{{json .Mounts}}' CONTAINER",
)

ABOUT = About(
    id=NOT_WRITABLE,
    title="The engine may not write to its cache",
    severity=Severity.ERROR,
    symptoms=(
        "PermissionError: [Errno 13] Permission denied: '/root/.cache/huggingface/hub/…'",
        "OSError: [Errno 30] Read-only file system: '/opt/hf/hub'",
        "There was a problem when trying to write in your cache folder",
    ),
    cause="The folder belongs to another user, mostly to root because a container made it, or it "
    "is mounted read-only. The engine writes downloads, torch.compile's and Triton's code there.",
    remedies=(
        Remedy("See whose it is, and as whom the engine runs.", "ls -ld FOLDER; id"),
        Remedy("Make it this user's own; containers that run as root can still write there.",
               "sudo chown \"$USER\" FOLDER"),
        WEIGHTS_ELSEWHERE,
    ),
    reference="errno 13 and 30 of Linux; transformers/utils/hub.py",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log or run; only a warning where it went on without a cache."""
    told = set()
    denied = hear(snapshot, _DENIED, _HUB, serving=False)
    read_only = hear(snapshot, _READ_ONLY, serving=False)
    for heard in (*denied, *read_only, *hear(snapshot, _FEARED)):
        if heard.about not in told:
            told.add(heard.about)
            yield _of(heard)


def _of(heard: Heard) -> Finding:
    path = heard["path"]
    finding = ABOUT.finding(*heard.evidence, about=heard.about, model=heard.model)
    ways = _mounted(path) if heard.match.re is _READ_ONLY else _owned(path)
    return replace(
        finding,
        title=f"{path} cannot be written",
        severity=Severity.WARNING if heard.match.re is _FEARED else finding.severity,
        remedies=(*ways, *finding.remedies[2:]),
    )


def _mounted(path: str) -> tuple[Remedy, ...]:
    if _is_of_container(path):
        return (_MOUNTS,)
    how = "See how it is mounted; a Compose file says `:ro` or `read_only: true`."
    return (Remedy(how, f"findmnt -T {in_quotes(path)}"),)


def _owned(path: str) -> tuple[Remedy, ...]:
    """How this user gets the folder; of a model's files, that model's alone."""
    if _is_of_container(path):
        return (_MOUNTS,)
    look_at = Remedy("See whose it is, and as whom you run.", f"ls -ld {in_quotes(path)}; id")
    found = _REPO.match(path)
    if found is None:
        return (look_at, own(_folder(path)))
    rest = Remedy(
        "And what is there of this model already.", f'sudo chown -R "$USER" {in_quotes(found[0])}'
    )
    return (look_at, own(found["cache"]), rest)


def _is_of_container(path: str) -> bool:
    """Whether it is root's, as whom engines run in containers: on the host it is another folder."""
    return path.startswith("/root/")


def _folder(path: str) -> str:
    """The folder of a file."""
    above, _, name = path.rpartition("/")
    return (above or "/") if "." in name[1:] else path


CHECK = Check(ABOUT.id, "May the engine write to its cache?", look, ABOUT)
