"""The port is somebody else's."""

import re
from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import MODEL, About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.platform.heard import Heard, hear
from sparkwell.checks.diagnosis.platform.said import version_of
from sparkwell.checks.host_parts import Port
from sparkwell.checks.logs.find import find
from sparkwell.checks.port import IN_USE, another_port, holder_of, ways_out
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_IN_USE = re.compile(r"[Aa]ddress already in use|\[Errno 98\]|EADDRINUSE|port is already allocated")
_PORT = re.compile(
    r"bind on address \('[^']{0,80}', (?P<bind>\d{1,5})|[Bb]ind for \S{1,80}:(?P<docker>\d{1,5}) "
    r"|:(?P<listen>\d{1,5}): bind: |\bport:? ?(?P<named>\d{1,5})\b"
)

_OLLAMA_PORT = 11434
_OLLAMA_RUNS = Remedy(
    "Most often Ollama runs there already, as a service: use that one, and start no second.",
    "systemctl status ollama",
)
_GIVEN = re.compile(r"non-default args: .*'port': (?P<port>\d{1,5})\b")

ABOUT = About(
    id=IN_USE,
    title="The port is held by another program",
    severity=Severity.ERROR,
    symptoms=(
        "OSError: [Errno 98] Address already in use",
        "[Errno 98] error while attempting to bind on address ('0.0.0.0', 8000)",
        "Bind for 0.0.0.0:8000 failed: port is already allocated",
    ),
    cause="One program at a time listens on a port. Often it is the engine of before that has not "
    "ended yet, or another service of the same Compose file: the guides give 8000 to all.",
    remedies=(
        Remedy("See who has it.", "sudo ss -ltnp"),
        Remedy("End that program, if nobody needs it; a container by its name.", "docker ps"),
        Remedy("Or take another port.", "sparkwell up MODEL --port 8001"),
    ),
    reference="errno 98 of Linux; uvicorn/server.py; vllm/entrypoints/openai/api_server.py",
)


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log or run; who has the port is said where that was looked at."""
    for heard in hear(snapshot, _IN_USE):
        finding = ABOUT.finding(*heard.evidence, about=heard.about, model=heard.model)
        number = _number(heard)
        if _is_inner(heard):
            yield replace(finding, remedies=finding.remedies[:2])
        else:
            yield _of_port(finding, number, heard.model, snapshot) if number else finding


def _is_inner(heard: Heard) -> bool:
    """Whether a port among the engine's own processes is meant: another --port changes nothing."""
    process = (heard.line.process or "") if heard.line else ""
    return process.startswith(("EngineCore", "Worker"))


def _number(heard: Heard) -> int | None:
    """The port: as the line says, else the one that vLLM was given, or takes by itself."""
    if found := _PORT.search(heard.match.string):
        return int(next(filter(None, found.groups())))
    if heard.log is None:
        return None
    given = find(heard.log, _GIVEN)
    return int(given["port"]) if given else 8000 if version_of(heard.log) else None


def _of_port(finding: Finding, number: int, model: str | None, snapshot: Snapshot) -> Finding:
    held = next((p for p in snapshot.ports or () if p.port == number and p.problem), None)
    port = held or Port("", number)
    holder = holder_of(port)
    return replace(
        finding,
        title=f"Port {number} is held by {holder or 'another program'}",
        remedies=(
            *ways_out(port),
            _OLLAMA_RUNS if number == _OLLAMA_PORT else another_port(number, model or MODEL),
        ),
    )


CHECK = Check(ABOUT.id, "Did the engine get its port?", look, ABOUT)
