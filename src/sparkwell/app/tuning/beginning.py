"""The document of a tuning that begins: what was asked for, with what was left open filled in."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import sparkwell
from sparkwell.app.tuning.document import Place, Tuning
from sparkwell.app.tuning.workloads import workloads
from sparkwell.bench.figures import Slo
from sparkwell.catalog.recipe import FlagValue
from sparkwell.catalog.tuned import GoalName, is_same_memory
from sparkwell.core.errors import UsageError
from sparkwell.hardware.machine import Machine
from sparkwell.tune.goal import DEFAULT_SLO

CROWD, FEWER, FEWEST = 256, 64, 16
"""Clients on a GPU with memory of its own, on one that shares the system's, on a CPU."""
QUIET = {"cuda": 8, "cpu": 2}
"""For latency: somebody's requests among a few others'."""
LADDER = (1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768)


@dataclass(frozen=True, slots=True)
class TuneWish:
    """What somebody asked for; None leaves it open. Times are seconds."""

    model: str
    goal: GoalName
    slo: Slo | None
    clients: int | None
    prompt_tokens: int | None
    output_tokens: int | None
    repeats: int
    budget_s: float
    most_trials: int | None
    check_repeats: int | None
    profile: str | None
    given: Mapping[str, FlagValue]
    guessing: bool
    command: str


def begun(wish: TuneWish, machine: Machine, most_tokens: int | None) -> Tuning:
    """The document before its first trial; ``most_tokens`` is the model's longest sequence."""
    slo = wish.slo or DEFAULT_SLO.get(wish.goal)
    now = time.time()
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    return Tuning(
        id=f"{stamp}-{wish.model}-{wish.goal}", model=wish.model, goal=wish.goal,
        slo=None if slo is None else asdict(slo),
        clients=list(clients(wish, machine)),
        workloads=[
            asdict(each) for each in workloads(wish.prompt_tokens, wish.output_tokens, most_tokens)
        ],
        prompt_tokens=wish.prompt_tokens, output_tokens=wish.output_tokens,
        repeats=wish.repeats, budget_s=wish.budget_s, most_trials=wish.most_trials,
        check_repeats=wish.check_repeats, seed=stamp, command=wish.command,
        sparkwell=sparkwell.__version__, began=now, profile=wish.profile,
        given=dict(wish.given), guessing=wish.guessing,
    )  # fmt: skip


def clients(wish: TuneWish, machine: Machine) -> tuple[int, ...]:
    """How many ask at once; for concurrency the steps up to that."""
    usual = QUIET[machine.device] if wish.goal == "latency" else _crowd(machine)
    most = wish.clients or usual
    if wish.goal != "concurrency":
        return (most,)
    return (*(each for each in LADDER if each < most), most)


def _crowd(machine: Machine) -> int:
    """What the machine answers within a minute or so, or a trial would take half an hour."""
    if machine.device == "cpu":
        return FEWEST
    return FEWER if machine.unified else CROWD


def place(machine: Machine, engine: str, version: str) -> Place:
    """Where the figures come from."""
    return Place(machine.name, machine.title, machine.gpus, machine.total_bytes, engine, version)


def must_be_here(tuning: Tuning, machine: Machine) -> None:
    """Raise UsageError for a tuning that was begun on another kind of machine."""
    known = tuning.place
    if known is None:
        return
    same = is_same_memory(known.total_bytes, machine.total_bytes)
    if (known.machine, known.gpus) != (machine.name, machine.gpus) or not same:
        raise UsageError(
            f"{tuning.id} was begun on {known.title}; this is {machine.title}.",
            hint="Its figures say nothing here: begin a new one, without --resume and --state.",
        )
