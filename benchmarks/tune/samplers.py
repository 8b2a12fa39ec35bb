"""How soon a search comes near the best flags: samplers of Optuna, beside chance alone.

The machine is simulated: the planner's model of an H100 with Qwen3-8B-FP8 says how fast flags are,
knobs that it does not know cost or gain a few percent, and every measurement is off by some. So
hundreds of searches can be compared; what real engines do to flags only they can tell.

    python benchmarks/tune/samplers.py --searches 100
"""

import argparse
import json
import os
import random
import statistics
import time
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import optuna

from sparkwell.app.paths import find_paths
from sparkwell.app.planning.planning import Planning, Wish
from sparkwell.app.tuning.foretelling import Plans
from sparkwell.app.tuning.searching import BEGIN_WITH
from sparkwell.app.tuning.workloads import cases
from sparkwell.bench.suites import Case
from sparkwell.bench.workload import Workload
from sparkwell.catalog.catalog import load_catalog
from sparkwell.planner.plan import Plan
from sparkwell.tune.goal import Goal
from sparkwell.tune.knobs import Value, knobs
from sparkwell.tune.search import Foretold, Search
from sparkwell.tune.trial import Trial
from sparkwell.tune.values import flags_of, is_possible, nearest

MODEL, HARDWARE, VERSION, CLIENTS = "qwen3-8b-fp8", "h100-80gb", "0.25.0", 512
NOISE = 0.015
UNKNOWN_TO_THE_PLAN = {
    ("attention_backend", "FLASHINFER"): 0.97,
    ("attention_backend", "FLASH_ATTN"): 1.0,
    ("enable_prefix_caching", False): 1.01,
}
GUIDE = {"max_num_seqs": 64, "max_num_batched_tokens": 16384, "enable_prefix_caching": True}
AFTER = (4, 8, 12, 16)
Values = Mapping[str, Value]


class OnHardware(Plans):
    """Plans for a described machine, each made once."""

    def __init__(self) -> None:
        self._all = Planning(find_paths(os.environ), load_catalog())
        super().__init__(self._all, MODEL, VERSION, {})
        self._found: dict[str, Foretold] = {}

    def plan(self, values: Values, profile: str | None = None) -> Plan:
        """On the hardware of this benchmark."""
        flags = flags_of(values)
        return self._all.plan(MODEL, Wish(HARDWARE, VERSION, profile, flags))

    def foretold(
        self, goal: Goal, case: Case, values: Values, profile: str | None = None
    ) -> Foretold:
        """As it was found the first time."""
        key = json.dumps(sorted(values.items()), default=str)
        if key not in self._found:
            self._found[key] = super().foretold(goal, case, values, profile)
        return self._found[key]


class Machine:
    """The simulated machine: what flags are really worth, and a space of them."""

    def __init__(self) -> None:
        self.plans, self.goal = OnHardware(), Goal("throughput", None, (CLIENTS,))
        [self.case] = cases(Workload(512, 256), self.goal.clients)
        self.space = knobs(self.goal, self.plans.plan({}), VERSION)

    def foretold(self, values: Values) -> Foretold:
        """What the plan says."""
        return self.plans.foretold(self.goal, self.case, values)

    def truth(self, values: Values) -> float:
        """Tokens a second; some of it the plan does not know."""
        value = self.foretold(values).value or 0.0
        for pair, factor in UNKNOWN_TO_THE_PLAN.items():
            value *= factor if values.get(pair[0]) == pair[1] else 1.0
        return value

    def best(self) -> float:
        """Of all that the plan lets through."""
        names = [each.name for each in self.space]
        every = (dict(zip(names, v, strict=True)) for v in product(*(k.values for k in self.space)))
        fit = (v for v in every if is_possible(v) and self.foretold(v).refusal is None)
        return max(map(self.truth, fit))

    def trial(self, number: int, values: dict[str, Value], value: float) -> Trial:
        """As it would be written down."""
        return Trial(
            number=number, values=values, end="measured", at=0.0, value=value, kept=True,
            expected=self.foretold(values).value,
        )  # fmt: skip


def searched(machine: Machine, seed: int, kind: str, trials: int) -> list[float]:
    """What is really behind the best that was measured, after each start."""
    chance, first = random.Random(seed), nearest(machine.space, GUIDE)  # noqa: S311 - for repeats
    search = _search(machine, first, seed, kind)
    found = [(machine.truth(first), machine.truth(first))]
    for number in range(1, trials + 1):
        candidate, _ = search.next()
        if candidate is None:
            break
        true = machine.truth(candidate.values)
        measured = true * chance.gauss(1.0, NOISE)
        search.told(machine.trial(number, candidate.values, measured))
        found.append((measured, true))
    reached = [max(found[: at + 1])[1] for at in range(len(found))]
    return reached + reached[-1:] * (trials + 1 - len(reached))


def _search(machine: Machine, first: dict[str, Value], seed: int, kind: str) -> Search:
    foretell = machine.foretold if "plan" in kind else lambda _: Foretold()
    before = machine.trial(0, first, machine.truth(first))
    search = Search(machine.space, [before], foretell, seed)
    if kind.startswith("random"):
        search._sampler._study.sampler = optuna.samplers.RandomSampler(seed=seed)
    for profile in BEGIN_WITH[machine.goal.name] if "seeds" in kind else ():
        search.suggest(nearest(machine.space, machine.plans.plan({}, profile).question.flags))
    return search


KINDS = ("random", "tpe", "random, seeds", "tpe, seeds", "random, seeds, plan", "tpe, seeds, plan")


def row(machine: Machine, best: float, kind: str, searches: int) -> dict[str, float | str]:
    """One way to search: how near to the best after so many starts."""
    began = time.process_time()
    runs = [searched(machine, seed, kind, AFTER[-1]) for seed in range(searches)]
    spent = time.process_time() - began
    found: dict[str, float | str] = {"way": kind}
    for after in AFTER:
        shares = sorted(run[after] / best for run in runs)
        found[f"median_after_{after}"] = round(statistics.median(shares), 4)
        found[f"worst_tenth_after_{after}"] = round(shares[len(shares) // 10], 4)
    found["processor_s_a_search"] = round(spent / len(runs), 3)
    return found


def main() -> None:
    """Print, for each way to search, how near its choice is to the best after so many starts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--searches", type=int, default=100)
    parser.add_argument("--save", type=Path)
    asked = parser.parse_args()
    machine = Machine()
    best, rows = machine.best(), []
    for kind in KINDS:
        rows.append(row(machine, best, kind, asked.searches))
        print(json.dumps(rows[-1]), flush=True)
    if asked.save:
        space = {each.name: list(each.values) for each in machine.space}
        found = {"searches": asked.searches, "space": space, "rows": rows}
        asked.save.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
