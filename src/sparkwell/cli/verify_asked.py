"""What `sparkwell verify` was asked for: which model is meant, and whether it can be done."""

from typing import TYPE_CHECKING

from sparkwell.cli.client import Json
from sparkwell.cli.context import Context
from sparkwell.cli.verify_session import Wish, instance_of
from sparkwell.core.errors import UsageError

if TYPE_CHECKING:
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
    from sparkwell.app.planning import parse_flags
    from sparkwell.bench.suites import suite
    from sparkwell.engines.vllm import check_flags

    suite(wish.suite)
    name = wish.recipe.name
    check_flags(parse_flags(wish.flags), version=_version(context, wish.recipe))
    if (wish.flags or wish.profile) and instance_of(status, name) is not None:
        raise UsageError(
            f"{name} runs already, and is measured with the flags that it has.",
            hint=f"Leave --set and --profile out, or stop it first: `sparkwell down {name}`.",
        )


def _version(context: Context, recipe: "Recipe") -> str | None:
    """Of the engine that would run; None where it is not installed, which pre-flight finds."""
    from sparkwell.app.preflight.report import Asked
    from sparkwell.app.preflight.scope import find_way

    way = find_way(context.models, Asked(recipe))
    return way.version if way else None
