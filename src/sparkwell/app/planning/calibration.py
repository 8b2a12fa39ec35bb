"""What earlier starts on this machine say of the next: what was measured wins over the model.

What a start spent is its budget less its KV cache: weights and overhead together, and exact to a
KV block, since the engine counts its blocks. After a start with the same flags the next one is
planned with that. A first start also spends on compiling: its plan is on the safe side, and gives
way to that of a start that found compiled code.

After starts with other flags, what they spent beyond the model is added to the model of the new
flags. A difference, not a ratio: under sleep mode the overhead can be negative. Between the starts
of planner/starts.yaml, where the model is right already, a difference misses the KV cache by up to
0.08 %, a ratio by 0.09 %; it is meant for machines that the model was not fitted on.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from statistics import median_high
from typing import NamedTuple

from sparkwell.app.paths import Paths
from sparkwell.app.planning.spent import Model, Spent, Start, modelled_bytes
from sparkwell.catalog.described import Described
from sparkwell.catalog.recipe import FlagValue
from sparkwell.hardware.machine import Machine
from sparkwell.planner.engine_rules import EngineRules
from sparkwell.planner.memory import Calibration
from sparkwell.planner.question import Basis
from sparkwell.planner.settings import Settings
from sparkwell.store import StartRecord, Starts, reading
from sparkwell.store.record import machine_key

NEWEST = 5


class Known(NamedTuple):
    """What plan_memory is to be given, and what the plan says of it."""

    calibration: Calibration | None
    basis: Basis


NOTHING = Known(None, "modelled")


def calibration(
    paths: Paths,
    described: Described,
    machine: Machine,
    rules: EngineRules,
    settings: Settings,
    flags: Mapping[str, FlagValue],
) -> Known:
    """What this host has seen of such starts. Never raises: without history there is the model.

    ``settings`` are those that ``flags`` resolve to. Works beside a daemon and without one.
    """
    kind = (machine_key(machine), described.name, rules.engine, rules.version)
    try:
        with reading(paths.store) as database:
            records = Starts(database).like(*kind) if database else ()
    except sqlite3.Error:  # locked or broken: `sparkwell serve` says so
        return NOTHING
    return calibration_for(records, described, machine, rules, settings, flags)


def calibration_for(
    records: Iterable[StartRecord],
    described: Described,
    machine: Machine,
    rules: EngineRules,
    settings: Settings,
    flags: Mapping[str, FlagValue],
) -> Known:
    """The calibration for a start, from records of its machine, model and version, newest first.

    Starts on a CPU, and those whose KV cache was given, say nothing of the overhead.
    """
    if machine.device == "cpu":
        return NOTHING
    model = Model(described, machine, rules)
    starts = model.starts(records, flags)
    alike = _newest(model, (start for start in starts if start.settings == settings))
    if alike:
        alike = [each for each in alike if each.warm] or alike
        spent = [each.spent_bytes for each in alike]
        return Known(_median(alike, spent), "measured here")
    near = _newest(model, (start for start in starts if _same_terms(start.settings, settings)))
    if near:
        modelled = modelled_bytes(model.memory(settings, warm=False))
        spent = [modelled + each.spent_bytes - each.modelled_bytes for each in near]
        return Known(_median(near, spent), "modelled, corrected by starts with other flags")
    return NOTHING


def _newest(model: Model, starts: Iterable[Start]) -> list[Spent]:
    found = map(model.spent, starts)
    return list(islice((each for each in found if each), NEWEST))


def _median(starts: Sequence[Spent], spent_bytes: Sequence[int]) -> Calibration:
    """Of two in the middle the higher one, so that a plan promises no more than there was."""
    weights = median_high(each.weights_bytes for each in starts)
    return Calibration(median_high(spent_bytes) - weights, weights, len(starts))


def _same_terms(one: Settings, other: Settings) -> bool:
    """Whether what the model misses is the same for both, so that a difference carries over.

    It is not as good at how weights are shared out, and does not know all that sleep mode hides.
    """
    return _coarse(one) == _coarse(other)


def _coarse(settings: Settings) -> tuple[int, int, bool, bool]:
    hidden = settings.sleep_mode and settings.dummy_weights
    return (settings.tensor_parallel, settings.pipeline_parallel, settings.sleep_mode, hidden)
