"""The least and the most that models take on this machine: a start keeps to what is granted."""

import json
from dataclasses import replace

from sparkwell.app.budget import budget_bytes
from sparkwell.app.launching.flags import StartWish
from sparkwell.app.launching.starter import given_labels
from sparkwell.app.launching.ways import Way
from sparkwell.app.service import ModelService
from sparkwell.catalog import Recipe
from sparkwell.core.errors import SparkwellError
from sparkwell.planner.fit import UTILIZATION

Sizes = tuple[int | None, int | None]
"""The least and the most that a model takes, in bytes; None where nobody can tell."""
_STEPS = 6  # halvings in the search for the least memory: to 1/64 of the machine


class PlannedSizes:
    """Sizes by plan; planned once for each wish, until a start has shown more."""

    def __init__(self, models: ModelService) -> None:
        self._models = models
        self._sizes: dict[tuple[str, str], Sizes] = {}

    def of(self, recipe: Recipe, way: Way, wish: StartWish) -> Sizes:
        """The sizes of a model that is started so. Raises ConflictError where it never fits."""
        key = recipe.name, json.dumps(given_labels(wish), sort_keys=True)
        if key not in self._sizes:
            self._sizes[key] = self._planned(recipe, way, wish)
        return self._sizes[key]

    def forget(self, model: str) -> None:
        """Plan it anew when it is asked for again."""
        self._sizes = {key: sizes for key, sizes in self._sizes.items() if key[0] != model}

    def _planned(self, recipe: Recipe, way: Way, wish: StartWish) -> Sizes:
        wish = replace(wish, placed={}, beside={})
        most = self._models.choose_flags(recipe, way, wish).held_bytes
        on_gpu = way.device != "cpu" and self._models.planning.here.device != "cpu"
        fixed = UTILIZATION in {**self._models.changes(recipe).flags, **wish.flags}
        if most is None or not on_gpu or fixed:
            return most, most
        return self._least(recipe, way, wish, most), most

    def _least(self, recipe: Recipe, way: Way, wish: StartWish, most: int) -> int:
        """The least that its plan gets along with, found by asking it beside ever more."""
        total = budget_bytes(self._models.settings, self._models.planning.here) or most
        fits, fails = total - most, total
        least = most
        for _ in range(_STEPS):
            beside = (fits + fails) // 2
            try:
                crowded = replace(wish, beside={"others": beside})
                held = self._models.choose_flags(recipe, way, crowded).held_bytes
            except SparkwellError:
                fails = beside
            else:
                fits, least = beside, min(least, held or least)
        return max(least, min(most, total - fits))
