"""What the admin API asks of a running daemon: start, stop, tell."""

import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, cast

import sparkwell
from sparkwell.admin import API_VERSION
from sparkwell.admin.api import UpBody
from sparkwell.app.daemon.backend import ServedModels
from sparkwell.app.daemon.running import WhatRuns
from sparkwell.app.daemon.seen import Seen
from sparkwell.app.daemon.terms import TermsMaker
from sparkwell.app.daemon.waiting import WaitingRoom
from sparkwell.app.diagnosing.parts import DaemonParts
from sparkwell.app.launching.admission import admitted, own_wishes, refuse_other_wish
from sparkwell.app.launching.flags import StartWish
from sparkwell.app.launching.starter import (
    DRIVER,
    FORCE,
    IMAGE,
    PROFILE,
    Start,
    Starter,
    given_labels,
)
from sparkwell.app.served import Served
from sparkwell.app.service import ModelService
from sparkwell.app.status.about import About
from sparkwell.app.status.box import queue_of, switch_of
from sparkwell.app.status.describing import Describer, flags_of, label
from sparkwell.app.status.figures import with_figures
from sparkwell.app.surroundings import seal
from sparkwell.app.watching.watching import Watching
from sparkwell.core.errors import ConflictError, UsageError
from sparkwell.core.events import Event
from sparkwell.core.launch import LaunchSpec
from sparkwell.core.protocols import Driver
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.journal import Journal
from sparkwell.supervisor.terms import Terms
from sparkwell.web.access import LINK_LIFE_S, OneTimeLinks

__all__ = ["About", "Host"]
logger = logging.getLogger(__name__)


