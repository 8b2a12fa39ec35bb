"""What the admin API asks of a running daemon: start, stop, tell."""

import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import sparkwell
from sparkwell.admin import API_VERSION
from sparkwell.admin.api import UpBody
from sparkwell.app.admission import admitted, own_wishes, refuse_other_wish
from sparkwell.app.backend import ServedModels
from sparkwell.app.describing import Describer, flags_of, held_bytes, label
from sparkwell.app.seen import Seen
from sparkwell.app.served import Served
from sparkwell.app.service import ModelService
from sparkwell.app.starter import DRIVER, FORCE, IMAGE, PROFILE, Start, Starter
from sparkwell.app.surroundings import seal
from sparkwell.core.errors import (
    ConflictError,
    EnvironmentFault,
    UsageError,
)
from sparkwell.core.events import Event
from sparkwell.core.launch import LaunchSpec
from sparkwell.core.protocols import Driver
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.box import State
from sparkwell.supervisor.journal import Journal

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class About:
    """Facts of this daemon: where its gateway listens, and whether `up` started it."""

    host: str
    port: int
    detached: bool
    started_at: float

    @property
    def url(self) -> str:
        """The gateway's base URL as a client on this machine would write it."""
        shown = "127.0.0.1" if self.host in ("", "0.0.0.0", "::") else self.host  # noqa: S104
        return f"http://{f'[{shown}]' if ':' in shown else shown}:{self.port}"


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
        end: Callable[[bool], None],
    ) -> None:
        self._about = about
        self._models = models
        self._starter = starter
        self._driver = driver
        self._supervisor = supervisor
        self._journal = journal
        self._seen = Seen(models, supervisor)
        self.served = ServedModels(self._seen)
        self._describer = describer
        self._end = end
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
            "environment": self._sealed,
        }

    def status(self) -> Mapping[str, Any]:
        """What runs, and how far it is."""
        about = {key: value for key, value in self.version().items() if key != "environment"}
        return {
            **about,
            "uptime_s": round(time.time() - self._about.started_at, 1),
            "requests_running": self._supervisor.requests_running,
            "event": self._journal.cursor,
            "instances": [self._describer.describe(each) for each in self._supervisor.instances],
        }

    async def up(self, wanted: UpBody) -> Mapping[str, Any]:
        """Begin to serve models, one after the other; returns at once.

        Raises ConflictError when they do not fit on this machine together and beside what runs,
        unless it is forced; nothing has begun then.
        """
        models = self._meant(wanted.models)
        wishes = own_wishes(wanted, models)
        new = {each: wish for each, wish in wishes.items() if not self._runs(each)}
        for each in (each for each in models if each not in new):
            refuse_other_wish(self._models, each, self._seen.spec(each), wishes[each])
        self._refuse_who_is_stopping(new)
        starts = await admitted(self._starter, new, self._held())
        self._prune()
        begun = [self._begin(each, starts.get(each)) for each in models]
        return {**begun[0], "instances": begun}

    async def down(self, model: str | None) -> Mapping[str, Any]:
        """End the model, or whatever runs. Raises EnvironmentFault when that cannot be seen to."""
        name = None
        if model is not None:
            name = self._seen.served(model).name
            if self._supervisor.of(name) is None:
                raise UsageError(f"{name} does not run.", hint="`sparkwell ps` shows what does.")
        stopped = await self._supervisor.down(name)
        live = [each.model for each in self._supervisor.instances if each.holds_the_machine]
        await self._starter.ollama.tidy(live)
        self._refuse_the_lost(name)
        return {"stopped": [each.model for each in stopped]}

    async def restart(self, model: str | None) -> Mapping[str, Any]:
        """End what runs and serve it again with the same flags."""
        served = self._seen.served(model) if model else self._only_one()
        wanted = self._asked_for(served)
        # Looked at before what runs is stopped: else nothing would run in the end.
        beside = {name: size for name, size in self._held().items() if name != served.name}
        await admitted(self._starter, own_wishes(wanted, [served]), beside)
        if self._supervisor.of(served.name):
            await self._supervisor.down(served.name)
            self._refuse_the_lost(served.name)
        return await self.up(wanted)

    def events(self, cursor: int) -> AsyncIterator[Event]:
        """Events newer than the cursor, as they come."""
        return self._journal.follow(cursor)

    def shut_down(self, *, stop_engines: bool) -> None:
        """End the daemon soon."""
        self._end(stop_engines)

    # ── helpers ─────────────────────────────────────────────────────────────────────────────

    def _meant(self, names: Sequence[str]) -> list[Served]:
        """The models that were named, each once; else those of the settings."""
        named = names or self._models.settings.start
        if not named:
            raise UsageError(
                "No model was named, and the settings start none.",
                hint="`start` in sparkwell.yaml names what `sparkwell up --all` starts.",
            )
        return list(dict.fromkeys(self._models.served(name) for name in named))

    def _begin(self, served: Served, start: Start | None) -> Mapping[str, Any]:
        """Begin to serve one model; what runs already goes on."""

        def prepare(instance: str) -> LaunchSpec:
            if start is None:  # it ended in this very moment
                raise ConflictError(f"{served.name} has just ended.", hint="Try again.")
            return start.prepare(instance)

        before = self._supervisor.of(served.name)
        instance = self._supervisor.up(served.name, prepare, start.provide if start else None)
        new = before is None or before.id != instance
        return {"instance": instance, "model": served.name, "new": new}

    def _runs(self, served: Served) -> bool:
        instance = self._supervisor.of(served.name)
        return instance is not None and instance.state in (State.STARTING, State.READY)

    def _refuse_who_is_stopping(self, models: Iterable[Served]) -> None:
        for each in models:
            instance = self._supervisor.of(each.name)
            if instance and instance.state is State.STOPPING:
                raise ConflictError(
                    f"{each.name} is still stopping, so it cannot start yet.",
                    hint="Try again in a moment.",
                )

    def _refuse_the_lost(self, name: str | None) -> None:
        """A stop that could not be seen to is no stop: its memory may still be taken."""
        for each in self._supervisor.instances:
            if each.lost and name in (None, each.model):
                again = f"`sparkwell down {each.model}` tries again."
                raise EnvironmentFault(
                    f"{each.model} may still run: {each.error}.",
                    hint=f"{each.hint} {again}" if each.hint else again,
                )

    def _held(self) -> dict[str, int | None]:
        """What models hold by their plans, in bytes: those that run, or that may still."""
        holding = [
            each for each in self._supervisor.instances if each.holds_the_machine or each.lost
        ]
        return {each.model: held_bytes(self._supervisor.spec(each.id)) for each in holding}

    def _only_one(self) -> Served:
        instances = self._supervisor.instances
        live = [each for each in instances if each.holds_the_machine] or list(instances)
        if len(live) == 1:
            return self._seen.served(live[0].model)
        if not live:
            raise UsageError("No model runs.", hint="Start one with `sparkwell up MODEL`.")
        names = ", ".join(each.model for each in live)
        raise UsageError("Several models run.", hint=f"Name one of them: {names}.")

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
