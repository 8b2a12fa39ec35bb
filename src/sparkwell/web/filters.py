"""The filters of the templates, by the names that they have there."""

from collections.abc import Callable, Mapping
from typing import Any

from sparkwell.web import figures, words

FILTERS: Mapping[str, Callable[..., Any]] = {
    "gib": figures.gib,
    "figure": figures.figure,
    "whole": figures.whole,
    "percent": figures.percent,
    "seconds": figures.seconds,
    "span": figures.span,
    "size": figures.size,
    "clock": figures.clock,
    "until": figures.until,
    "iso": figures.iso,
    "share": figures.share,
    "state_name": words.state_name,
    "tone": words.tone,
    "event_tone": words.event_tone,
    "marked": words.marked,
    "slug": words.slug,
    "sentence": words.sentence,
    "machine_figures": figures.machine_figures,
    "as_json": words.script_json,
}
