"""Findings as text for a terminal, shared by `doctor`, `preflight` and `up`.

Evidence comes from logs, and logs say what whoever sends requests wants them to say: nothing in
a finding is obeyed by the terminal.
"""

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence

import click

from sparkwell.core.findings import Finding, Remedy, Severity
from sparkwell.monitor.log_lines import harmless

_MARKS = {
    Severity.OK: ("✓", "green"),
    Severity.INFO: ("-", None),
    Severity.WARNING: ("!", "yellow"),
    Severity.ERROR: ("✗", "red"),
}
_NARROWEST, _WIDEST, _UNKNOWN = 40, 110, 100
_INDENT = 4


def text_width() -> int:
    """Columns that text may take here: as wide as the terminal, within reason."""
    columns = shutil.get_terminal_size((_UNKNOWN, 24)).columns
    return min(max(columns, _NARROWEST), _WIDEST)


def plain(text: str) -> str:
    """The text as a terminal may show it: no colours, control characters made visible."""
    return harmless(click.unstyle(text)).replace("\x1b", "␛")


def finding_lines(
    finding: Finding,
    *,
    width: int,
    named: bool = False,
    with_id: bool = False,
    fixed_by: str = "--fix",
) -> Iterator[str]:
    """The lines of one finding: title, evidence, cause, remedies with what to type.

    ``named`` puts the model, or the log, that it is about before the title; ``with_id`` the
    check's id behind it; ``fixed_by`` is what does the safe remedies. What is well has one line,
    with its evidence beside it.
    """
    yield from _head(finding, width, named, with_id)
    if finding.severity is Severity.OK:
        return
    for line in finding.evidence:
        yield from _paragraph(f"· {line}", width, hanging=2)
    if finding.cause:
        yield from _paragraph(finding.cause, width)
    for remedy in finding.remedies:
        yield from remedy_lines(remedy, width, fixed_by)


def remedy_lines(remedy: Remedy, width: int, fixed_by: str) -> Iterator[str]:
    """One way out, and what to type below it."""
    safe = f" ({fixed_by} does it)" if remedy.fix else ""
    yield from _paragraph(f"→ {remedy.text}{safe}", width, hanging=2)
    for line in (remedy.command or "").splitlines():
        # Never broken: it is there to be copied.
        yield " " * (2 * _INDENT) + plain(line)


def wrapped(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """Lines of whole words, for a path or a flag that is cut cannot be copied.

    ``first`` and ``rest`` stand before the first line and the others.
    """
    return textwrap.wrap(
        " ".join(text.split()),
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def counted(number: int, what: str) -> str:
    """A number with its noun: "1 error", "2 errors"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def tally(findings: Iterable[Finding]) -> tuple[int, int, int]:
    """How many errors, warnings and notes there are."""
    found = [each.severity for each in findings]
    errors, warnings, notes = map(found.count, (Severity.ERROR, Severity.WARNING, Severity.INFO))
    return errors, warnings, notes


def _head(finding: Finding, width: int, named: bool, with_id: bool) -> Iterator[str]:
    mark, colour = _MARKS[finding.severity]
    about = finding.about if named and (finding.about or "") not in finding.title else None
    title = plain(f"{about}: {finding.title}" if about else finding.title)
    first, *more = wrapped(title, width - 2) or [""]
    lines = [f"{click.style(mark, fg=colour)} {first}", *(f"  {line}" for line in more)]
    lines[-1] += _aside(finding, with_id)
    yield from lines


def _aside(finding: Finding, with_id: bool) -> str:
    """What a good finding rests on stands beside it; so does the id, for `doctor explain`."""
    beside = plain("; ".join(finding.evidence)) if finding.severity is Severity.OK else ""
    shown = [each for each in (beside, plain(finding.id) if with_id else "") if each]
    return "".join(click.style(f" ({each})", dim=True) for each in shown)


def _paragraph(text: str, width: int, hanging: int = 0) -> Sequence[str]:
    return wrapped(plain(text), width, " " * _INDENT, " " * (_INDENT + hanging))
