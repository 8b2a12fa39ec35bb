"""Models that the settings want from the beginning: upped with the daemon, together if they fit."""

import logging
from collections.abc import Sequence

from sparkwell.admin.api import UpBody
from sparkwell.app.daemon.building import Built
from sparkwell.core.errors import SparkwellError
from sparkwell.supervisor.box import Leaving
from sparkwell.supervisor.breaker import Breaker

logger = logging.getLogger(__name__)


async def preload(built: Built, models: tuple[str, ...]) -> None:
    """Start the models that the settings want from the beginning; what runs already goes on.

    Those that fit together start so: the first one alone would take what the others need.
    """
    fresh = [each for each in dict.fromkeys(models) if _has_never_failed(built, each)]
    together = len(fresh) > 1 and await _preload_together(built, fresh)
    for model in models:
        if together and model in fresh:
            continue
        try:
            await _preload(built, model)
        except SparkwellError as error:
            logger.warning("%s is not preloaded: %s", model, error)


def _has_never_failed(built: Built, model: str) -> bool:
    """Whether it may be upped; not one that nobody knows, either."""
    try:
        return built.supervisor.box.breaker(built.models.served(model).name) is None
    except SparkwellError:
        return False


async def _preload_together(built: Built, models: Sequence[str]) -> bool:
    """Whether all of them could be upped at once."""
    try:
        await built.host.up(UpBody(models=tuple(models)))
    except SparkwellError as error:
        names = ", ".join(models)
        logger.warning("%s are not preloaded together, but one by one: %s", names, error)
        return False
    return True


async def _preload(built: Built, model: str) -> None:
    """As a person would, but for one that has failed: only a person forgives it that."""
    name = built.models.served(model).name
    held_against = built.supervisor.box.breaker(name)
    if held_against is None:
        await built.host.up(UpBody(models=(model,)))
    elif held_against.open:
        _leave_alone(built, name, held_against)
    elif built.supervisor.of(name) is None:
        labels = built.supervisor.given(name)
        terms = built.terms_of(name, labels, True)
        built.supervisor.want([Leaving(name, terms, kept=True)], {name: labels})


def _leave_alone(built: Built, model: str, held_against: Breaker) -> None:
    said = (
        f"{model} is not preloaded: it failed {held_against.failures} times in a row. "
        f"The first time: {held_against.reason}"
    )
    built.journal.add("preload.left_alone", said, model=model)
    logger.warning(said)
