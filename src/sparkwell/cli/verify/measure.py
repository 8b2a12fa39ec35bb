"""The measurement of `sparkwell verify`: as `sparkwell bench` makes it, and whether it is whole."""

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from sparkwell.app.verifying.looking import held_bytes
from sparkwell.cli.client import AdminClient, run
from sparkwell.cli.stopping import undisturbed
from sparkwell.cli.verify.session import Session, instance_of, status_now
from sparkwell.core.errors import NotReadyError

if TYPE_CHECKING:
    from sparkwell.app.benching import BenchWish
    from sparkwell.app.subject import Subject
    from sparkwell.bench.results import Measured
    from sparkwell.hardware.samples import MachineSample


def bench(session: Session) -> str | None:
    """Measure the suite; what came is kept, however it ended."""
    from sparkwell.app.benching import BenchWish
    from sparkwell.bench.results import Measured
    from sparkwell.bench.suites import Changes, suite
    from sparkwell.cli.bench.measuring import measure_into

    session.say("bench")
    wish, measured = session.wish, Measured()
    subject = run(_subject(session))
    seed = f"{time.time():.3f}"
    asked = BenchWish(suite(wish.suite), Changes(), wish.repeats, wish.command, seed)
    try:
        measure_into(measured, subject, asked, quiet=wish.quiet)
    finally:
        session.learn()
        _keep(session, subject, asked, measured)
    _must_be_whole(session, measured)
    return None


async def _subject(session: Session) -> "Subject":
    """The run, asked with the daemon's own key: it has no limits, and is served where keys are."""
    from sparkwell.cli.bench.measuring import subject_of

    subject = await subject_of(session.context, session.found.model)
    async with AdminClient(session.context.paths) as client:
        key = (await client.post("own-key", {}))["key"]
    return replace(subject, target=replace(subject.target, key=key))


def _keep(session: Session, subject: "Subject", asked: "BenchWish", measured: "Measured") -> None:
    from sparkwell.app.benching import run_document
    from sparkwell.store.benchmarks import free_name, save

    if measured.repeats:
        with undisturbed():
            folder = session.context.paths.benchmarks
            document = run_document(subject, asked, measured)
            session.found.bench = {**document, "run": free_name(folder, document["run"])}
            save(folder, session.found.bench)


def _must_be_whole(session: Session, measured: "Measured") -> None:
    """NotReadyError where it broke off, or not all was answered by one and the same run."""
    found = session.found
    why = _why_not_whole(session, measured)
    if why is not None:
        raise NotReadyError(
            why, hint=f"`sparkwell logs {found.model}` has the engine's last words."
        )
    if session.began and session.before is not None:
        found.started = found.started.holding(held_bytes(session.before, sample()))


def _why_not_whole(session: Session, measured: "Measured") -> str | None:
    if measured.broken:
        return f"The measurement broke off: {measured.broken}."
    repeats = (repeat for each in measured.repeats.values() for repeat in each)
    failed = sum(repeat.figures.failed for repeat in repeats)
    if failed:
        return f"{failed:,} requests failed, so not all was measured."
    now, before = run(status_now(session.context)), session.found.instance
    there = instance_of(now, session.found.model)
    if before is None or there is None or there["id"] != before["id"]:
        return "The engine ended in the middle, and was started again."
    return None


def sample() -> "MachineSample":
    """The machine now."""
    from sparkwell.hardware.sampling import MachineSampler

    sampler = MachineSampler()
    try:
        return sampler.sample()
    finally:
        sampler.close()
