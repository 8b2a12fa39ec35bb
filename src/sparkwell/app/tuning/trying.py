"""One trial: start, measure, and write down how it ended, whatever happens."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec.structs

from sparkwell.app.tuning.limits import Limits, TookTooLongError, within
from sparkwell.app.tuning.rig import Rig, TrialError
from sparkwell.app.tuning.steady import SteadyCase, measured, steady
from sparkwell.app.tuning.workloads import cases
from sparkwell.bench.report import measured_figures
from sparkwell.bench.workload import Workload
from sparkwell.catalog.recipe import FlagValue
from sparkwell.checks.logs.redact import redact
from sparkwell.core.errors import ConflictError, UsageError
from sparkwell.tune.goal import Goal, goes_on, score
from sparkwell.tune.knobs import Value
from sparkwell.tune.trial import Trial

LINES, LONGEST_LINE = 200, 400
Flags = dict[str, FlagValue]
Hopeless = Callable[[float], bool]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is to be tried. ``profile`` is what ``flags`` go over, None the usual one."""

    number: int
    values: dict[str, Value]
    flags: Flags
    profile: str | None = None
    expected: float | None = None


@dataclass(frozen=True, slots=True)
class Trying:
    """How trials are measured: the same requests each time."""

    rig: Rig
    goal: Goal
    workload: Workload
    repeats: int
    seed: str

    async def attempt(
        self, asked: Attempt, limits: Limits, hopeless: Hopeless = lambda _: False
    ) -> Trial:
        """Start and measure; an engine that fails is a trial too, what else fails is raised.

        One that reaches a limit is pruned, without a value.
        """
        blank = Trial(
            number=asked.number, values=dict(asked.values), end="failed", at=time.time(),
            expected=asked.expected,
        )  # fmt: skip
        began = time.monotonic()
        try:
            start = self.rig.start(asked.flags, asked.profile)
            started = await within(limits.start_s, limits.whole_s, start)
        except (ConflictError, UsageError) as error:
            return _with(blank, end="refused", why=error.message)
        except TrialError as error:
            return _with(blank, why=error.message, lines=self._lines(), start_s=_since(began))
        except TookTooLongError as error:
            return _with(blank, **_overrun(error), lines=self._lines(), start_s=_since(began))
        ready = _with(blank, flags=dict(started.flags), start_s=_since(began))
        return await self._measured(ready, limits.of_measuring(_since(began)), hopeless)

    async def _measured(self, trial: Trial, limits: Limits, hopeless: Hopeless) -> Trial:
        began = time.monotonic()
        found: list[SteadyCase] = []
        try:
            steps = self._steps(found, hopeless)
            pruned = await within(limits.measure_s, limits.whole_s, steps)
        except TrialError as error:
            return _with(trial, why=error.message, lines=self._lines(), measure_s=_since(began))
        except TookTooLongError as error:
            return _with(trial, **_overrun(error), lines=self._lines(), measure_s=_since(began))
        return _with(
            _scored(trial, self.goal, found), lines=self._lines(),
            end="pruned" if pruned else "measured", measure_s=_since(began),
        )  # fmt: skip

    async def _steps(self, found: list[SteadyCase], hopeless: Hopeless) -> bool:
        """Every number of clients, as far as the SLO is kept; whether it was given up early."""
        for place, case in enumerate(cases(self.workload, self.goal.clients)):
            seed = f"{self.seed}/{place}"
            found.append(await measured(self.rig, case, 1, f"{seed}/1", self.goal.slo))
            repeats = found[-1].repeats
            if self._is_hopeless(found, hopeless):
                return True
            if self.repeats > 1:
                rest = self.repeats - 1
                repeats += await self.rig.measure(case, rest, f"{seed}/2", self.goal.slo)
            found[-1] = await steady(self.rig, case, repeats, seed, self.goal.slo)
            if not goes_on(self.goal, found[-1].figures):
                return False
        return False

    def _is_hopeless(self, found: Sequence[SteadyCase], hopeless: Hopeless) -> bool:
        """After the first repeat of the only case: a ladder tells at its first step what is bad."""
        if len(self.goal.clients) > 1 or self.repeats == 1:
            return False
        return hopeless(score(self.goal, [each.figures for each in found]).value)

    def _lines(self) -> list[str]:
        return [redact(each)[:LONGEST_LINE] for each in self.rig.log()[-LINES:]]


def _scored(trial: Trial, goal: Goal, found: Sequence[SteadyCase]) -> Trial:
    worth = score(goal, [each.figures for each in found])
    doubts = " ".join(note for each in found for note in each.notes)
    return _with(
        trial, value=worth.value, kept=worth.kept, near=worth.near, said=worth.said,
        why=doubts or None,
        figures=[
            {"clients": clients, **measured_figures(each.figures)}
            for clients, each in zip(goal.clients, found, strict=False)
        ],
    )  # fmt: skip


def _overrun(error: TookTooLongError) -> dict[str, Any]:
    return {"end": "pruned", "why": error.message, "overran": error.overran}


def _with(trial: Trial, **changes: Any) -> Trial:
    return msgspec.structs.replace(trial, **changes)


def _since(began: float) -> float:
    return round(time.monotonic() - began, 2)
