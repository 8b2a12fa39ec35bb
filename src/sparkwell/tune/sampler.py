"""What is tried next, by Optuna: the one module that knows it, and needs it installed.

A value is given as its place among its knob's, so neighbours are near and the study stays the same
when values are dropped. Trials are ours: a study is made anew from them, whatever Optuna's format.
"""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import optuna

from sparkwell.tune.knobs import Knob, Value, Values
from sparkwell.tune.trial import Trial

RANDOM_FIRST = 5
"""Trials before the sampler goes by what it has seen; seeds from the plan count among them."""


class Sampler:
    """Asks for values and is told what they were worth; larger is better."""

    def __init__(self, knobs: Sequence[Knob], seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._knobs = knobs
        self._ranges: dict[str, optuna.distributions.BaseDistribution] = {
            each.name: optuna.distributions.IntDistribution(0, len(each.values) - 1)
            for each in knobs
        }
        with warnings.catch_warnings():  # multivariate is marked experimental
            warnings.simplefilter("ignore")
            sampler = optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=RANDOM_FIRST, multivariate=True
            )
        self._study = optuna.create_study(
            direction="maximize",
            sampler=sampler,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=RANDOM_FIRST, n_warmup_steps=0),
        )
        self._last: optuna.trial.Trial | None = None

    def remember(self, trials: Iterable[Trial]) -> None:
        """Trials of an earlier part of the same search."""
        for each in trials:
            worth = each.value if each.counts else None
            state = optuna.trial.TrialState.PRUNED if worth is None else None
            self._study.add_trial(
                optuna.trial.create_trial(
                    state=state or optuna.trial.TrialState.COMPLETE,
                    value=worth,
                    params=self._places(each.values),
                    distributions=self._ranges,
                    intermediate_values={} if each.value is None else {0: each.value},
                )
            )

    def suggest(self, values: Values) -> None:
        """Try these next, before what the sampler thinks of."""
        self._study.enqueue_trial(self._places(values), skip_if_exists=True)

    def ask(self) -> dict[str, Value]:
        """Values to try; `tell` or `drop` has to follow."""
        self._last = self._study.ask(self._ranges)
        places = self._last.params
        return {knob.name: knob.values[places[knob.name]] for knob in self._knobs}

    def is_hopeless(self, value: float) -> bool:
        """Whether a first repeat's worth is so far behind others' that a second need not follow."""
        self._asked.report(value, 0)
        return bool(self._asked.should_prune())

    def tell(self, value: float) -> None:
        """What the values asked for last were worth."""
        self._study.tell(self._asked, value)

    def drop(self) -> None:
        """The values asked for last were worth nothing, or not tried."""
        self._study.tell(self._asked, state=optuna.trial.TrialState.PRUNED)

    @property
    def _asked(self) -> optuna.trial.Trial:
        assert self._last is not None  # noqa: S101 - ask comes first
        return self._last

    def _places(self, values: Values) -> dict[str, Any]:
        return {
            knob.name: knob.values.index(values[knob.name])
            for knob in self._knobs
            if values.get(knob.name) in knob.values
        }
