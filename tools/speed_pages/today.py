"""What the plan of today says of kept runs, alone or with what it learnt from others."""

from dataclasses import asdict, replace
from functools import cache, cached_property
from pathlib import Path

import msgspec

from sparkwell.app.paths import find_paths
from sparkwell.app.planning.planning import Planning, Wish
from sparkwell.bench.beside import Expected, expected
from sparkwell.bench.measured_pace import pace
from sparkwell.bench.notes import doubts
from sparkwell.bench.suites import Case
from sparkwell.bench.workload import Workload
from sparkwell.planner.pace import AS_MODELLED, Pace
from sparkwell.planner.plan import Plan
from speed_pages.runs import CATALOG, Json, Run

NOWHERE = Path("/nowhere")
"""A home in which nothing was measured."""


@cache
def _planning() -> Planning:
    return Planning(find_paths({"SPARKWELL_HOME": str(NOWHERE)}), CATALOG, {})


class Today:
    """A run, planned by today's model of speed for its machine, engine and flags."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @property
    def version(self) -> str:
        """Of the engine."""
        return str(self.run.document["versions"]["engine_version"])

    @cached_property
    def plan(self) -> Plan:
        """Nothing learnt."""
        document = self.run.document
        machine, flags = document["machine"]["name"], document["flags"]
        wish = Wish(hardware=machine, version=self.version, flags=flags)
        return _planning().plan(document["model"], wish)

    @property
    def sound(self) -> list[Json]:
        """The cases that nobody doubts."""
        found = [each for each in self.run.document["cases"] if each["clients"]]
        return [each for each in found if not each["failed"] and not doubts(each)]

    def expected(self, case: Json, learnt: Pace = AS_MODELLED) -> Expected | None:
        """Of a case."""
        question = replace(self.plan.question, pace=learnt)
        asked = Case(case["name"], Workload(**case["workload"]), 1, clients=case["clients"])
        return expected(replace(self.plan, question=question), asked)

    def teaches(self, other: "Today") -> Pace:
        """What the plan of the other learns from this one; as modelled where it is nothing."""
        cases = [{**case, "planned": self._as_kept(case)} for case in self.sound]
        document = {**self.run.document, "cases": cases}
        machine, flags = other.plan.question.machine, other.run.document["flags"]
        return pace([document], machine, other.version, flags)

    def _as_kept(self, case: Json) -> Json | None:
        found = self.expected(case)
        return None if found is None else msgspec.to_builtins(asdict(found))
