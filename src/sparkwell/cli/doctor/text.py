"""What `sparkwell doctor` prints."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sparkwell.cli.finding_text import (
    counted,
    finding_lines,
    plain,
    remedy_lines,
    tally,
    text_width,
    wrapped,
)
from sparkwell.cli.table import table
from sparkwell.core.findings import Severity
from sparkwell.core.units import file_size

if TYPE_CHECKING:
    from sparkwell.app.diagnosing.diagnosis import Diagnosis
    from sparkwell.checks.diagnosis.known import Known
    from sparkwell.checks.logs.parts import LogDigest
    from sparkwell.checks.snapshot import Snapshot


def text(found: "Diagnosis", *, verbose: bool, here: bool = True) -> str:
    """The findings, the worst first, and a line that counts them.

    ``here`` is whether this host was looked at, so that --fix goes with the words just typed.
    """
    return "\n".join([*_blocks(found, verbose, here), *_verdict(found)])


def _blocks(found: "Diagnosis", verbose: bool, here: bool) -> Iterator[str]:
    """A finding each, a blank line behind those that take several lines."""
    width, named = text_width(), found.only_log is None
    fixed_by = "--fix" if here else "on that machine `sparkwell doctor --fix`"
    for finding in found.findings:
        if finding.severity is Severity.OK and not verbose:
            continue
        yield from finding_lines(finding, width=width, named=named, with_id=True, fixed_by=fixed_by)
        if finding.severity is not Severity.OK:
            yield ""


def _verdict(found: "Diagnosis") -> Iterator[str]:
    counts = zip(tally(found.findings), ("error", "warning", "note"), strict=True)
    parts = [counted(count, noun) for count, noun in counts if count]
    looked = f"{counted(found.checks, 'check')} of {_looked_at(found)}"
    if parts:
        yield f"{', '.join(parts)}: {looked}."
        yield "More of one: sparkwell doctor explain ID"
    elif found.only_log and found.only_log.engine is None:
        yield click.style("! ", fg="yellow") + f"Nothing found: {looked}."
        yield from wrapped(_NO_ENGINE, text_width(), "  ", "  ")
    else:
        yield click.style("✓ ", fg="green") + f"Nothing found: {looked}."


def _looked_at(found: "Diagnosis") -> str:
    """What the checks have looked at, so that nobody takes little for all."""
    if log := found.only_log:
        return _log(log)
    logs, runs = found.snapshot.logs or (), found.snapshot.runs or ()
    lines = sum(each.total_lines for each in logs)
    parts = [
        "the host",
        *([counted(len(runs), "run")] if runs else []),
        *([f"{lines:,} lines in {counted(len(logs), 'log')}"] if logs else []),
    ]
    return ", ".join(parts)


def _log(log: "LogDigest") -> str:
    engine = " ".join(each for each in (_NAMES.get(log.engine or ""), log.version) if each)
    said = [f"{log.total_lines:,} line{'' if log.total_lines == 1 else 's'}", engine, log.model]
    return plain(f"{log.source} ({', '.join(each for each in said if each)})")


_NAMES = {"vllm": "vLLM", "ollama": "Ollama"}
_NO_ENGINE = (
    "No line of it is known as one of vLLM or Ollama, so this says little. Give the engine's whole "
    "log, such as `docker logs NAME` prints it."
)


def saved_text(snapshot: "Snapshot", file: Path, size: int) -> str:
    """What was saved, and what to know before it is sent to somebody."""
    at = datetime.fromtimestamp(snapshot.taken_at).astimezone().strftime("%Y-%m-%d %H:%M")
    parts = ", ".join(_contents(snapshot))
    saved = f"Saved {file} ({file_size(size)}, for you alone to read), as of {at}: {parts}."
    careful = (
        "Tokens, keys, passwords and prompts were removed; names of folders, models and this "
        "host's programs are in it. Look through it before you send it."
    )
    return "\n".join(line for each in (saved, careful) for line in wrapped(each, text_width()))


def _contents(snapshot: "Snapshot") -> Iterator[str]:
    """The parts that are there, in words."""
    lines = sum(len(each.lines) for each in snapshot.logs or ())
    told = {
        "machine and memory": snapshot.system,
        "GPU": snapshot.gpu,
        "Docker": snapshot.docker,
        "engines that run": snapshot.engines,
        "ports": snapshot.ports,
        "folders": snapshot.folders,
        "runs of models": snapshot.runs,
        "figures of what serves": snapshot.serving,
        "settings": snapshot.settings,
        f"{lines:,} lines of {counted(len(snapshot.logs or ()), 'log')}": snapshot.logs,
    }
    yield from (name for name, part in told.items() if part)


def listed_text(checks: Iterable["Known"]) -> str:
    """All checks as a table."""
    rows = [(each.id, each.about.severity.value, each.about.title) for each in checks]
    return table(("ID", "WORST", "TITLE"), rows)


def explained_text(known: "Known") -> str:
    """One check, all that is known of it."""
    about, width = known.about, text_width()
    lines = [f"{click.style(about.title, bold=True)} ({about.id}, {about.severity.value})", ""]
    for title, paragraphs in (
        ("Asks", known.asks),
        ("Looks like", about.symptoms),
        ("Cause", (about.cause,)),
    ):
        lines += [f"{title}:", *_indented(paragraphs, width)]
    lines.append("What helps, in this order:" if about.remedies else "There is nothing to do.")
    for remedy in about.remedies:
        lines += remedy_lines(remedy, width, "sparkwell doctor --fix")
    return "\n".join([*lines, "Known from:", *_indented((about.reference,), width)])


def _indented(paragraphs: Iterable[str], width: int) -> Iterator[str]:
    for each in paragraphs:
        yield from wrapped(each, width, "    ", "    ")
