"""The supervisor of a daemon and its journal, put together from settings and store."""

import secrets
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack

from sparkwell.app.daemon.on_demand import OnDemandStarts
from sparkwell.app.daemon.recording import Recorder
from sparkwell.app.daemon.remembering import Remembering, breakers_of
from sparkwell.app.daemon.terms import TermsMaker
from sparkwell.app.diagnosing.failed_start import FailedRuns
from sparkwell.app.drivers import Drivers
from sparkwell.app.guard.machine_memory import MachineMemory
from sparkwell.app.settings.config import Settings, SwitchingSettings
from sparkwell.app.watching.counts import Counts
from sparkwell.catalog import Catalog
from sparkwell.core.events import Event
from sparkwell.core.launch import LaunchSpec
from sparkwell.store import EventSink, Notice, Store
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.journal import Journal
from sparkwell.supervisor.liveness import Rules
from sparkwell.supervisor.naming import word_of
from sparkwell.supervisor.start import StartWatch, Timeline
from sparkwell.supervisor.terms import Policy


def policy_of(settings: SwitchingSettings) -> Policy:
    """The rules of the queue, as the settings want them."""
    return Policy(
        min_residency_s=settings.min_residency_s,
        patience_s=settings.patience_s,
        max_wait_s=settings.max_wait_s,
        max_waiting=settings.max_waiting,
    )


def new_id(model: str) -> str:
    """An instance id that is never used again: the model's name and some random letters."""
    return f"{word_of(model)}-{secrets.token_hex(3)}"


def make_journal(
    store: Store, remembering: Remembering, counts: Counts, stack: AsyncExitStack
) -> Journal:
    """The journal: what it is told is kept, and remembered for the next daemon."""
    sink = EventSink(store.events)
    stack.callback(sink.close)

    def hear(event: Event) -> None:
        sink(event)
        remembering.hear(event)
        counts.hear(event)

    journal = Journal(time.time, seq=sink.cursor, sink=hear)

    def told(notice: Notice) -> None:
        said = f"{notice.message}. {notice.hint}" if notice.hint else notice.message
        journal.add(notice.kind, said)

    store.tell(told)
    return journal


def make_supervisor(
    settings: Settings,
    catalog: Catalog,
    store: Store,
    journal: Journal,
    drivers: Drivers,
    terms: TermsMaker,
    memory: MachineMemory,
    on_demand: OnDemandStarts,
) -> Supervisor:
    """The supervisor, which begins with what an earlier daemon held against models."""
    engines = settings.engines
    recorder = Recorder(store.starts, catalog)

    async def measured(spec: LaunchSpec, facts: Mapping[str, float]) -> None:
        await recorder(spec, facts)
        terms.forget(spec.model)

    def finished(spec: LaunchSpec, timeline: Timeline) -> None:
        store.history.add(spec, timeline.durations, time.time())

    return Supervisor(
        drivers.every,
        journal,
        StartWatch(
            drivers.every,
            timeout_s=engines.start_timeout_s,
            canary_timeout_s=engines.canary_timeout_s,
        ),
        new_id=new_id,
        finished=finished,
        measured=measured,
        policy=policy_of(settings.switching),
        budget=terms.budget,
        memory=memory,
        intents=store.intents,
        on_demand=on_demand,
        liveness=Rules(),
        diagnose=FailedRuns(drivers.every),
        breakers=breakers_of(store, now=time.time(), monotonic=time.monotonic()),
    )
