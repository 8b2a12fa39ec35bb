"""The dashboard's services over the parts of a daemon."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from sparkwell.admin.api import Control, UpBody
from sparkwell.app.dashboard.catalog import CatalogPages
from sparkwell.app.dashboard.keys import DashboardKeys
from sparkwell.app.dashboard.logs import Logs
from sparkwell.app.dashboard.rounds import round_of
from sparkwell.app.editing.editing import Editing
from sparkwell.app.status.figures import findings_of
from sparkwell.app.watching.watching import Watching
from sparkwell.core.events import Event
from sparkwell.core.findings import Finding
from sparkwell.store import Store
from sparkwell.store.benchmarks import load_kept, runs
from sparkwell.store.events import UNSTORED, EventPage
from sparkwell.supervisor.journal import Journal
from sparkwell.web.services import (
    EventQuery,
    FirstFailure,
    Json,
    LogLine,
    LogPage,
    LogQuery,
    ModelEntry,
    Points,
    Preview,
    RecipeEdit,
    RecipeForm,
    Round,
)


@dataclass(frozen=True, slots=True)
class DashboardServices:
    """Asks each part what the pages want to know; decides nothing."""

    control: Control
    journal: Journal
    store: Store
    watching: Watching
    catalog: CatalogPages
    read_logs: Logs
    editing: Editing
    client_keys: DashboardKeys
    measured: Path

    # ── what is so ──────────────────────────────────────────────────────────────────────────

    def status(self) -> Json:
        """The document of ``sparkwell status --json``."""
        return self.control.status()

    async def models(self) -> Sequence[ModelEntry]:
        """The catalog with a plan for each model on this machine."""
        return await self.catalog.entries()

    def findings(self) -> Sequence[Finding]:
        """What is wrong now: of the box as a whole first, then of each model that serves."""
        return findings_of(self.status(), self.watching)

    async def benchmarks(self) -> Sequence[str]:
        """The names of the runs of `sparkwell bench` that were kept, newest first."""
        return await asyncio.to_thread(runs, self.measured)

    async def benchmark(self, name: str) -> Json:
        """One of them, by its whole name: a page reads no other file."""
        return await asyncio.to_thread(load_kept, self.measured, name)

    # ── what is done ────────────────────────────────────────────────────────────────────────

    async def start(self, model: str) -> Json:
        """Begin to serve a model beside what runs."""
        return await self.control.up(UpBody(models=(model,)))

    async def switch(self, model: str) -> Json:
        """Begin to serve a model in the place of others."""
        return await self.control.up(UpBody(models=(model,), switch=True))

    async def stop(self, model: str) -> Json:
        """End a model."""
        return await self.control.down(model)

    # ── what happened ───────────────────────────────────────────────────────────────────────

    def events(self, cursor: int) -> AsyncIterator[Event]:
        """Events newer than the cursor, as they come."""
        return self.control.events(cursor)

    async def past_events(self, query: EventQuery) -> Sequence[Event]:
        """Events that are kept, newest first; the newest ones may not be on disk yet."""
        wanted = EventPage(query.before, query.limit, query.kind, query.model, query.text)
        last = self.store.events.last()
        unwritten = [
            event
            for event in self.journal.after(last)
            if event.kind not in UNSTORED and wanted.has(event)
        ]
        return [*reversed(unwritten), *self.store.events.page(wanted)][: query.limit]

    # ── how it goes ─────────────────────────────────────────────────────────────────────────

    def now(self) -> Round | None:
        """The newest round of the monitor."""
        return round_of(self.watching.monitor.now())

    async def rounds(self) -> AsyncIterator[Round]:
        """Each round as it ends."""
        async with aclosing(self.watching.monitor.rounds()) as rounds:
            async for overview in rounds:
                if (shown := round_of(overview)) is not None:
                    yield shown

    async def history(
        self, model: str | None, names: Sequence[str], since_s: float, points: int
    ) -> Mapping[str, Points]:
        """Series of the last seconds."""
        now = time.time()
        lines = await self.watching.monitor.history(model, names, now - since_s, now, points)
        return {name: (lines.at, lines.means[name]) for name in names}

    # ── logs ────────────────────────────────────────────────────────────────────────────────

    async def logs(self, model: str, query: LogQuery) -> LogPage:
        """The end of the log of a model's newest run."""
        return await self.read_logs.page(model, query)

    def log_lines(self, model: str, query: LogQuery) -> AsyncIterator[Sequence[LogLine]]:
        """New lines, in batches."""
        return self.read_logs.lines(model, query)

    async def first_failure(self, model: str) -> FirstFailure | None:
        """What is held against a model."""
        return await self.read_logs.first_failure(model)

    # ── settings of a model ─────────────────────────────────────────────────────────────────

    async def recipe(self, model: str) -> RecipeForm:
        """What of a model may be edited."""
        return await self.editing.recipe(model)

    async def preview(self, model: str, edit: RecipeEdit) -> Preview:
        """What an edit would do."""
        return await self.editing.preview(model, edit)

    async def save(self, model: str, edit: RecipeEdit) -> Preview:
        """Write an edit down."""
        return await self.editing.save(model, edit)
