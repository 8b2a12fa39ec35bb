"""The measured starts of ``starts.yaml``, and what the planner says of one.

Data for fitting, tests and docs/accuracy.md; no plan reads it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt

from sparkwell.catalog.described import Described
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.documents import parse_document
from sparkwell.hardware.machine import Machine
from sparkwell.hardware.quantities import size
from sparkwell.planner.engine_rules import EngineRules
from sparkwell.planner.memory import Calibration, Memory, plan_memory
from sparkwell.planner.overhead import DEFAULT, Coefficients
from sparkwell.planner.settings import resolve

FILE = "starts.yaml"


@dataclass(frozen=True, slots=True)
class Session:
    """Starts of one machine with one set of software.

    ``machine`` is a shipped description's name, ``total_bytes`` what the engine saw there.
    ``fitted`` says that terms of the planner were fitted on these starts alone.
    """

    machine: str
    what: str
    engine_version: str
    date: str
    software: str
    source: str
    total_bytes: int | None
    fitted: bool


@dataclass(frozen=True, slots=True)
class Start:
    """One start: what was asked for, and what the engine counted, in bytes where known.

    ``warm``: compiled code was kept from an earlier start. ``runner`` is the model runner that was
    forced, None where the engine chose. ``weights_bytes``, ``kv_bytes`` of a log are rounded to
    0.01 GiB. ``peak_bytes`` is the trial run's, ``graph_bytes`` the engine's estimate,
    ``held_bytes`` what the GPU had in use under load.
    """

    name: str
    session: Session
    model: str
    flags: Mapping[str, FlagValue]
    warm: bool
    runner: Literal["v1"] | None
    kv_tokens: int
    weights_bytes: int | None
    kv_bytes: int | None
    peak_bytes: int | None
    non_torch_bytes: int | None
    graph_bytes: int | None
    held_bytes: int | None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A start that brought no figure, and why."""

    machine: str
    model: str
    flags: Mapping[str, FlagValue]
    why: str


Bytes = Annotated[int, BeforeValidator(size)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Counted(_Strict):
    weights: Bytes | None = None
    kv: Bytes | None = None
    peak: Bytes | None = None
    non_torch: Bytes | None = None
    graphs: Bytes | None = None
    held: Bytes | None = None


class _Start(_Strict):
    name: str
    model: str
    flags: dict[str, FlagValue] = Field(default_factory=dict)
    warm: bool = False
    runner: Literal["v1"] | None = None
    kv_tokens: PositiveInt
    bytes: _Counted = _Counted()

    def start(self, session: Session, flags: Mapping[str, FlagValue]) -> Start:
        """The value, with the session's flags under its own."""
        counted = self.bytes
        return Start(
            name=self.name,
            session=session,
            model=self.model,
            flags={**flags, **self.flags},
            warm=self.warm,
            runner=self.runner,
            kv_tokens=self.kv_tokens,
            weights_bytes=counted.weights,
            kv_bytes=counted.kv,
            peak_bytes=counted.peak,
            non_torch_bytes=counted.non_torch,
            graph_bytes=counted.graphs,
            held_bytes=counted.held,
        )


class _Session(_Strict):
    machine: str
    what: str
    engine_version: str
    date: str
    software: str
    source: str
    total_bytes: Bytes | None = None
    fitted: bool = False
    flags: dict[str, FlagValue] = Field(default_factory=dict)
    starts: tuple[_Start, ...] = Field(min_length=1)

    def values(self) -> tuple[Start, ...]:
        """The starts as values."""
        own = self.model_dump(exclude={"flags", "starts"})
        session = Session(**own)
        return tuple(each.start(session, self.flags) for each in self.starts)


class _LeftOut(_Strict):
    machine: str
    model: str
    flags: dict[str, FlagValue]
    why: str


class _Document(_Strict):
    sessions: tuple[_Session, ...]
    left_out: tuple[_LeftOut, ...] = ()


@cache
def _document() -> _Document:
    text = files(__package__).joinpath(FILE).read_text(encoding="utf-8")
    return parse_document(text, _Document, FILE)


def load_starts() -> tuple[Start, ...]:
    """Every measured start, in the file's order."""
    return tuple(start for session in _document().sessions for start in session.values())


def left_out() -> tuple[LeftOut, ...]:
    """The starts that brought nothing to compare with."""
    return tuple(LeftOut(**each.model_dump()) for each in _document().left_out)


def plan_start(
    start: Start,
    described: Described,
    machine: Machine,
    rules: EngineRules,
    *,
    calibration: Calibration | None = None,
    coefficients: Coefficients = DEFAULT,
) -> Memory:
    """What the planner says of a start; ``rules`` are those of its engine version."""
    if start.runner == "v1":
        rules = replace(rules, v2_default="none")
    return plan_memory(
        described,
        machine,
        rules,
        resolve(start.flags, described, machine, rules),
        calibration=calibration,
        warm=start.warm,
        coefficients=coefficients,
    )


def calibration_of(start: Start, planned: Memory) -> Calibration:
    """What a start teaches the next plan of the same kind; ``planned`` is its own plan.

    Where the weights are unknown the planned ones are taken, and the KV cache is counted from its
    tokens where its bytes are unknown.
    """
    weights = start.weights_bytes or planned.weights
    cache = start.kv_bytes or start.kv_tokens * planned.kv_per_token
    return Calibration(planned.budget - weights - cache, weights)
