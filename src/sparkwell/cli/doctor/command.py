"""`sparkwell doctor`: what is wrong, from symptom to cure, with evidence."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sparkwell.cli.client import run
from sparkwell.cli.context import Context, json_option
from sparkwell.cli.doctor.text import explained_text, listed_text, saved_text, text
from sparkwell.cli.doctor.wish import STDIN, Wish, check, must_be_bare
from sparkwell.core.errors import DocumentError

if TYPE_CHECKING:
    from sparkwell.app.diagnosing.diagnosis import Diagnosis
    from sparkwell.catalog import Catalog
    from sparkwell.checks.snapshot import Snapshot

FAILED = 1


class _Doctor(click.Group):
    """The command looks by itself; `explain` is the one word that may follow."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it; a word that is no command is most often a model or a file."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            word = args[0]
            raise click.UsageError(
                f"{word!r} is not expected here. A model is named by --model, a log by --log, an "
                "id follows `explain`.",
                ctx,
            ) from None


@click.group(
    cls=_Doctor,
    invoke_without_command=True,
    subcommand_metavar="[explain ID]",
    short_help="Find what is wrong: symptom, evidence, cause, remedy.",
)
@click.option("--model", metavar="MODEL", help="Leave other models out; with --log: whose it is.")
@click.option(
    "--log",
    metavar="FILE",
    type=click.Path(allow_dash=True, path_type=Path),
    help="Judge this log of vLLM or Ollama, and nothing else; - is standard input.",
)
@click.option(
    "--save",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write what was looked at to a file, secrets removed: for a bug report.",
)
@click.option("--force", is_flag=True, help="Let --save write over a file.")
@click.option(
    "--snapshot",
    metavar="FILE",
    type=click.Path(allow_dash=True, path_type=Path),
    help="Judge what --save has written, here or on another machine.",
)
@click.option("--fix", is_flag=True, help="Do what is safe about what is found; asks before each.")
@click.option(
    "--yes",
    "-y",
    is_flag=True,
    help="Let --fix do it without asking: also end engines that outlived their parents.",
)
@click.option("--list", "listing", is_flag=True, help="List all checks.")
@click.option("--verbose", "-v", is_flag=True, help="Show also what is well.")
@json_option
@click.pass_context
def doctor(
    click_context: click.Context,
    model: str | None,
    log: Path | None,
    save: Path | None,
    force: bool,
    snapshot: Path | None,
    fix: bool,
    yes: bool,
    listing: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Find what is wrong: symptom, evidence, cause, and the command that mends it.

    Looks at this host, its models and their logs, with or without a daemon; with --log at one
    log. `sparkwell doctor explain ID` says more of a finding. The exit status is 0 when nothing
    is an error, and 1 when something is.
    """
    context = click_context.find_object(Context)
    assert context is not None  # noqa: S101 - the group has made it
    wish = Wish(model, log, snapshot, save, force, fix, yes, verbose, as_json)
    if click_context.invoked_subcommand:
        must_be_bare(wish, listing, "explain")
        return
    if listing:
        must_be_bare(replace(wish, as_json=False), False, "--list")
        click.echo(_listed(as_json))
        return
    check(wish)
    click_context.exit(0 if _examined(context, wish).ok else FAILED)


@doctor.command(short_help="Explain one check: symptoms, cause, remedies, reference.")
@click.argument("id_", metavar="ID")
@json_option
def explain(id_: str, as_json: bool) -> None:
    """Explain the check ID: what it asks, how its trouble looks, why, what helps.

    `sparkwell doctor --list` names all.
    """
    from sparkwell.checks.diagnosis.known import explained

    known = explained(id_)
    click.echo(json.dumps(known.to_json()) if as_json else explained_text(known))


def _examined(context: Context, wish: Wish) -> "Diagnosis":
    """Look, judge, save and mend as wished, and say so; what was found last is returned."""
    from sparkwell.cli.doctor.fix import fixed_and_left

    model = _named(context, wish)
    look = partial(_diagnosis, context, wish, model)
    found = look()
    saved = _saved(found.snapshot, wish)
    document: dict[str, Any] = found.to_json()
    if not wish.as_json:
        here = not (wish.log or wish.snapshot)
        click.echo(text(found, verbose=wish.verbose, here=here))
    if wish.fix:
        found, fixed = fixed_and_left(found, look, yes=wish.yes, quiet=wish.as_json)
        document = {**found.to_json(), "fixed": [each.to_json() for each in fixed]}
    if wish.as_json:
        click.echo(json.dumps({**document, "saved": saved and str(saved)}))
    return found


def _diagnosis(context: Context, wish: Wish, model: str | None) -> "Diagnosis":
    from sparkwell.app.diagnosing.diagnosis import diagnose

    return diagnose(_snapshot(context, wish, model), model)


def _named(context: Context, wish: Wish) -> str | None:
    """The model by its name in the catalog; raises UnknownModelError with near ones."""
    return context.models.served(wish.model).name if wish.model else None


def _snapshot(context: Context, wish: Wish, model: str | None) -> "Snapshot":
    """What is to be judged."""
    from sparkwell.app.diagnosing.diagnosis import look_at_host, look_at_log
    from sparkwell.app.diagnosing.files import saved_snapshot

    if wish.snapshot:
        return saved_snapshot(wish.snapshot)
    if wish.log:
        file = None if wish.log == STDIN else wish.log
        return look_at_log(file, _catalog(context), model)
    return run(look_at_host(context.models, model, context.config_file))


def _catalog(context: Context) -> "Catalog":
    """All recipes; those of the package alone where the settings cannot be read."""
    from sparkwell.catalog import load_catalog

    try:
        return context.catalog
    except DocumentError:
        return load_catalog()


def _saved(snapshot: "Snapshot", wish: Wish) -> Path | None:
    if wish.save is None:
        return None
    from sparkwell.app.diagnosing.files import save_snapshot

    size = save_snapshot(snapshot, wish.save, force=wish.force)
    if not wish.as_json:
        click.echo(saved_text(snapshot, wish.save, size), err=True)
    return wish.save


def _listed(as_json: bool) -> str:
    from sparkwell.checks.diagnosis.known import known

    if as_json:
        return json.dumps({"checks": [each.to_json() for each in known()]})
    return listed_text(known())
