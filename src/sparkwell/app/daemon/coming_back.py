"""Models that are to be started again as they were: with what, and by whom they were wanted."""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sparkwell.app.daemon.remembering import KEPT
from sparkwell.core.errors import SparkwellError
from sparkwell.core.launch import HELD
from sparkwell.store import Intent, Resident
from sparkwell.supervisor.box import Leaving
from sparkwell.supervisor.terms import Terms

logger = logging.getLogger(__name__)
_PLANNED_TO = 0.1
"""How exactly the least is known, as a share of it."""
Labels = Mapping[str, str]
TermsOf = Callable[[str, Labels, bool], Terms]
"""The terms of a model that is to be started again, by the labels of its last run, and whether a
person had started it; raises SparkwellError."""


@dataclass(frozen=True, slots=True)
class Back:
    """A model that is to come back as it was: with what it was started, and by whom."""

    model: str
    labels: Labels
    kept: bool


def who_left(switch: Intent) -> list[Back]:
    """Those that made room in a switch."""
    names, wishes = switch.data.get("from"), switch.data.get("wishes")
    models = [str(each) for each in names] if isinstance(names, Sequence) else []
    known = wishes if isinstance(wishes, Mapping) else {}
    return [_as_it_was(model, known.get(model)) for model in models]


def who_was_ready(resident: Resident) -> Back:
    """One that was ready when the machine went down."""
    try:
        read = json.loads(resident.wish)
    except ValueError:
        read = None
    labels = read if isinstance(read, dict) else {}
    return Back(resident.model, _texts(labels), bool(labels.get(KEPT, False)))


def leavings(models: Iterable[Back], terms_of: TermsOf) -> tuple[Leaving, ...]:
    """As the box has them; who cannot be started here any more is left out."""
    found: list[Leaving] = []
    for each in models:
        try:
            terms = terms_of(each.model, each.labels, each.kept)
            terms = _no_more_than_before(terms, each.labels)
        except (SparkwellError, ValueError) as error:  # ValueError: labels that nobody can read
            logger.warning("%s does not come back: %s", each.model, error)
        else:
            found.append(Leaving(each.model, terms, each.kept))
    return tuple(found)


def _no_more_than_before(terms: Terms, labels: Labels) -> Terms:
    """What it held left room for those beside it; with all that is free it would keep them out.

    Where it would need more by now, its engine or its flags are others: then it takes its chance.
    """
    held, least = int(labels.get(HELD) or 0), terms.least_bytes or 0
    if held <= 0 or held < least * (1 - _PLANNED_TO):
        return terms
    return replace(terms, least_bytes=min(least or held, held), most_bytes=held)


def _as_it_was(model: str, wish: object) -> Back:
    """Where nothing is known of it, it is taken for one that a person had started."""
    found = wish if isinstance(wish, Mapping) else {}
    return Back(model, _texts(found.get("labels")), found.get("kept") is not False)


def _texts(labels: object) -> dict[str, str]:
    """Those that are text: whatever was written there by whom."""
    found = labels if isinstance(labels, Mapping) else {}
    return {name: value for name, value in found.items() if isinstance(value, str)}
