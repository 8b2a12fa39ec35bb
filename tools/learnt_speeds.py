"""What plans gain by learning from a run: printed for all pairs of runs in docs/benchmarks/runs.

A pair is two runs of one model on one machine whose flags bear on the pace alike. The plan of today
learns from one, and is held against each case of the other. Runs with one client and 64, as the
suite guide has them, are told apart.
"""

from collections.abc import Iterator, Sequence
from itertools import permutations
from statistics import fmean, median

from sparkwell.planner.pace import AS_MODELLED, Pace
from speed_pages.runs import runs
from speed_pages.today import Today

FEW_AND_MANY, OTHER = "one client and 64", "other runs"
Pair = tuple[float, float]


def errors(run: Today, learnt: Pace) -> Iterator[tuple[int, float]]:
    """Clients, and the plan's tokens a second over those measured, less 1."""
    for case in run.sound:
        planned = run.expected(case, learnt)
        if planned is not None:
            got = case["measured"]["output_tokens_per_s"]["mean"]
            yield case["clients"], planned.tokens_per_s / got - 1


def pairs() -> dict[str, list[Pair]]:
    """The errors alone and learnt, by what was learnt from; each pair of runs is printed."""
    found: dict[str, list[Pair]] = {FEW_AND_MANY: [], OTHER: []}
    for teacher, run in permutations(map(Today, runs()), 2):
        if teacher.run.model != run.run.model:
            continue
        learnt = teacher.teaches(run)
        if learnt.cases:
            kind = FEW_AND_MANY if {1, 64} <= teacher.run.clients.keys() else OTHER
            found[kind] += _held_against(teacher, run, learnt)
    return found


def _held_against(teacher: Today, run: Today, learnt: Pace) -> list[Pair]:
    print(f"{teacher.run.file.stem}\n  -> {run.run.file.stem}")
    both = list(zip(errors(run, AS_MODELLED), errors(run, learnt), strict=True))
    for (clients, alone), (_, after) in both:
        print(f"{clients:6} clients: {alone:+6.1%} alone, {after:+6.1%} learnt")
    return [(alone, after) for (_, alone), (_, after) in both]


def told(title: str, found: Sequence[float]) -> str:
    """Of errors of both signs, how large they are."""
    sizes = [abs(each) for each in found]
    return f"{title}: mean {fmean(sizes):.1%}, median {median(sizes):.1%}, most {max(sizes):.1%}"


def main() -> None:
    """Print each pair, then the errors of all."""
    for kind, both in pairs().items():
        alone, learnt = zip(*both, strict=True)
        print(f"\nlearnt from {kind}, {len(both)} cases")
        print(told("alone", alone), told("learnt", learnt), sep="\n")


if __name__ == "__main__":
    main()
