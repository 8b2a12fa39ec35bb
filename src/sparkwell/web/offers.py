"""What may be started here: which models stand first, and which button is offered.

A start that the daemon would refuse is not offered; its reason stands beside the model.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from sparkwell.web.values import Json, ModelEntry

Offer = Literal["ready", "lacking", "refused"]
"""A start has all it needs; it fetches something first; it would be refused."""
_RANKS: Mapping[Offer, int] = {"ready": 1, "lacking": 2, "refused": 3}
_GONE = ("stopped", "failed")


def offer(entry: ModelEntry) -> Offer:
    """What a start of a model would do on this machine; one without a plan may be tried."""
    if entry.blocked or (entry.plan is not None and not entry.plan["fits"]):
        return "refused"
    return "lacking" if entry.missing else "ready"


def fits_beside(status: Json, entry: ModelEntry | None) -> bool:
    """Whether a model finds room beside what runs, by plan; yes where that is not known."""
    memory = status.get("memory") or {}
    promised, budget = memory.get("promised_bytes"), memory.get("budget_bytes")
    if not promised or budget is None or entry is None or entry.plan is None:
        return True
    return bool(promised + entry.plan["memory"]["held_bytes"] <= budget)


def in_order(entries: Iterable[ModelEntry], running: Mapping[str, Json]) -> list[ModelEntry]:
    """Those that run, that can start, that lack something, that cannot; demos last of each.

    A model that comes with Sparkwell has no repository: it is there to try things out.
    """

    def place(entry: ModelEntry) -> tuple[int, bool]:
        lives = running.get(entry.name, {"state": "stopped"})["state"] not in _GONE
        return 0 if lives else _RANKS[offer(entry)], entry.repo is None

    return sorted(entries, key=place)


def with_strangers(
    entries: Sequence[ModelEntry], running: Mapping[str, Json]
) -> Sequence[ModelEntry]:
    """With those that run and that the catalog has not: Ollama's, for one."""
    known = {each.name for each in entries}
    strangers = [name for name in running if name not in known]
    return [*entries, *(_stranger(name) for name in strangers)]


def _stranger(name: str) -> ModelEntry:
    return ModelEntry(
        name, name, "Not in the catalog.", plan_error="Its engine divides the memory itself."
    )
