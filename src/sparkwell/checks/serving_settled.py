"""Findings that do not flap: one appears after several rounds, and stays a while.

A round is one judgement of a window. Windows overlap, so a value that hovers at a border crosses it
many times; what a person sees changes only when it has stayed on one side.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sparkwell.core.findings import Finding, Severity

APPEARS_AFTER = 3
GOES_AFTER = 6


@dataclass(frozen=True, slots=True)
class Standing:
    """One finding over rounds. ``seen`` and ``missed`` count rounds in a row; one of them is 0."""

    finding: Finding
    seen: int
    missed: int = 0
    shown: bool = False


Standings = Mapping[str, Standing]
"""By the finding's id."""


def settled(before: Standings, now: Iterable[Finding]) -> dict[str, Standing]:
    """The standings after one more round, of one model.

    What is well (severity ``ok``) counts as not found. A shown finding is told with its newest
    figures, and with its last ones while it is missed.
    """
    found = {each.id: each for each in now if each.severity is not Severity.OK}
    standings = {id_: _seen(before.get(id_), finding) for id_, finding in found.items()}
    for id_, standing in before.items():
        if id_ not in found and (kept := _missed(standing)):
            standings[id_] = kept
    return standings


def shown(standings: Standings) -> tuple[Finding, ...]:
    """What to tell, errors and warnings before what is only worth knowing, then by id."""
    told = [each.finding for each in standings.values() if each.shown]
    order = (Severity.ERROR, Severity.WARNING, Severity.INFO, Severity.OK)
    return tuple(sorted(told, key=lambda each: (order.index(each.severity), each.id)))


def _seen(before: Standing | None, finding: Finding) -> Standing:
    seen = (before.seen if before else 0) + 1
    is_shown = seen >= APPEARS_AFTER or (before is not None and before.shown)
    return Standing(finding, min(seen, APPEARS_AFTER), 0, is_shown)


def _missed(before: Standing) -> Standing | None:
    missed = before.missed + 1
    if not before.shown or missed >= GOES_AFTER:
        return None
    return Standing(before.finding, 0, missed, True)
