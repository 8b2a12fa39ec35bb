"""What the daemon tells its workers of the models: all that a client may name."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from typing import cast

from sparkwell.app.daemon.backend import DEFAULT, ServedModels
from sparkwell.app.service import ModelService
from sparkwell.core.errors import SparkwellError
from sparkwell.core.events import Event
from sparkwell.gateway.backend import Model
from sparkwell.gateway.remote.faults import fault_of
from sparkwell.gateway.remote.messages import Fault, Models, Place
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.journal import Journal

LOOK_S = 1.0
"""The longest time until a change is seen of which no event tells: other settings."""


class KnownHere:
    """The models of a running daemon, for hub.Hub."""

    def __init__(
        self, models: ModelService, supervisor: Supervisor, journal: Journal, served: ServedModels
    ) -> None:
        self._models, self._supervisor = models, supervisor
        self._journal, self._served = journal, served
        self._cursor = journal.cursor
        self._listed: tuple[str, ...] = ()
        self._look_at = 0.0

    def mark(self) -> object:
        """What is otherwise when ``all`` is: instances and their states, ``default``, settings.

        With one instance or none ``default`` is known by them: looking it up costs as much as all
        the rest of a lease. What could be started is as ``changed`` last found it.
        """
        instances = self._supervisor.instances
        states = tuple((each.id, each.state) for each in instances)
        default = self._default() if len(instances) > 1 else None
        return states, default, id(self._models.settings), self._listed

    def all(self) -> Models:
        """Every model of the catalog, what runs beside them, and what the settings name."""
        default = self._default()
        loaded = (Place(name, at.uds, at.port) for name, at in self._served.loaded())
        return Models(
            tuple(self._every()),
            tuple(loaded),
            default if isinstance(default, str) else None,
            default if isinstance(default, Fault) else None,
            self._list(),
        )

    async def changed(self) -> None:
        """Return after an event of the journal, or after LOOK_S."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                events = self._journal.follow(self._cursor)
                async with aclosing(cast("AsyncGenerator[Event]", events)):
                    await anext(events)
        self._cursor = self._journal.cursor
        if time.monotonic() >= self._look_at:  # for weights, which costs a look at many files
            self._listed, self._look_at = self._list(), time.monotonic() + LOOK_S

    def _list(self) -> tuple[str, ...]:
        return tuple(each.name for each in self._served.listed())

    def _default(self) -> str | Fault:
        try:
            return self._served.resolve(DEFAULT).name
        except SparkwellError as error:
            return fault_of(error)

    def _every(self) -> Iterator[Model]:
        settings = self._models.settings
        running = (each.model for each in self._supervisor.instances)
        names = (*self._models.catalog.names, *running, *settings.models, *settings.start)
        for name in dict.fromkeys(names):
            with suppress(SparkwellError):  # named in the settings, and not in the catalog
                yield self._served.resolve(name)
