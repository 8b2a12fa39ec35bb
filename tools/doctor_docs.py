"""Write docs/doctor.md from the checks and docs/guide-cures.md from the guides' cures: `make docs`.

With --check nothing is written: the exit status is 1 when a file is not what it should be.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import get_args

from generated import bring_up_to_date
from sparkwell.catalog.guide_claims import load_guides
from sparkwell.checks.diagnosis.cures import Cure, Cures, Section, Verdict, cures
from sparkwell.checks.diagnosis.known import GROUPS, Known, known
from sparkwell.core.findings import Remedy

DOCS = Path(__file__).parent.parent / "docs"
TEXTS = Path(__file__).parent / "doctor_pages"
NOTE = "<!-- Written by tools/doctor_docs.py: change {source}, then run `make docs`. -->"


def doctor_page() -> str:
    """Every check: a table for each group, then a section for each."""
    checks = known()
    titles = {title: [each for each in checks if each.group == group]
              for group, title in GROUPS.items()}  # fmt: skip
    tables = (f"### {title}\n\n{_checks(found)}" for title, found in titles.items() if found)
    in_order = [each for found in titles.values() for each in found]
    return _text("doctor.md").format(
        note=NOTE.format(source="the checks in src/sparkwell/checks"),
        count=len(checks),
        tables="\n\n".join(tables),
        sections="\n\n".join(map(_check, in_order)),
    )


def _checks(checks: Iterable[Known]) -> str:
    rows = (
        (f"[`{each.id}`](#{each.id})", each.about.severity.value, _cell(each.about.title))
        for each in checks
    )
    return table(("id", "worst", "what is wrong"), rows)


def _check(check: Known) -> str:
    """One check in full; commands in blocks of text, for MODEL and IMAGE are no names."""
    about = check.about
    return "\n\n".join(
        (
            f"## {check.id}",
            f"{_sentence(about.title)} *{' '.join(check.asks)}*",
            "Looks like:",
            "\n".join(f"- {_symptom(each)}" for each in about.symptoms),
            _prose(about.cause),
            _remedies(about.remedies),
            f"Known from: {about.reference}",
        )
    )


def _symptom(text: str) -> str:
    """A log's wording as code, unless it is a sentence that marks its code itself."""
    return _prose(text) if "`" in text or text.endswith(".") else f"`{text}`"


def _prose(text: str) -> str:
    """A sentence; what HTML would take for a tag is not one."""
    return text.replace("<", "\\<")


def _remedies(remedies: Sequence[Remedy]) -> str:
    if not remedies:
        return "There is nothing to do."
    listed = "\n".join(_remedy(number, each) for number, each in enumerate(remedies, 1))
    return f"What helps, in this order:\n\n{listed}"


def _remedy(number: int, remedy: Remedy) -> str:
    fix = " (`sparkwell doctor --fix` does it.)" if remedy.fix else ""
    lines = (remedy.command or "").splitlines()
    typed = "".join(f"\n\n       {line}" if not at else f"\n       {line}"
                    for at, line in enumerate(lines))  # fmt: skip
    return f"{number}. {remedy.text}{fix}{typed}"


def cures_page() -> str:
    """Every section of the guides about troubles, with a verdict on each cure."""
    found, titles = cures(), {each.document: each.title for each in load_guides()}
    guides = dict.fromkeys(each.guide for each in found.sections)
    sections = (
        f"## {titles[f'{guide}.md']}\n\n"
        + "\n\n".join(_section(found, each) for each in found.sections if each.guide == guide)
        for guide in guides
    )
    return _text("guide-cures.md").format(
        note=NOTE.format(source="src/sparkwell/checks/diagnosis/cures.yaml"),
        count=len(found.sections),
        summary=_summary(found),
        sections="\n\n".join(sections),
    )


def _summary(found: Cures) -> str:
    verdicts = Counter(found.cures[each.cure].verdict for section in found.sections
                       for each in section.cures)  # fmt: skip
    rows = ((verdict, str(verdicts[verdict])) for verdict in get_args(Verdict))
    return table(("verdict", "cures"), rows)


def _section(found: Cures, section: Section) -> str:
    ids = ", ".join(f"[`{each}`](doctor.md#{each})" for each in section.findings)
    rows = (_cure(each.line, found.cures[each.cure]) for each in section.cures)
    return (
        f"### {section.title.removeprefix('Issue: ')} (line {section.line})\n\n"
        f"{section.symptom}\n\nFindings: {ids}\n\n"
        + table(("line", "the guide's cure", "verdict", "why"), rows)
    )


def _cure(line: int, cure: Cure) -> tuple[str, ...]:
    typed = f"<br>`{cure.command.replace('|', chr(92) + '|')}`" if cure.command else ""
    instead = f" Instead: `{cure.instead}`." if cure.instead else ""
    why = f"{_cell(cure.why)}{instead} ({_cell(cure.source)})"
    return str(line), f"{_cell(cure.does)}{typed}", f"**{cure.verdict}**", why


def _text(name: str) -> str:
    return (TEXTS / name).read_text(encoding="utf-8")


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."


def pages() -> Iterator[tuple[Path, str]]:
    """Both pages."""
    yield DOCS / "doctor.md", doctor_page()
    yield DOCS / "guide-cures.md", cures_page()


if __name__ == "__main__":
    sys.exit(bring_up_to_date(dict(pages()), sys.argv[1:]))
