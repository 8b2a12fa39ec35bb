"""What the plan says of flags before a start with them: whether they fit, what to expect."""

from collections.abc import Mapping
from dataclasses import replace

from sparkwell.app.planning.planning import Planning, Wish
from sparkwell.app.tuning.document import Tuning
from sparkwell.app.tuning.workloads import cases
from sparkwell.bench.beside import Expected, expected
from sparkwell.bench.suites import Case
from sparkwell.core.errors import SparkwellError
from sparkwell.planner.pace import AS_MODELLED
from sparkwell.planner.plan import Plan
from sparkwell.tune.goal import Goal
from sparkwell.tune.knobs import Value
from sparkwell.tune.search import Foretell, Foretold
from sparkwell.tune.values import flags_of

Flags = Mapping[str, Value]


class Plans:
    """Plans of one model on this machine with the flags of trials.

    ``given`` are this host's flags for the model, and what somebody fixed: the former give way.
    """

    def __init__(self, planning: Planning, model: str, version: str, given: Flags) -> None:
        self._planning, self._model = planning, model
        self._version, self._given = version, given

    def plan(self, values: Flags, profile: str | None = None) -> Plan:
        """Raises SparkwellError for what cannot be planned."""
        flags = {**flags_of(self._given), **flags_of(values)}
        return self._planning.plan(
            self._model, Wish(version=self._version, profile=profile, flags=flags)
        )

    def foretold(
        self, goal: Goal, case: Case, values: Flags, profile: str | None = None
    ) -> Foretold:
        """Of a start with these values."""
        try:
            plan = self.plan(values, profile)
        except SparkwellError as error:
            return Foretold(error.message)
        if not plan.fits:
            return Foretold(plan.problems[0].message)
        return Foretold(value=_worth(goal, case, expected(_as_modelled(plan), case)))


def foretelling(tuning: Tuning, plans: Plans, kept: Flags) -> Foretell:
    """Of the workload that is tuned on, with values beside the flags that every trial keeps."""
    [case] = cases(tuning.loads[0], tuning.clients[-1:])
    return lambda values: plans.foretold(tuning.aim, case, {**kept, **values}, tuning.profile)


def _as_modelled(plan: Plan) -> Plan:
    """Runs that were kept correct the plan of just their flags: others could not be compared."""
    return replace(plan, question=replace(plan.question, pace=AS_MODELLED))


def _worth(goal: Goal, case: Case, told: Expected | None) -> float | None:
    """Larger is better; None where the plan does not know, as with the wait for one's turn.

    Under an SLO fewer tokens a second may be the better: there it says nothing.
    """
    if told is None or (goal.slo is not None and goal.name != "latency"):
        return None
    if goal.name == "throughput":
        return told.tokens_per_s
    if goal.name != "latency" or told.ttft_s is None:
        return None
    return 1 / (told.ttft_s + case.workload.output_tokens * told.tpot_s)
