"""A run as a document: what was asked, what came, beside what was expected. Pure.

Names carry their units. Every figure of a case is a mean of its repeats with a 95 % interval; the
requests stand below, so that anybody can compute something else from them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sparkwell.bench.beside import Expected
from sparkwell.bench.claimed import Guide
from sparkwell.bench.figures import Figures, Slo, by_name
from sparkwell.bench.intervals import interval
from sparkwell.bench.lengths import lengths
from sparkwell.bench.notes import notes
from sparkwell.bench.out_of_reach import reach_notes
from sparkwell.bench.results import Measured, Repeat
from sparkwell.bench.sample import Sample
from sparkwell.bench.saved import caching_is_off, saved_json
from sparkwell.bench.suites import Case

VERSION = 1
Json = dict[str, Any]
Prompts = Literal["token ids", "text"]


@dataclass(frozen=True, slots=True)
class About:
    """What was measured, where, with what: all that somebody needs to do it again.

    ``at`` is Unix time. ``flags`` are the engine's, None where they are not known, as those of
    somebody else's endpoint. ``command`` is what was typed, ``prompts`` of what they were made.
    """

    run: str
    at: float
    model: str
    suite: str
    url: str
    command: str
    seed: str
    machine: Mapping[str, Any]
    versions: Mapping[str, str | None]
    repo: str | None = None
    flags: Mapping[str, Any] | None = None
    prompts: Prompts = "token ids"


@dataclass(frozen=True, slots=True)
class Beside:
    """What was expected of a case, as far as it is known.

    ``guide`` is of tokens a second, ``first`` of the time to a first token, ``saved`` of the share
    of it that a cache saves.
    """

    planned: Expected | None = None
    guide: Guide | None = None
    first: Guide | None = None
    saved: Guide | None = None


def document(
    about: About,
    cases: Sequence[Case],
    measured: Measured,
    beside: Callable[[Case], Beside],
    slo: Slo | None = None,
) -> Json:
    """The run. ``broken`` says why it is not whole; what was measured until then is there."""
    found = [
        _case(case, measured.repeats[place], beside(case), about, slo)
        for place, case in enumerate(cases)
        if place in measured.repeats
    ]
    return {
        "format": VERSION,
        **asdict(about),
        "slo": None if slo is None else asdict(slo),
        "broken": measured.broken,
        "cases": found,
        "saved": saved_json(found),
    }


def _case(
    case: Case, repeats: Sequence[Repeat], beside: Beside, about: About, slo: Slo | None
) -> Json:
    figures = [repeat.figures for repeat in repeats if repeat.figures.requests]
    text, uncached = about.prompts == "text", caching_is_off(about.flags)
    samples = [sample for repeat in repeats for sample in repeat.samples]
    said = notes(case, repeats, text=text, uncached=uncached)
    return {
        "name": case.name,
        "workload": asdict(case.workload),
        "clients": case.clients,
        "rate": case.rate,
        "requests": case.requests,
        "failed": sum(each.failed for each in figures),
        "lengths": lengths(repeats) if text else None,
        "measured": measured_figures(figures),
        "planned": None if beside.planned is None else asdict(beside.planned),
        **{
            name: None if claimed is None else asdict(claimed)
            for name, claimed in (
                ("guide", beside.guide),
                ("guide_ttft", beside.first),
                ("guide_saved", beside.saved),
            )
        },
        "notes": [*said, *reach_notes(samples, slo)],
        "repeats": [_repeat(repeat) for repeat in repeats],
        "set_aside": [
            {"repeat": number, **_repeat(aside)}
            for number, repeat in enumerate(repeats, 1)
            for aside in repeat.set_aside
        ],
    }


def measured_figures(figures: Sequence[Figures]) -> dict[str, Json]:
    """Each figure by its name (``ttft_p99_s``): mean, low, high, repeats. None known: left out."""
    rows = [by_name(each) for each in figures]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: asdict(interval([row[name] for row in rows if name in row])) for name in names}


def _repeat(repeat: Repeat) -> Json:
    figures = repeat.figures
    return {
        "broken": repeat.broken,
        "seconds": round(figures.seconds, 6),
        "silence_s": None if figures.silence is None else round(figures.silence.seconds, 6),
        "compiled_files": repeat.compiled,
        "client": {
            "lag_p99_s": figures.lag_p99_s, "share_of_a_core": round(figures.client_share, 4)
        },
        "requests": {
            "columns": ["due_s", "ttft_s", "tpot_s", "e2e_s", "prompt", "output", "error"],
            "rows": [_request(sample, repeat.began_s) for sample in repeat.samples],
        },
    }  # fmt: skip


def _request(sample: Sample, began_s: float) -> list[Any]:
    times = (sample.due_s - began_s, sample.ttft_s, sample.tpot_s, sample.e2e_s)
    rounded = [None if each is None else round(each, 6) for each in times]
    return [*rounded, sample.prompt_tokens, sample.tokens, sample.error]
