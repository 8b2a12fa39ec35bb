"""The runs of a host whose daemon is away: what the drivers see, and what the store remembers."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from sparkwell.app.diagnosing.remembered import Remembered
from sparkwell.app.diagnosing.runs import held_back, planned, run_of_spec, with_failures
from sparkwell.catalog import Catalog
from sparkwell.checks.run_parts import Run
from sparkwell.core.launch import ExitRecord, LaunchSpec, Running

Ended = tuple[LaunchSpec, ExitRecord]


def resting_runs(
    live: Iterable[Running], ended: Iterable[Ended], known: Remembered, catalog: Catalog
) -> tuple[Run, ...]:
    """One run for each model that lives, or whose newest run ended by itself, or is held back.

    ``ended`` stand with the latest first. Whether one that lives is ready, its log says.
    """
    found = {each.spec.model: _live(each) for each in live}
    for model, run in _failed(ended):
        found.setdefault(model, run)
    for model, row in known.breakers.items():
        found.setdefault(model, held_back(row))
    return tuple(
        planned(replace(with_failures(run, known.breakers.get(model)),
                        restarts=known.restarts.get(model, 0)), catalog)
        for model, run in found.items()
    )  # fmt: skip


def _live(running: Running) -> Run:
    return replace(run_of_spec(running.spec, "ready"), started_at=running.started_at)


def _failed(ended: Iterable[Ended]) -> Iterator[tuple[str, Run]]:
    """The newest ended run of each model, where nobody had wanted its end."""
    seen = set[str]()
    for spec, record in ended:
        if spec.model not in seen and not record.requested:
            run = run_of_spec(spec, "failed", record)
            error = f"the engine ended by itself ({record.reason})"
            yield spec.model, replace(run, error=error)
        seen.add(spec.model)
