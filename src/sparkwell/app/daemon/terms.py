"""On which terms each model is served on this machine: sizes, costs, and what the settings say."""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from sparkwell.app.budget import budget_bytes
from sparkwell.app.daemon.lately import Lately
from sparkwell.app.daemon.sizes import PlannedSizes
from sparkwell.app.launching.flags import StartWish
from sparkwell.app.launching.presence import Presence, not_here, presence_of
from sparkwell.app.launching.ways import Way
from sparkwell.app.served import Served
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import ModelSettings
from sparkwell.catalog import Recipe
from sparkwell.checks.folders import STATE_BYTES
from sparkwell.core.errors import NotReadyError, SparkwellError
from sparkwell.core.launch import BACK_END, LaunchSpec
from sparkwell.core.phases import Phase
from sparkwell.core.units import file_size
from sparkwell.engines.vllm.sleep import BackEnd, asleep_bytes
from sparkwell.supervisor.terms import Budget, Terms

Expected = Callable[[str, str, str], Mapping[Phase, float]]
"""Seconds by phase that starts of a model took here, by model, engine and version."""
USUAL = StartWish()


class TermsMaker:
    """Makes terms. ``presence`` is asked before others leave for a model; None: this host's.

    ``now`` is a monotonic clock, in seconds.
    """

    def __init__(
        self,
        models: ModelService,
        expected: Expected,
        presence: Presence | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._models = models
        self._expected = expected
        self._presence = presence or presence_of(models)
        self._sizes = PlannedSizes(models)
        self._lately = Lately(now)

    @property
    def budget(self) -> Budget:
        """What all engines together may hold on this machine."""
        return Budget(budget_bytes(self._models.settings, self._models.planning.here))

    def forget(self, model: str) -> None:
        """A start of it has shown what it takes here: plans may come out otherwise now."""
        self._sizes.forget(model)

    def of_request(self, served: Served, wish: StartWish = USUAL, *, coming: bool = False) -> Terms:
        """For a start that a request asks for, with what a person had given the last one.

        It takes no more than leaves room for the models that were asked for lately. For one that
        is ``coming`` already, or sleeps, nothing has to be started: nothing speaks against that.
        Raises NotReadyError when the model, or the image that it runs in, is not on this machine,
        or when it must not be started so; and what speaks against a start.
        """
        if coming:
            return self._of_coming(served, wish)
        if not self._models.settings.switching.on_demand:
            raise _by_hand(served)
        self._refuse_on_a_full_disk(served)
        terms = self.of_here(served, wish)
        self._refuse_the_absent(served, wish)
        return self._shared(served, terms)

    def of_switch(self, served: Served, wish: StartWish) -> Terms:
        """For a start that a person asks for in the place of others; raises as ``of_request``."""
        terms = self.of_here(served, wish, by_person=True)
        self._refuse_the_absent(served, wish)
        return terms

    def of_here(self, served: Served, wish: StartWish = USUAL, *, by_person: bool = False) -> Terms:
        """For a start of a model that is on this machine, with what the wish gives it.

        One that is there ``by_person`` does not end for being idle, unless its own settings say
        so. Raises NotReadyError when it is not here, and what speaks against a start.
        """
        if served.recipe is None:
            return self._terms(served, None, None, by_person=by_person)
        way = self._way_of(served.recipe, wish)
        least, most = self._sizes.of(served.recipe, way, wish)
        terms = self._terms(served, least, most, by_person=by_person)
        return self._with_history(terms, served.recipe, way)

    def _of_coming(self, served: Served, wish: StartWish) -> Terms:
        """Its weights may be on their way still: then nobody can size the start after this one."""
        try:
            return self._shared(served, self.of_here(served, wish))
        except SparkwellError:
            return self._terms(served, None, None, by_person=False)

    def _shared(self, served: Served, terms: Terms) -> Terms:
        return self._lately.shared(served.name, terms, self.budget.total_bytes)

    def of_person(self, served: Served, held_bytes: int | None) -> Terms:
        """For a start that a person asked for."""
        return self._terms(served, held_bytes, held_bytes, by_person=True)

    def of_spec(self, served: Served, spec: LaunchSpec, *, by_person: bool = True) -> Terms:
        """For an engine that was found running: it sleeps as it was started to, or not at all."""
        terms = self._terms(served, spec.held_bytes, spec.held_bytes, by_person=by_person)
        back_end = _back_end(spec)
        asleep = self._asleep_bytes(served, back_end)
        return replace(terms, back_end=back_end, asleep_bytes=asleep)

    def _way_of(self, recipe: Recipe, wish: StartWish) -> Way:
        available = self._models.availability(recipe)
        chosen = wish.driver or wish.image
        if chosen and available.checkpoint:
            return self._models.ways.way(recipe, wish.driver, wish.image)
        if available.way is None or not available.startable:
            raise NotReadyError(
                f"The model {recipe.name} is not loaded, and cannot be switched to: "
                f"{available.missing}",
                hint=available.remedy,
            )
        return available.way

    def _refuse_the_absent(self, served: Served, wish: StartWish) -> None:
        """Nothing is fetched while nothing serves. Where nobody can tell, the start will."""
        if served.ollama and self._presence.model(served.ollama) is False:
            raise not_here(served.name)
        image = self._way_of(served.recipe, wish).image if served.recipe else None
        if image and self._presence.image(image) is False:
            raise NotReadyError(
                f"The model {served.name} is not loaded, and cannot be switched to: its image "
                f"{image} is not on this machine.",
                hint=f"`docker pull {image}` fetches it.",
            )

    def _refuse_on_a_full_disk(self, served: Served) -> None:
        """Before anybody leaves for it: neither it nor they could be started then."""
        state = self._models.paths.state
        try:
            free = shutil.disk_usage(state).free
        except OSError:  # the start itself will say what is wrong
            return
        if free < STATE_BYTES:
            raise NotReadyError(
                f"The model {served.name} is not loaded, and cannot be: {state} has "
                f"{file_size(free)} free, and a start needs {file_size(STATE_BYTES)}.",
                hint=f"`du -xsh '{state}'/* | sort -h` shows what takes the space.",
            )

    # ── what the settings say ───────────────────────────────────────────────────────────────

    def _terms(
        self, served: Served, least: int | None, most: int | None, *, by_person: bool
    ) -> Terms:
        own = self._settings_of(served)
        usual = None if by_person else self._models.settings.switching.idle_s
        idle_s = own.idle_s if own.idle_s is not None else usual
        back_end = self._back_end_of(served)
        return Terms(
            least_bytes=least,
            most_bytes=most,
            priority=own.priority,
            pinned=own.pinned,
            idle_s=idle_s or None,
            back_end=back_end,
            asleep_bytes=self._asleep_bytes(served, back_end),
        )

    def _settings_of(self, served: Served) -> ModelSettings:
        if served.recipe:
            return self._models.changes(served.recipe)
        return self._models.changes_of(served.name)

    def _back_end_of(self, served: Served) -> BackEnd:
        if served.recipe is None:
            return BackEnd.COLD
        try:
            return self._models.back_end(served.recipe, self._models.ways.way(served.recipe))
        except SparkwellError:
            return BackEnd.COLD

    def _asleep_bytes(self, served: Served, back_end: BackEnd) -> int | None:
        machine = self._models.planning.here
        weights = served.recipe.weights_bytes if served.recipe else None
        return asleep_bytes(back_end, weights, unified=machine.unified)

    def _with_history(self, terms: Terms, recipe: Recipe, way: Way) -> Terms:
        seen = self._expected(recipe.name, "vllm", way.version)
        return replace(terms, start_s=sum(seen.values()) or None)


def _back_end(spec: LaunchSpec) -> BackEnd:
    named = spec.labels.get(BACK_END)
    return BackEnd(named) if named in set(BackEnd) else BackEnd.COLD


def _by_hand(served: Served) -> NotReadyError:
    return NotReadyError(
        f"The model {served.name} is not loaded, and requests start none here "
        "(switching.on_demand is false).",
        hint=f"Run `sparkwell up {served.name}`.",
    )
