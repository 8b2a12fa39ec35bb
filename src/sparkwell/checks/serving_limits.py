"""The thresholds of ``serving_limits.yaml``: those of the guides, with where they stand, and ours.

Sides: ``kv-low``, ``gpu-low``, ``single-slow``, ``plan-share`` and ``prefix-hit`` speak below their
value; ``kv-high``, ``gpu-high``, ``ttft`` and ``long-running`` above it; ``long-prompt`` and
``repeats`` from it on.
"""

from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from sparkwell.checks.serving_parts import Window
from sparkwell.core.documents import parse_document

FILE = "serving_limits.yaml"

LimitName = Literal[
    "kv-low",
    "kv-high",
    "gpu-low",
    "gpu-high",
    "ttft",
    "single-slow",
    "long-running",
    "long-prompt",
    "plan-share",
    "prefix-hit",
    "repeats",
]


class Part(BaseModel):
    """A part of the file; the file says at its top what each field is."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Limit(Part):
    """One row. Shares are 0 to 1, times seconds, speeds tokens/s, prompts tokens."""

    limit: LimitName
    value: PositiveFloat
    models: tuple[str, ...] = ()
    guide: str | None = None
    line: PositiveInt | None = None
    claims: tuple[str, ...] = ()
    source: str | None = None
    advice: str

    @model_validator(mode="after")
    def _has_one_source(self) -> "Limit":
        if (self.guide is None) == (self.source is None) or (self.guide is None) != (
            self.line is None
        ):
            raise ValueError("a limit has a guide and a line, or a source")
        return self

    @property
    def says(self) -> str:
        """Who says so, in a few words."""
        return f"the guide of {self.guide}, line {self.line}" if self.guide else "Sparkwell's own"


class Evidence(Part):
    """What a window has to have before anything is said."""

    samples: PositiveInt
    seconds: PositiveFloat
    busy: float = Field(ge=0, le=1)
    requests: PositiveInt
    prompts: PositiveInt


class Limits(Part):
    """The whole file."""

    evidence: Evidence
    limits: tuple[Limit, ...]

    @model_validator(mode="after")
    def _one_row_for_each_model(self) -> "Limits":
        keys = [(row.limit, model) for row in self.limits for model in row.models or (None,)]
        if len(keys) != len(set(keys)):
            raise ValueError("two rows of one limit are for the same model")
        return self


@cache
def limits() -> Limits:
    """The file, read once."""
    text = files(__package__).joinpath(FILE).read_text(encoding="utf-8")
    return parse_document(text, Limits, FILE)


@cache
def limit(name: LimitName, model: str) -> Limit:
    """The row for a model: its own, else the one for all."""
    rows = [row for row in limits().limits if row.limit == name]
    own = [row for row in rows if model in row.models]
    return own[0] if own else next(row for row in rows if not row.models)


def enough(window: Window) -> bool:
    """Whether the window is long enough to say anything at all."""
    least = limits().evidence
    return window.samples >= least.samples and window.seconds >= least.seconds


def loaded(window: Window) -> bool:
    """Whether it is, and requests ran for long enough in it to judge the engine by."""
    return enough(window) and (window.busy or 0.0) >= limits().evidence.busy
