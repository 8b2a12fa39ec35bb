"""What a check is: an id, what it asks, and a pure function from a snapshot to findings."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath

from sparkwell.checks.about import About
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

NOT_LOOKED_AT = "not-looked-at"
Look = Callable[[Snapshot], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """One check. ``id`` names the trouble, ``asks`` is the question that it answers.

    ``look`` says nothing where the question does not arise, or where a part of the snapshot
    that it needs is missing. All its findings have the check's id. Two checks may have one id:
    before a start and in a log the same trouble shows differently; one of them has the ``about``.
    A check that is ``general`` is heard only where no other one explains the log's error.
    """

    id: str
    asks: str
    look: Look
    about: About | None = None
    general: bool = False


def run(checks: Iterable[Check], snapshot: Snapshot) -> tuple[Finding, ...]:
    """All findings, in the order of the checks. One that is broken hides no other."""
    return tuple(
        finding for each in checks for finding in heard(each.id, partial(each.look, snapshot))
    )


def heard(id_: str, look: Callable[[], Iterable[Finding]]) -> tuple[Finding, ...]:
    """What ``look`` finds; where it raises, a finding that says so, and of its own nothing."""
    try:
        return tuple(look())
    except Exception as error:  # nobody foresaw it: the other checks must be heard all the same
        return (_broken(id_, error),)


def _broken(id_: str, error: Exception) -> Finding:
    """Without the error's words: they may repeat anything that stands in a snapshot."""
    at = error.__traceback__
    while at and at.tb_next:
        at = at.tb_next
    place = f" ({PurePath(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno})" if at else ""
    return Finding(
        NOT_LOOKED_AT,
        Severity.WARNING,
        f"The check {id_} is broken: what it looks for was not looked at",
        (f"{type(error).__name__}{place}",),
        cause="This is a mistake in Sparkwell. The other checks are not touched by it.",
        remedies=(
            Remedy("Save what was looked at, and report it.", "sparkwell doctor --save FILE"),
        ),
    )
