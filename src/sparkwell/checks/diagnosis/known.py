"""All checks that there are, by their groups: what can be listed, explained and written down."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from sparkwell.checks import box_about, preflight, serving
from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis import downloads, flags, memory, platform, running
from sparkwell.checks.diagnosis.judge import DIAGNOSES, abouts
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.errors import UsageError

GROUPS: Mapping[str, str] = {
    "memory": "Memory",
    "platform": "GPU, driver, image, kernels",
    "flags": "Flags",
    "downloads": "Downloads, disk, ports",
    "running": "Running models",
    "serving": "Models that serve",
    "box": "The box",
    "start": "Before a start",
}
"""The groups in the order in which they are told, and their titles."""


@dataclass(frozen=True, slots=True)
class Known:
    """One trouble that is looked for. ``asks`` are the questions, one for each way to see it."""

    id: str
    group: str
    asks: tuple[str, ...]
    about: About

    def to_json(self) -> dict[str, object]:
        """The check as a JSON object; its keys are stable."""
        about = self.about
        return {
            "id": self.id,
            "group": self.group,
            "severity": about.severity.value,
            "title": about.title,
            "asks": list(self.asks),
            "symptoms": list(about.symptoms),
            "cause": about.cause,
            "remedies": [each.to_json() for each in about.remedies],
            "reference": about.reference,
        }


@cache
def known() -> tuple[Known, ...]:
    """Every trouble, each once, in the order of the groups; a test proves that none lacks."""
    about = {each.id: each for each in abouts()}
    questions: dict[str, dict[str, list[str]]] = {}
    for group, id_, asks in _questions():
        questions.setdefault(id_, {}).setdefault(group, []).append(asks)
    return tuple(
        Known(id_, next(iter(asked)), _each_once(asked.values()), about[id_])
        for id_, asked in questions.items()
        if id_ in about
    )


def explained(id_: str) -> Known:
    """The trouble of that id, in any case; raises UsageError that names near ones."""
    wanted = id_.strip().lower()
    found = next((each for each in known() if each.id == wanted), None)
    if found is None:
        near = get_close_matches(wanted, [each.id for each in known()], n=3, cutoff=0.5)
        raise UsageError(
            f"No check has the id {id_[:80]!r}.",
            hint=f"Did you mean {_either(near)}?" if near else
            "`sparkwell doctor --list` names all.",
        )  # fmt: skip
    return found


def _either(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


def asked_of(snapshot: Snapshot) -> int:
    """How many checks a snapshot can answer: those of a log alone are fewer."""
    if snapshot.system is None and snapshot.runs is None:
        return len({each.id for each in DIAGNOSES})
    return len(known())


def _questions() -> Iterator[tuple[str, str, str]]:
    """Group, id and question of every check."""
    groups: Mapping[str, Iterable[Check]] = {
        "memory": memory.CHECKS,
        "platform": platform.CHECKS,
        "flags": flags.CHECKS,
        "downloads": downloads.CHECKS,
        "running": running.CHECKS,
    }
    for group, checks in groups.items():
        yield from ((group, each.id, each.asks) for each in checks)
    yield from (("serving", each.id, each.asks) for each in serving.CHECKS)
    yield from (("box", about.id, asks) for about, asks in box_about.ASKED)
    yield from (("start", each.id, each.asks) for each in preflight.CHECKS)


def _each_once(asked: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each for group in asked for each in group))
