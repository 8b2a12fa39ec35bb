"""`sparkwell preflight`."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sparkwell.cli.client import run
from sparkwell.cli.context import Context, json_option
from sparkwell.cli.finding_text import counted, finding_lines, tally, text_width
from sparkwell.cli.options import profile_option, set_option, way_options
from sparkwell.core.errors import UsageError
from sparkwell.core.findings import Finding

if TYPE_CHECKING:
    from sparkwell.app.preflight.report import Asked, Report

FAILED = 1


@click.command(short_help="Check whether a model could be started here, without starting it.")
@click.argument("model")
@click.option("--fix", is_flag=True, help="Do what is safe about what is found, then look again.")
@set_option("A flag of the engine, as for `sparkwell up`; may be given several times.")
@profile_option()
@way_options
@json_option
@click.pass_context
def preflight(
    click_context: click.Context,
    model: str,
    fix: bool,
    flags: tuple[str, ...],
    profile: str | None,
    driver: str | None,
    image: str | None,
    as_json: bool,
) -> None:
    """Check everything that a start of MODEL needs, without starting it.

    Each check that fails says what to do. --fix does what loses nothing: it removes unfinished
    downloads that are of no use, makes the folder for weights, and drops the page cache. The exit
    status is 0 when nothing speaks against the start, and 1 when something does.
    """
    context = click_context.find_object(Context)
    assert context is not None  # noqa: S101 - the group has made it
    asked = start_asked(context, model, flags, profile, driver, image)
    report = _report(context, asked, fix)
    click.echo(json.dumps(report.to_json()) if as_json else _text(report))
    click_context.exit(0 if report.ok else FAILED)


def start_asked(
    context: Context,
    model: str,
    flags: tuple[str, ...],
    profile: str | None,
    driver: str | None = None,
    image: str | None = None,
) -> "Asked":
    """The start that is to be looked at; UsageError for a model of Ollama's."""
    from sparkwell.app.launching.flags import StartWish
    from sparkwell.app.planning.planning import parse_flags
    from sparkwell.app.preflight.report import Asked

    recipe = context.models.served(model).recipe
    if recipe is None:
        raise UsageError(
            f"{model} is Ollama's; pre-flight looks at models that vLLM serves.",
            hint="`sparkwell up` says what it lacks.",
        )
    wish = StartWish(parse_flags(flags), profile, driver=driver, image=image)
    settings_file = context.config_file or context.paths.config_file
    folders = (Path.cwd(), settings_file.absolute().parent)
    return Asked(recipe, wish, token_folders=folders, deep=True)


def _report(context: Context, asked: "Asked", fix: bool) -> "Report":
    from sparkwell.app.preflight.report import preflight as look
    from sparkwell.app.preflight.report import preflight_and_fix

    return run((preflight_and_fix if fix else look)(context.models, asked))


def _text(report: "Report") -> str:
    """The findings."""
    how = "in a container" if report.driver == "compose" else "as a process"
    width = text_width()
    lines = [f"Pre-flight of {report.model}, {how}", ""]
    lines += [f"{_fixed_mark(each.done)} {each.text}" for each in report.fixed]
    for finding in report.findings:
        lines += finding_lines(_as_fixed_here(finding), width=width)
    return "\n".join([*lines, "", _verdict(report.findings)])


def _as_fixed_here(finding: Finding) -> Finding:
    """Without the fixes that only `sparkwell doctor` applies: they are asked for first."""
    from sparkwell.doctor.fixes import AFTER_ASKING

    remedies = (replace(each, fix=None) if each.fix in AFTER_ASKING else each
                for each in finding.remedies)  # fmt: skip
    return replace(finding, remedies=tuple(remedies))


def _fixed_mark(done: bool) -> str:
    return click.style("fixed:", fg="green") if done else click.style("not fixed:", fg="yellow")


def _verdict(findings: Iterable[Finding]) -> str:
    errors, warnings, _ = tally(findings)
    noted = f", {counted(warnings, 'warning')}" if warnings else ""
    if errors:
        return f"{counted(errors, 'thing')} would make the start fail{noted}."
    return f"Nothing speaks against the start{noted}."
