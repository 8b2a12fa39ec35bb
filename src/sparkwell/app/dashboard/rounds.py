"""A round of the monitor, as the pages show it: figures by model, and of the box as a whole."""

from collections.abc import Iterable, Mapping

from sparkwell.monitor.overview import Overview
from sparkwell.web.services import Round

_SUMS = ("output_tokens_per_s", "prompt_tokens_per_s", "requests_per_s", "running", "waiting")
_WORST = ("ttft_p50_s", "ttft_p95_s", "itl_p95_s", "kv_used")


def round_of(overview: Overview) -> Round | None:
    """The newest round; None before the first."""
    if overview.at is None:
        return None
    by_model = {
        overview.models[instance]: reading.values()
        for instance, reading in overview.readings.items()
        if reading.problem is None
    }
    problems = {
        overview.models[instance]: reading.problem
        for instance, reading in overview.readings.items()
        if reading.problem
    }
    return Round(
        at=overview.at,
        models=by_model,
        machine=overview.machine_values(),
        box=box_figures(by_model.values()),
        problems=problems,
    )


def box_figures(models: Iterable[Mapping[str, float | None]]) -> dict[str, float | None]:
    """All models together: what flows is added up, of waiting and fullness the worst is told."""
    every = list(models)
    sums = {name: _known(every, name) for name in _SUMS}
    worst = {name: _known(every, name) for name in _WORST}
    return {
        **{name: sum(values) if values else None for name, values in sums.items()},
        **{name: max(values, default=None) for name, values in worst.items()},
    }


def _known(models: Iterable[Mapping[str, float | None]], name: str) -> list[float]:
    return [value for each in models if (value := each.get(name)) is not None]