class Host:
    """The control of a running daemon: the admin API's Control."""

    def __init__(
        self,
        about: About,
        models: ModelService,
        starter: Starter,
        driver: Driver,
        supervisor: Supervisor,
        journal: Journal,
        describer: Describer,
        terms: TermsMaker,
        end: Callable[[bool], None],
    ) -> None:
        self._about = about
        self._models = models
        self._starter = starter
        self._driver = driver
        self._supervisor = supervisor
        self._journal = journal
        self._seen = Seen(models, supervisor)
        self._running = WhatRuns(self._seen)
        self._terms = terms
        room = WaitingRoom(supervisor, describer)
        self.served = ServedModels(self._seen, terms, room)
        self._describer = describer
        self.memory: Callable[[], Mapping[str, Any]] = lambda: {"memory": None, "guard": None}
        self.parts: Callable[[], DaemonParts] = DaemonParts
        self.keys_lost: Callable[[], str | None] = lambda: None
        self._end = end
        self.watching: Watching | None = None
        self.links = OneTimeLinks()
        self._sealed = seal(models.environ)

    # ── for the control API ─────────────────────────────────────────────────────────────────

    def version(self) -> Mapping[str, Any]:
        """Version and process of this daemon."""
        return {
            "version": sparkwell.__version__,
            "api": API_VERSION,
            "pid": os.getpid(),
            "detached": self._about.detached,
            "gateway": self._about.url,
            "certificate": self._about.certificate,
            "environment": self._sealed,
        }

    def status(self) -> Mapping[str, Any]:
        """What runs, and how far it is."""
        about = {key: value for key, value in self.version().items() if key != "environment"}
        status = {
            **about,
            "uptime_s": round(time.time() - self._about.started_at, 1),
            "open_to_all": self._about.open_to_all,
            "keys_lost": self.keys_lost(),
            "requests_running": self._supervisor.requests_running,
            "event": self._journal.cursor,
            "instances": [self._describer.describe(each) for each in self._supervisor.instances],
            "queue": queue_of(self._supervisor.box, self._supervisor.now),
            "switch": switch_of(self._supervisor.box, self._supervisor.now),
            **self.memory(),
        }
        return with_figures(status, self.watching) if self.watching else status

    def snapshot(self) -> Mapping[str, Any]:
        """What only the daemon knows of this host, for a diagnosis."""
        return self.parts().to_json()

    async def up(self, wanted: UpBody) -> Mapping[str, Any]:
        """Begin to serve models, one after the other; returns at once.

        Raises ConflictError when they do not fit on this machine together and beside what runs,
        unless it is forced; nothing has begun then.
        """
        models = self._meant(wanted.models)
        wishes = own_wishes(wanted, models)
        if wanted.switch and not all(map(self._running.runs, models)):
            return await self._switch(wishes)
        new = {each: wish for each, wish in wishes.items() if not self._running.runs(each)}
        await self._end_the_lost(new)
        self._running.refuse_who_is_stopping(new)
        for each in filter(self._running.lives, models):
            refuse_other_wish(self._models, each, self._seen.spec(each), wishes[each])
        starts = await admitted(self._starter, new, self._running.held())
        self._prune()
        begun = [self._begin(each, starts.get(each), forced=wanted.force) for each in models]
        return {**begun[0], "instances": begun}

    async def _switch(self, wishes: Mapping[Served, StartWish]) -> Mapping[str, Any]:
        """Begin to serve one model in the place of others, when their requests are done.

        Its weights must be here: nothing is downloaded while nothing serves.
        """
        if len(wishes) > 1:
            raise UsageError(
                "Only one model can be switched to.", hint="Name the one that is needed now."
            )
        ((served, wish),) = wishes.items()
        if wish.force:
            raise UsageError(
                "A switch makes room, and cannot be forced.", hint="Leave --force out."
            )
        await self._end_the_lost([served])
        self._running.refuse_who_is_stopping([served])
        if self._running.lives(served):
            refuse_other_wish(self._models, served, self._seen.spec(served), wish)
        terms = await self._terms_of_a_switch(served, wish)
        labels = given_labels(wish)
        instance = await self._supervisor.switch_to(served.name, terms, labels)
        begun = {"instance": instance, "model": served.name, "new": True}
        return {**begun, "instances": [begun]}

    async def _terms_of_a_switch(self, served: Served, wish: StartWish) -> Terms:
        """Raises what speaks against the start: before anybody leaves for it."""
        if served.ollama is None:
            terms = self._terms.of_switch(served, wish)
            await admitted(self._starter, {served: wish}, {})
            return terms
        starts = await admitted(self._starter, {served: wish}, {})
        await self._starter.ollama.must_be_here(served)
        return self._terms.of_person(served, starts[served].held_bytes)

    async def down(self, model: str | None) -> Mapping[str, Any]:
        """End the model, or whatever runs. Raises EnvironmentFault when that cannot be seen to."""
        name = None
        if model is not None:
            name = self._seen.served(model).name
            waited_for = self._supervisor.box.waiting_for(name)
            if self._supervisor.of(name) is None and not waited_for:
                raise UsageError(f"{name} does not run.", hint="`sparkwell ps` shows what does.")
        stopped = await self._supervisor.down(name)
        live = [each.model for each in self._supervisor.instances if each.holds_the_machine]
        await self._starter.ollama.tidy(live)
        self._running.refuse_the_lost(name)
        return {"stopped": [each.model for each in stopped]}

    async def restart(self, model: str | None) -> Mapping[str, Any]:
        """End what runs and serve it again with the same flags."""
        served = self._seen.served(model) if model else self._running.only_one()
        wanted = self._asked_for(served)
        # Looked at before what runs is stopped: else nothing would run in the end.
        beside = {name: size for name, size in self._running.held().items() if name != served.name}
        await admitted(self._starter, own_wishes(wanted, [served]), beside)
        if self._supervisor.of(served.name):
            await self._supervisor.down(served.name)
            self._running.refuse_the_lost(served.name)
        return await self.up(wanted)

    def events(self, cursor: int) -> AsyncIterator[Event]:
        """Events newer than the cursor, as they come."""
        return self._journal.follow(cursor)

    def ui_link(self) -> Mapping[str, Any]:
        """A link that opens the dashboard once, and for how many seconds it is good."""
        token = self.links.make()
        return {"url": f"{self._about.url}/ui/login?token={token}", "good_s": LINK_LIFE_S}

    def shut_down(self, *, stop_engines: bool) -> None:
        """End the daemon soon."""
        self._end(stop_engines)

    # ── helpers ─────────────────────────────────────────────────────────────────────────────

    async def _end_the_lost(self, models: Iterable[Served]) -> None:
        """See once more to the end of engines that may still run: what kept it may be over.

        Raises EnvironmentFault when one still cannot be ended: a second beside it must not start.
        """
        for each in models:
            instance = self._supervisor.of(each.name)
            if instance is not None and instance.lost:
                await self._supervisor.down(each.name)
                self._running.refuse_the_lost(each.name)

    def _meant(self, names: Sequence[str]) -> list[Served]:
        """The models that were named, each once; else those of the settings."""
        named = names or self._models.settings.start
        if not named:
            raise UsageError(
                "No model was named, and the settings start none.",
                hint="`start` in sparkwell.yaml names what `sparkwell up --all` starts.",
            )
        return list(dict.fromkeys(self._models.served(name) for name in named))

    def _begin(self, served: Served, start: Start | None, *, forced: bool) -> Mapping[str, Any]:
        """Begin to serve one model; what runs already goes on."""

        def prepare(instance: str) -> LaunchSpec:
            if start is None:  # it ended in this very moment
                raise ConflictError(f"{served.name} has just ended.", hint="Try again.")
            return start.prepare(instance)

        before = self._supervisor.of(served.name)
        instance = self._supervisor.up(
            served.name,
            prepare,
            start.provide if start else None,
            terms=self._terms.of_person(served, start.held_bytes if start else None),
            forced=forced,
        )
        new = before is None or before.id != instance
        return {"instance": instance, "model": served.name, "new": new}

    def _asked_for(self, served: Served) -> UpBody:
        """What `up` was given for the running instance."""
        spec = self._seen.spec(served)
        return UpBody(
            models=(served.name,),
            flags=tuple(flags_of(spec)),
            profile=label(spec, PROFILE) or None,
            driver=cast("Literal['process', 'compose'] | None", label(spec, DRIVER) or None),
            image=label(spec, IMAGE) or None,
            force=bool(label(spec, FORCE)),
        )

    def _prune(self) -> None:
        """Old logs; that they cannot be removed must not keep a model from starting."""
        try:
            self._driver.prune(self._models.settings.engines.keep_logs)
        except OSError as error:
            logger.warning("Old logs cannot be removed: %s", error)
