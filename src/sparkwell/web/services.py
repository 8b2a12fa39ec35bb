"""What the dashboard asks of the rest of Sparkwell; the daemon answers, the tests fake it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from sparkwell.core.events import Event
from sparkwell.core.findings import Finding
from sparkwell.core.keys import KeyWish
from sparkwell.web.key_values import KeysShown, MadeKey
from sparkwell.web.log_values import EventQuery, FirstFailure, LogLine, LogPage, LogQuery
from sparkwell.web.recipe_values import Field, Preview, RecipeEdit, RecipeForm
from sparkwell.web.values import Figures, Json, ModelEntry, Points, Round

__all__ = [
    "ClientKeys",
    "EventQuery",
    "Field",
    "Figures",
    "FirstFailure",
    "Json",
    "KeyWish",
    "KeysShown",
    "LogLine",
    "LogPage",
    "LogQuery",
    "MadeKey",
    "ModelEntry",
    "Points",
    "Preview",
    "RecipeEdit",
    "RecipeForm",
    "Round",
    "Services",
]


class ClientKeys(Protocol):
    """The keys of clients. Refusals are SparkwellErrors with a hint."""

    @property
    def needed(self) -> bool:
        """Whether there are or were keys: then a request without one is not served."""
        ...

    def shown(self, days: int) -> KeysShown:
        """All keys, and what was used on so many days until today."""
        ...

    def add(self, wish: KeyWish) -> MadeKey:
        """Make a key."""
        ...

    def rotate(self, key: str, overlap_s: float) -> MadeKey:
        """Give a key, by its id, another secret; the old one is good for so many more seconds."""
        ...

    def revoke(self, key: str) -> None:
        """Have a key, by its id, open nothing any more."""
        ...

    def own_secret(self) -> str:
        """The secret of the daemon's own key, for pages of a session alone."""
        ...


class Services(Protocol):
    """The daemon, as the dashboard needs it. Refusals are SparkwellErrors with a hint."""

    @property
    def client_keys(self) -> ClientKeys:
        """The keys of clients, and what they used."""
        ...

    async def benchmarks(self) -> Sequence[str]:
        """The names of the runs of `sparkwell bench` that were kept, newest first."""
        ...

    async def benchmark(self, name: str) -> Json:
        """One of them; UsageError where there is none of that name."""
        ...

    def status(self) -> Json:
        """The document of ``sparkwell status --json``; cheap: asked once a second."""
        ...

    def events(self, cursor: int) -> AsyncIterator[Event]:
        """Events newer than the cursor, as they come."""
        ...

    async def past_events(self, query: EventQuery) -> Sequence[Event]:
        """Events that are kept, newest first."""
        ...

    async def models(self) -> Sequence[ModelEntry]:
        """The catalog with a plan for each model on this machine."""
        ...

    async def start(self, model: str) -> Json:
        """Begin to serve a model beside what runs; returns at once."""
        ...

    async def switch(self, model: str) -> Json:
        """Begin to serve a model in the place of others.

        When it returns, ``status()`` shows the switch.
        """
        ...

    async def stop(self, model: str) -> Json:
        """End a model; returns when nothing of it is left."""
        ...

    def now(self) -> Round | None:
        """The newest round of the monitor; None before the first."""
        ...

    def rounds(self) -> AsyncIterator[Round]:
        """Each round as it ends; while somebody listens the monitor reads once a second."""
        ...

    async def history(
        self, model: str | None, names: Sequence[str], since_s: float, points: int
    ) -> Mapping[str, Points]:
        """Series of the last ``since_s`` seconds, at most ``points`` each; None: the machine's."""
        ...

    def findings(self) -> Sequence[Finding]:
        """What is wrong now, or worth knowing."""
        ...

    async def logs(self, model: str, query: LogQuery) -> LogPage:
        """The end of the log of a model's newest run; UsageError where it has not run."""
        ...

    def log_lines(self, model: str, query: LogQuery) -> AsyncIterator[Sequence[LogLine]]:
        """New lines that match, in batches, as they are written."""
        ...

    async def first_failure(self, model: str) -> FirstFailure | None:
        """What is held against a model; None where nothing is."""
        ...

    async def recipe(self, model: str) -> RecipeForm:
        """What of a model may be edited, and its values now."""
        ...

    async def preview(self, model: str, edit: RecipeEdit) -> Preview:
        """Validate an edit and plan it; changes nothing."""
        ...

    async def save(self, model: str, edit: RecipeEdit) -> Preview:
        """Write an edit down unless it has problems; ConflictError when the file has changed."""
        ...
