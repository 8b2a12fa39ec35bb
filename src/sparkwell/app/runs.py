"""Which run somebody means who names a model, or the run itself."""

from sparkwell.app.service import ModelService
from sparkwell.core.errors import UsageError
from sparkwell.core.protocols import Driver


async def run_meant(driver: Driver, word: str | None, models: ModelService) -> str:
    """The run of that id, else the newest run of the model of that name; None means of any.

    After a crash the newest run may be the one that came back: the one that failed has an id.
    Raises UsageError for a word that is neither, and where nothing has run.
    """
    if word is not None and driver.knows(word):
        return word
    return await newest_run(driver, models.served(word).name if word else None)


async def newest_run(driver: Driver, model: str | None) -> str:
    """The instance that lives, else the one that ended last; of any model where it is None.

    Raises UsageError where none has run, or is remembered.
    """
    live = [entry.spec for entry in reversed(await driver.running())]
    ended = [spec for spec, _ in driver.ended()]
    for spec in [*live, *ended]:
        if model in (None, spec.model):
            return spec.instance
    raise UsageError(
        f"{model or 'A model'} has not run here yet, so there is no log.",
        hint=f"`sparkwell up {model or 'MODEL'}` starts it.",
    )
