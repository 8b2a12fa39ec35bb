"""What `sparkwell verify` was asked for: which model is meant, and whether it can be done."""

from contextlib import suppress
from typing import TYPE_CHECKING

from sparkwell.cli.client import Json
from sparkwell.cli.context import Context
from sparkwell.cli.verify.session import Wish, instance_of
from sparkwell.core.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from sparkwell.app.launching.ways import Way
    from sparkwell.bench.suites import Suite
    from sparkwell.catalog import Recipe


def meant(context: Context, model: str | None, status: Json | None) -> str:
    """As named, or the one that is meant; UsageError where that is not clear."""
    if model is not None:
        return model
    told = () if status is None else status["instances"]
    ready = [str(each["model"]) for each in told if each["state"] == "ready"]
    if len(ready) == 1:
        return ready[0]
    if not ready and len(context.settings.start) == 1:
        return context.settings.start[0]
    runs = f"{', '.join(sorted(ready))} run" if ready else "Nothing runs"
    named = ", ".join(context.settings.start) or "none"
    raise UsageError(
        f"Which model? {runs}, and the settings' `start` names {named}.",
        hint="Name it: `sparkwell verify MODEL`; `sparkwell models` lists them.",
    )


def recipe_of(context: Context, model: str) -> "Recipe":
    """Its recipe; UnknownModelError with near names."""
    recipe = context.models.served(model).recipe
    if recipe is None:
        raise UsageError(
            f"{model} is Ollama's, and plans and guides are about vLLM.",
            hint=f"`sparkwell bench {model}` measures it while it runs.",
        )
    return recipe


def check(context: Context, wish: Wish, status: Json | None) -> None:
    """What can be seen to be wrong before anything is done; raises UsageError."""
    from sparkwell.app.planning.planning import parse_flags
    from sparkwell.bench.suites import suite
    from sparkwell.engines.vllm import check_flags

    _must_be_planned(suite(wish.suite))
    name, way = wish.recipe.name, _way(context, wish.recipe)
    check_flags(parse_flags(wish.flags), version=way.version if way else None)
    if (wish.flags or wish.profile) and instance_of(status, name) is not None:
        raise UsageError(
            f"{name} runs already, and is measured with the flags that it has.",
            hint=f"Leave --set and --profile out, or stop it first: `sparkwell down {name}`.",
        )
    _check_profile(context, wish, way)


def _must_be_planned(suite: "Suite") -> None:
    if all(case.clients is None for case in suite.cases):
        raise UsageError(
            f"In the suite {suite.name!r} requests come when they come, and neither plans nor "
            "guides speak of that.",
            hint=f"`sparkwell bench MODEL --suite {suite.name}` measures it.",
        )


def _check_profile(context: Context, wish: Wish, way: "Way | None") -> None:
    """UsageError for one that needs a guide, a GPU or an overlay, where that is not there.

    That it does not fit is pre-flight's to find.
    """
    from sparkwell.app.launching.flags import StartWish, choose_flags
    from sparkwell.app.planning.planning import parse_flags

    if wish.profile is None or way is None:
        return
    models, asked = context.models, StartWish(flags=parse_flags(wish.flags), profile=wish.profile)
    with suppress(ConflictError):
        start = models.with_changes(wish.recipe, way, asked)
        choose_flags(models.planning, wish.recipe, way, start)


def _way(context: Context, recipe: "Recipe") -> "Way | None":
    """How its engine would run; None where it is not installed, which pre-flight finds."""
    from sparkwell.app.preflight.report import Asked
    from sparkwell.app.preflight.scope import find_way

    return find_way(context.models, Asked(recipe))
