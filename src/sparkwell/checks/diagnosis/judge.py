"""All checks together: what a snapshot says of a host, of its models, and of a log."""

from collections.abc import Iterable, Iterator

from sparkwell.checks import box, box_about, preflight, serving_about, start_about
from sparkwell.checks.about import About
from sparkwell.checks.check import Check, heard, run
from sparkwell.checks.diagnosis import downloads, flags, memory, platform, running
from sparkwell.checks.diagnosis.cured import without_cured
from sparkwell.checks.serving import interpret
from sparkwell.checks.serving_parts import Serving
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Severity, has_errors

DIAGNOSES: tuple[Check, ...] = (
    *memory.CHECKS,
    *platform.CHECKS,
    *flags.CHECKS,
    *downloads.CHECKS,
    *running.CHECKS,
)
CHECKS: tuple[Check, ...] = (*preflight.CHECKS, *DIAGNOSES)
_ORDER = (Severity.ERROR, Severity.WARNING, Severity.INFO, Severity.OK)


def judge(snapshot: Snapshot) -> tuple[Finding, ...]:
    """All findings, the worst first, good news last; each only once."""
    return _in_order(without_cured(snapshot, _judged))


def _judged(snapshot: Snapshot) -> tuple[Finding, ...]:
    """All findings; of the general ones those that nothing else explains."""
    special = [
        *run((each for each in CHECKS if not each.general), snapshot),
        *_of_box(snapshot),
        *(each for one in snapshot.serving or () for each in _of_serving(one)),
    ]
    general = run((each for each in CHECKS if each.general), snapshot)
    return (*special, *_unexplained(general, special))


def _of_box(snapshot: Snapshot) -> tuple[Finding, ...]:
    state = snapshot.box
    return heard("box", lambda: box.look_at(state)) if state else ()


def _of_serving(serving: Serving) -> tuple[Finding, ...]:
    return heard("serving", lambda: interpret(serving))


def abouts() -> tuple[About, ...]:
    """What is known of each trouble, each id once; a diagnosis knows more than a first look."""
    said = (
        *(each.about for each in DIAGNOSES if each.about),
        *(each.about for each in preflight.CHECKS if each.about),
        *(about for about, _ in box_about.ASKED),
        *serving_about.ABOUTS,
        *start_about.ABOUTS,
    )
    first: dict[str, About] = {}
    for each in said:
        first.setdefault(each.id, each)
    return tuple(first.values())


def _unexplained(general: Iterable[Finding], special: Iterable[Finding]) -> Iterator[Finding]:
    """A general finding is heard where nothing else explains the error of the same log.

    Of several general checks the first one explains it for the others.
    """
    explained: dict[str | None, str] = {
        each.about: "something special" for each in special if has_errors((each,))
    }
    for each in general:
        if explained.setdefault(each.about, each.id) == each.id:
            yield each


def _in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    unique = {(each.id, each.about, each.severity, each.title): each for each in findings}
    return tuple(sorted(unique.values(), key=lambda each: _ORDER.index(each.severity)))
