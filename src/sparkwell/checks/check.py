"""What a check is: an id, what it asks, and a pure function from a snapshot to findings."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding

Look = Callable[[Snapshot], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """One check. ``id`` names the trouble, ``asks`` is the question that it answers.

    ``look`` says nothing where the question does not arise, or where a part of the snapshot
    that it needs is missing. All its findings have the check's id.
    """

    id: str
    asks: str
    look: Look


def run(checks: Iterable[Check], snapshot: Snapshot) -> tuple[Finding, ...]:
    """All findings, in the order of the checks."""
    return tuple(finding for check in checks for finding in check.look(snapshot))
