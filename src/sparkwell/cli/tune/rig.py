"""The engine of a tuning: a model of this machine's daemon, started anew for each trial."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkwell.app.compiling import explained
from sparkwell.app.drivers import make_drivers
from sparkwell.app.subject import own_subject
from sparkwell.app.tuning.rig import Started, TrialError
from sparkwell.bench.measuring import measure as ask
from sparkwell.bench.order import Order
from sparkwell.bench.results import Measured
from sparkwell.cli.bringing_up import Begun, Wanted, bring_up
from sparkwell.cli.client import AdminClient, Json
from sparkwell.cli.earlier import stop
from sparkwell.cli.finding_told import StartFailedError
from sparkwell.core.errors import (
    ConflictError,
    EnvironmentFault,
    NotReadyError,
    SparkwellError,
    UsageError,
)

if TYPE_CHECKING:
    from sparkwell.bench.figures import Slo
    from sparkwell.bench.results import Repeat
    from sparkwell.bench.suites import Case
    from sparkwell.catalog.recipe import FlagValue
    from sparkwell.cli.context import Context

LOG_BYTES = 100_000


class DaemonRig:
    """Starts and stops one model; what measures it asks the engine itself, not the gateway.

    ``version`` is the engine's, where it has to be that one; ``starting`` is told of each start,
    with its flags as `up` is given them.
    """

    def __init__(
        self, context: "Context", model: str, version: str | None = None,
        starting: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._context, self._model, self._version = context, model, version
        self._starting = starting
        self._started: Started | None = None
        self._instance: Json | None = None
        self._status: Json = {}

    @property
    def started(self) -> Started:
        """What was started last."""
        assert self._started is not None  # noqa: S101 - a start comes first
        return self._started

    async def start(self, flags: "Mapping[str, FlagValue]", profile: str | None) -> Started:
        """In the place of what runs of the model."""
        await stop(self._context, self._model)
        sets = tuple(said(name, value) for name, value in flags.items())
        self._starting(sets)
        self._instance = None
        wanted, begun = Wanted((self._model,), sets, profile), Begun()
        try:
            [self._instance] = await bring_up(self._context, wanted, quiet=True, begun=begun)
        except asyncio.CancelledError:
            self._instance = self._taken_back(begun)
            raise
        except StartFailedError as error:
            await self._look()
            raise TrialError(error.message, hint=error.hint) from error
        except SparkwellError as error:
            raise refusal(error) from error
        await self._look()
        instance = self._instance
        if instance is None:
            raise TrialError(f"{self._model} was stopped by somebody while it started.")
        self._started = Started(
            instance["flags"], str(instance["engine"]), str(instance["engine_version"])
        )
        self._must_be_the_same(self._started)
        return self._started

    def _must_be_the_same(self, started: Started) -> None:
        """Trials of two versions of the engine say nothing of each other."""
        self._version = self._version or started.version
        if started.version != self._version:
            raise EnvironmentFault(
                f"{self._model} now starts with {started.engine} {started.version}; this tuning "
                f"was begun with {self._version}.",
                hint="Begin a new one: without --resume, or with another --state.",
            )

    async def measure(
        self, case: "Case", repeats: int, seed: str, slo: "Slo | None"
    ) -> "list[Repeat]":
        """Raises TrialError where the engine ends meanwhile."""
        context = self._context
        subject = own_subject(
            context.models, context.settings.gateway, self._status, self._running, direct=True
        )
        order = Order(subject.target, self._model, [case], repeats, seed, subject.vocabulary, slo)
        measured = Measured()
        try:
            await ask(order, measured, lambda _: None)
        except NotReadyError as error:
            raise TrialError(error.message, hint=error.hint) from error
        if measured.broken:
            raise TrialError(f"It broke off: {measured.broken}.")
        return explained(case, measured.repeats[0], subject.compiles_in)

    @property
    def _running(self) -> Mapping[str, Any]:
        assert self._instance is not None  # noqa: S101 - a start comes first
        return self._instance

    def log(self) -> Sequence[str]:
        """The end of its log, as far as the daemon knows it."""
        if self._instance is None or not self._instance.get("log"):
            return []
        try:
            with Path(self._instance["log"]).open("rb") as log:
                log.seek(0, 2)
                log.seek(max(0, log.tell() - LOG_BYTES))
                return log.read().decode(errors="replace").splitlines()
        except OSError:
            return list(self._instance.get("last_lines") or [])

    def _taken_back(self, begun: Begun) -> Json | None:
        """What is left of a start that took too long: its log. The daemon knows of it no more."""
        context = self._context
        driver = make_drivers(context.paths, context.settings, context.environ).every
        return {"log": driver.log_path(begun.runs[0])} if begun.runs else None

    async def _look(self) -> None:
        """What the daemon says of the model now, also where its start has failed."""
        async with AdminClient(self._context.paths) as client:
            self._status = await client.get("status")
        found = [each for each in self._status["instances"] if each["model"] == self._model]
        self._instance = dict(found[-1]) if found else None


def refusal(error: SparkwellError) -> SparkwellError:
    """A refusal as one, whose code is all that the daemon's answer has of its kind."""
    if error.code in (ConflictError.code, UsageError.code):
        return ConflictError(error.message, hint=error.hint)
    return error


def said(name: str, value: "FlagValue") -> str:
    """A flag as --set takes it."""
    return f"{name}={str(value).lower() if isinstance(value, bool) else value}"
