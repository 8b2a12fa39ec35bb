"""A model started with one set of flags after the other, and measured with each."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from sparkwell.cli.alone import alone, alone_here
from sparkwell.cli.bench.measuring import measure_into, subject_of
from sparkwell.cli.bringing_up import Wanted, bring_up
from sparkwell.cli.client import run
from sparkwell.cli.context import Context
from sparkwell.cli.earlier import bring_back, earlier, stop
from sparkwell.cli.stopping import as_at_ctrl_c, undisturbed
from sparkwell.cli.telling import tell
from sparkwell.core.errors import SparkwellError

if TYPE_CHECKING:
    from sparkwell.app.benching import BenchWish
    from sparkwell.app.subject import Subject
    from sparkwell.bench.results import Measured

Run = Mapping[str, Any]


def one_after_the_other(
    context: Context, wanted: Mapping[str, Wanted], wish: "BenchWish", *, quiet: bool
) -> dict[str, Run]:
    """The runs, each kept as soon as it is there; the model is as it was then, however it ends.

    Raises ConflictError where another model runs, or another measurement starts models anew.
    """
    [model] = next(iter(wanted.values())).models
    run(alone(context, model))
    runs: dict[str, Run] = {}
    with alone_here(context.paths.tunings), as_at_ctrl_c():
        before = run(earlier(context, model))
        try:
            for name, each in wanted.items():
                _try(context, name, each, wish, runs, quiet=quiet)
        finally:
            bring_back(context, model, before)
    return runs


def _try(
    context: Context, name: str, wanted: Wanted, wish: "BenchWish", runs: dict[str, Run],
    *, quiet: bool,
) -> None:  # fmt: skip
    """One variant; where it does not start or answer that is told, and the others are measured."""
    try:
        run(_anew(context, wanted, quiet=quiet))
        subject = run(subject_of(context, *wanted.models))
        _measure(context, subject, wish, lambda found: runs.update({name: found}), quiet=quiet)
    except SparkwellError as error:
        tell(click.style("! ", fg="yellow") + f"{name}: {error.message}\n{error.hint or ''}")


def _measure(
    context: Context, subject: "Subject", wish: "BenchWish", got: Callable[[Run], None],
    *, quiet: bool,
) -> None:  # fmt: skip
    """Measure it and keep what came, also where this is ended early."""
    from sparkwell.bench.results import Measured

    measured = Measured()
    try:
        measure_into(measured, subject, wish, quiet=quiet)
    finally:
        if measured.repeats:
            with undisturbed():
                _keep(context, subject, wish, measured, got, quiet=quiet)


def _keep(
    context: Context, subject: "Subject", wish: "BenchWish", measured: "Measured",
    got: Callable[[Run], None], *, quiet: bool,
) -> None:  # fmt: skip
    from sparkwell.app.benching import run_document
    from sparkwell.store.benchmarks import free_name, save

    folder = context.paths.benchmarks
    document = run_document(subject, wish, measured)
    document = {**document, "run": free_name(folder, document["run"])}
    got(document)
    save(folder, document)
    if not quiet:
        tell(f"Kept as the run {document['run']}.")


async def _anew(context: Context, wanted: Wanted, *, quiet: bool) -> None:
    """In the place of what runs of the model."""
    await stop(context, *wanted.models)
    await bring_up(context, wanted, quiet=quiet)
