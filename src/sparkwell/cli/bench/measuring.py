"""How commands measure a model that runs: what is asked, and the display."""

from dataclasses import replace
from typing import TYPE_CHECKING

from sparkwell.cli.client import KEY, told_by_daemon
from sparkwell.cli.context import Context
from sparkwell.cli.stopping import until_stopped
from sparkwell.core.errors import UsageError

if TYPE_CHECKING:
    from sparkwell.app.benching import BenchWish
    from sparkwell.app.subject import Subject
    from sparkwell.bench.results import Measured


async def subject_of(
    context: Context, model: str | None, url: str | None = None, *, direct: bool = False
) -> "Subject":
    """What is to be measured, with the key of the environment; SparkwellError for what cannot."""
    from sparkwell.app.subject import elsewhere, own_subject, running

    key = context.environ.get(KEY)
    if url is not None:
        if model is None:
            raise UsageError(
                "Which model of that endpoint?", hint="`sparkwell bench MODEL --url URL`"
            )
        return elsewhere(url, model, key)
    status = await told_by_daemon(context, "status")
    instance = running(status, _recipe_name(context, model))
    subject = own_subject(context.models, context.settings.gateway, status, instance, direct=direct)
    return replace(subject, target=replace(subject.target, key=key))


def _recipe_name(context: Context, model: str | None) -> str | None:
    """By its repository too; UnknownModelError with near names, unless it runs without a recipe."""
    from sparkwell.app.planning.targets import is_path
    from sparkwell.catalog.ollama import is_ollama

    if model is None or is_path(model) or is_ollama(model):
        return model
    return context.catalog.get(model).name


def measure_into(
    measured: "Measured", subject: "Subject", wish: "BenchWish", *, quiet: bool
) -> None:
    """Measure with a display of how far it is; ``measured`` has what came, however it ends."""
    import uvloop

    from sparkwell.app.benching import bench as measure
    from sparkwell.app.benching import chosen_cases
    from sparkwell.cli.bench.text import display

    cases = chosen_cases(subject, wish)
    many_files()
    with display(cases, wish.repeats, quiet=quiet) as show:
        uvloop.run(until_stopped(measure(subject, wish, measured, show)))


def many_files() -> None:
    """As many connections as the system lets this process have: the usual limit is 1,024 files."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
