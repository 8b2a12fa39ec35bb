"""The catalog for the dashboard: what each model needs, and what it would do on this machine."""

import asyncio
import time
from collections.abc import Callable, Sequence

from sparkwell.app.guides.check import claims_of
from sparkwell.app.planning.own_plans import as_started
from sparkwell.app.planning.planning import Wish
from sparkwell.app.service import ModelService
from sparkwell.catalog import Recipe
from sparkwell.core.errors import SparkwellError
from sparkwell.planner.plan import make_plan
from sparkwell.planner.report import contract
from sparkwell.web.services import Json, ModelEntry

LIFE_S = 30.0
"""How long a list is good: weights come, other starts are measured, settings change."""


class CatalogPages:
    """Makes the list in a thread, one at a time. ``clock`` is monotonic.

    A list that is too old is shown all the same while the next one is made: what it says changes
    seldom, and a page should not wait for it. After ``forget`` the next one is waited for.
    """

    def __init__(self, models: ModelService, clock: Callable[[], float] = time.monotonic) -> None:
        self._models = models
        self._clock = clock
        self._made_at: float | None = None
        self._entries: tuple[ModelEntry, ...] = ()
        self._making: asyncio.Task[None] | None = None

    async def entries(self) -> Sequence[ModelEntry]:
        """All models of the catalog, each with its plan or why there is none."""
        if self._made_at is None:
            # Who goes away must not end what others wait for too.
            await asyncio.shield(self._begun())
        elif self._clock() - self._made_at > LIFE_S:
            self._begun()
        return self._entries

    def forget(self) -> None:
        """Make a new list for the next one who asks: something has changed."""
        self._made_at = None
        self._making = None

    def _begun(self) -> asyncio.Task[None]:
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(self._renew())
        return self._making

    async def _renew(self) -> None:
        this = self._making
        entries = await asyncio.to_thread(self._make)
        if this is self._making:  # else it was forgotten meanwhile: a newer one is on its way
            self._entries, self._made_at = entries, self._clock()

    def _make(self) -> tuple[ModelEntry, ...]:
        return tuple(self._entry(recipe) for recipe in self._models.catalog)

    def _entry(self, recipe: Recipe) -> ModelEntry:
        found = self._models.availability(recipe)
        plan, error = self._plan(recipe)
        return ModelEntry(
            name=recipe.name,
            title=recipe.title,
            summary=recipe.summary,
            repo=recipe.repo,
            missing=found.missing,
            remedy=found.remedy,
            blocked=found.way is None,
            profile=self._models.changes(recipe).profile,
            plan=plan,
            plan_error=error,
        )

    def _plan(self, recipe: Recipe) -> tuple[Json | None, str | None]:
        planning = self._models.planning
        try:
            target = planning.target(recipe.name)
            made = make_plan(planning.question(target, as_started(self._models, target, Wish())))
            return contract(made, claims_of(planning, made)), None
        except SparkwellError as error:
            return None, error.message
