"""A measurement: its cases as they run on the model, and what came of it as a document."""

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import sparkwell
from sparkwell.app.compiling import explained
from sparkwell.app.subject import Subject
from sparkwell.bench.beside import expected
from sparkwell.bench.claimed import FIRST, RATES, SAVED, guide
from sparkwell.bench.figures import Slo
from sparkwell.bench.fitting import fitted
from sparkwell.bench.in_flight import in_flight
from sparkwell.bench.measuring import measure
from sparkwell.bench.order import Order, Progress
from sparkwell.bench.report import About, Beside, document
from sparkwell.bench.results import Measured, Repeat
from sparkwell.bench.suites import Case, Changes, Suite, cases
from sparkwell.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class BenchWish:
    """What somebody asked for. ``command`` is what was typed.

    The same ``seed`` asks the same prompts again: an engine may then have them in its prefix cache.
    """

    suite: Suite
    changes: Changes
    repeats: int
    command: str
    seed: str
    slo: Slo | None = None


async def bench(
    subject: Subject, wish: BenchWish, measured: Measured, tell: Callable[[Progress], None]
) -> None:
    """Measure; ``measured`` has what came, also where this is ended early.

    A repeat in which kernels were compiled is measured again: warm-up is in no figure.
    """
    chosen = chosen_cases(subject, wish)
    name, source = subject.served or subject.model, subject.vocabulary
    words = await fitted(subject.target, name, wish.seed) if subject.text else None
    order = Order(
        subject.target, name, chosen, wish.repeats, wish.seed, words or source, wish.slo
    )  # fmt: skip

    def explain(case: Case, repeats: Sequence[Repeat]) -> Sequence[Repeat]:
        return explained(case, repeats, subject.compiles_in)

    await measure(order, measured, tell, explain)


def chosen_cases(subject: Subject, wish: BenchWish) -> Sequence[Case]:
    """The cases as they run on this model; UsageError for more at once than are let in."""
    found = cases(wish.suite, wish.changes, subject.most_tokens)
    for case in found:
        _must_be_let_in(subject, case)
    return found


def _must_be_let_in(subject: Subject, case: Case) -> None:
    """At a rate only where the plan knows how long an answer takes; else the notes tell of it."""
    most, known = subject.most_clients, subject.plan
    out = case.clients if case.rate is None else None if known is None else in_flight(known, case)
    if most is not None and out is not None and out > most:
        raise UsageError(
            f"{_said(case, out)} more than the gateway's {most:,} connections.",
            hint="Ask for fewer, set gateway.max_connections, or ask the engine with --direct.",
        )


def _said(case: Case, out: float) -> str:
    if case.rate is None:
        return f"{out:,.0f} clients at once are"
    return f"At {case.rate:g} requests a second about {out:,.0f} are out at once by the plan,"


def run_document(subject: Subject, wish: BenchWish, measured: Measured) -> dict[str, Any]:
    """The run as a document; where the engine stood still its cache is looked at for the cause."""
    at = time.time()
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(at))
    about = About(
        run=f"{stamp}-{subject.model.replace('/', '-')}-{wish.suite.name}",
        at=at, model=subject.model, suite=wish.suite.name, url=subject.url,
        command=wish.command, seed=wish.seed, machine=_machine(subject),
        versions={
            "sparkwell": sparkwell.__version__, "engine": subject.engine,
            "engine_version": subject.engine_version, "python": platform.python_version(),
            "system": platform.platform(),
        },
        repo=None if subject.plan is None else subject.plan.question.described.repo,
        flags=subject.flags,
        prompts="text" if subject.text else "token ids",
    )  # fmt: skip
    chosen = chosen_cases(subject, wish)
    known = _explained(subject, chosen, measured)
    return document(about, chosen, known, lambda case: _beside(subject, case), wish.slo)


def _explained(subject: Subject, chosen: Sequence[Case], measured: Measured) -> Measured:
    cache = subject.compiles_in
    repeats = {at: explained(chosen[at], found, cache) for at, found in measured.repeats.items()}
    return Measured(repeats, measured.broken)


def _beside(subject: Subject, case: Case) -> Beside:
    """Neither is about answers that may end when they like, as those to text may."""
    if subject.text:
        return Beside()
    planned = None if subject.plan is None else expected(subject.plan, case)
    return Beside(planned, *(guide(subject.model, case, each) for each in (RATES, FIRST, SAVED)))


def _machine(subject: Subject) -> dict[str, Any]:
    """Of this host, as the plan knows it."""
    machine = subject.machine if subject.plan is None else subject.plan.question.machine
    if machine is None:
        return {"name": None}
    known = asdict(replace(machine, sources=()))
    kept = ("name", "title", "device", "total_bytes", "gpus", "bandwidth_bytes_per_s")
    return {name: known[name] for name in kept}
