"""Sparkwell's page for Prometheus: its own series, then those of the engines as they told them."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sparkwell.core.findings import Finding
from sparkwell.monitor import exposition_series as names
from sparkwell.monitor.exposition_keys import KeyFigures, samples_of
from sparkwell.monitor.exposition_page import EnginePage, merged
from sparkwell.monitor.exposition_series import Series

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Figures = Mapping[str, float | None]
"""Figures by a series' name without the prefix; None, and what is not finite, is not told."""


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """What is told of one model; None, and what is left out, is unknown and not told.

    ``state`` is the instance's, "stopped" where there is none. ``wanted`` is whether a person or
    the settings want it loaded. ``engine``, ``version`` and ``run`` are those of its instance.
    ``queued`` are requests that wait at the gateway for it, ``load_s`` the seconds of each phase
    of its last start. ``readings`` and ``planned`` are by the names of ``exposition_series``.
    """

    model: str
    state: str | None = None
    wanted: bool | None = None
    breaker_open: bool | None = None
    engine: str | None = None
    version: str | None = None
    run: str | None = None
    queued: int | None = None
    readings: Figures = field(default_factory=dict)
    planned: Figures = field(default_factory=dict)
    load_s: Figures = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Exposed:
    """All that Sparkwell tells of itself at one moment.

    ``switches`` and ``guard_trips`` count and never fall while the daemon lives; a Prometheus
    copes with a restart. ``states`` are all that a model can be in.
    """

    version: str
    models: Sequence[ModelFigures] = ()
    machine: Figures = field(default_factory=dict)
    gateway: Figures = field(default_factory=dict)
    switches: int | None = None
    guard_trips: int | None = None
    memory_floor_bytes: int | None = None
    states: Sequence[str] = ()
    keys: KeyFigures = field(default_factory=KeyFigures)


def expose(exposed: Exposed, pages: Iterable[EnginePage]) -> bytes:
    """The page: of each name HELP and TYPE once, and its samples together.

    Of two pages of one model the last is taken: a series may be there only once.
    """
    taken = list({page.model: page for page in pages}.values())
    own = generate_latest(_Own(exposed, taken))
    return own + merged(taken).encode("utf-8", "replace")


class _Own(Collector):
    """Sparkwell's series from values; there is no registry, and nothing is kept between pages."""

    def __init__(self, exposed: Exposed, pages: Sequence[EnginePage]) -> None:
        self._exposed = exposed
        self._pages = pages

    def collect(self) -> Iterator[Metric]:
        """The series of which something is known."""
        exposed, models = self._exposed, self._exposed.models
        yield from _told(_info(names.BUILD), [((exposed.version,), 1)])
        yield from _told(_info(names.ENGINE), _engines(models))
        yield from _told(names.STATE, _states(models, exposed.states))
        yield from _told(names.READY, _flags((m.model, _is_ready(m.state)) for m in models))
        yield from _told(names.WANTED, _flags((m.model, m.wanted) for m in models))
        yield from _told(names.BREAKER, _flags((m.model, m.breaker_open) for m in models))
        yield from _told(names.QUEUE, [((m.model,), m.queued) for m in models])
        yield from _told(names.SCRAPE_OK, [((p.model,), float(p.ok)) for p in self._pages])
        yield from _told(names.PHASE, _phases(models))
        yield from _told(names.FINDING, _findings(models))
        for series in names.READINGS:
            yield from _told(series, [((m.model,), m.readings.get(series.name)) for m in models])
        for series, samples in samples_of(self._exposed.keys):
            yield from _told(series, samples)
        for series in names.PLANNED:
            yield from _told(series, [((m.model,), m.planned.get(series.name)) for m in models])
        yield from self._singles()

    def _singles(self) -> Iterator[Metric]:
        """What there is one of."""
        exposed = self._exposed
        for series in names.MACHINE:
            yield from _told(series, [((), exposed.machine.get(series.name))])
        for series in names.GATEWAY:
            yield from _told(series, [((), exposed.gateway.get(series.name))])
        yield from _told(names.SWITCHES, [((), exposed.switches)])
        yield from _told(names.TRIPS, [((), exposed.guard_trips)])
        yield from _told(names.FLOOR, [((), exposed.memory_floor_bytes)])


_Sample = tuple[tuple[str, ...], float | None]


def _told(series: Series, samples: Iterable[_Sample]) -> Iterator[Metric]:
    """The series with its samples; without any it is not named. Of two alike the first is told."""
    known: dict[tuple[str, ...], float] = {}
    for labels, value in samples:
        if value is not None and math.isfinite(value):
            known.setdefault(labels, value)
    if known:
        kind = CounterMetricFamily if series.kind == "counter" else GaugeMetricFamily
        family = kind(names.PREFIX + series.name, series.help, labels=series.labels)
        for labels, value in known.items():
            family.add_metric(labels, value)
        yield family


def _info(series: Series) -> Series:
    return Series(f"{series.name}_info", series.help, series.labels)


def _engines(models: Iterable[ModelFigures]) -> Iterator[_Sample]:
    for each in models:
        if each.engine is not None:
            yield (each.model, each.engine, each.version or "", each.run or ""), 1


def _is_ready(state: str | None) -> bool | None:
    return None if state is None else state == "ready"


def _flags(known: Iterable[tuple[str, bool | None]]) -> Iterator[_Sample]:
    for model, is_so in known:
        yield (model,), None if is_so is None else float(is_so)


def _states(models: Iterable[ModelFigures], states: Iterable[str]) -> Iterator[_Sample]:
    every = tuple(states)
    for each in models:
        if each.state is not None:
            for state in dict.fromkeys((*every, each.state)):
                yield (each.model, state), float(state == each.state)


def _phases(models: Iterable[ModelFigures]) -> Iterator[_Sample]:
    for each in models:
        for phase, took_s in each.load_s.items():
            yield (each.model, phase), took_s


def _findings(models: Iterable[ModelFigures]) -> Iterator[_Sample]:
    for each in models:
        for finding in each.findings:
            yield (each.model, finding.id, finding.severity.value), 1
