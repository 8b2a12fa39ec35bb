"""`sparkwell preflight`."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sparkwell.cli.client import run
from sparkwell.cli.context import Context, json_option
from sparkwell.cli.plan import PROFILES
from sparkwell.core.errors import UsageError
from sparkwell.core.findings import Finding, Remedy, Severity

if TYPE_CHECKING:
    from sparkwell.app.preflight import Asked, Report

FAILED = 1
_MARKS = {
    Severity.OK: ("✓", "green"),
    Severity.INFO: ("-", None),
    Severity.WARNING: ("!", "yellow"),
    Severity.ERROR: ("✗", "red"),
}


@click.command(short_help="Check whether a model could be started here, without starting it.")
@click.argument("model")
@click.option("--fix", is_flag=True, help="Do what is safe about what is found, then look again.")
@click.option(
    "--set",
    "flags",
    multiple=True,
    metavar="FLAG=VALUE",
    help="A flag of the engine, as for `sparkwell up`; may be given several times.",
)
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    help="What the flags are chosen for on a GPU.  [default: balanced]",
)
@click.option(
    "--driver",
    type=click.Choice(["process", "compose"]),
    help="Run the engine as a process or in a container.  [default: as suits the model]",
)
@click.option("--image", metavar="IMAGE", help="The container image to run the engine from.")
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
    asked = _asked(context, model, flags, profile, driver, image)
    report = _report(context, asked, fix)
    click.echo(json.dumps(report.to_json()) if as_json else _text(report))
    click_context.exit(0 if report.ok else FAILED)


def _asked(
    context: Context,
    model: str,
    flags: tuple[str, ...],
    profile: str | None,
    driver: str | None,
    image: str | None,
) -> "Asked":
    from sparkwell.app.planning import parse_flags
    from sparkwell.app.preflight import Asked
    from sparkwell.app.starting import StartWish

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
    from sparkwell.app.preflight import preflight as look
    from sparkwell.app.preflight import preflight_and_fix

    return run((preflight_and_fix if fix else look)(context.models, asked))


def _text(report: "Report") -> str:
    """The findings."""
    how = "in a container" if report.driver == "compose" else "as a process"
    lines = [f"Pre-flight of {report.model}, {how}", ""]
    lines += [f"{_fixed_mark(each.done)} {each.text}" for each in report.fixed]
    for finding in report.findings:
        lines += _lines(finding)
    return "\n".join([*lines, "", _verdict(report.findings)])


def _fixed_mark(done: bool) -> str:
    return click.style("fixed:", fg="green") if done else click.style("not fixed:", fg="yellow")


def _lines(finding: Finding) -> Iterable[str]:
    mark, colour = _MARKS[finding.severity]
    yield f"{click.style(mark, fg=colour)} {finding.title}{_aside(finding)}"
    if finding.severity is Severity.OK:
        return
    yield from (f"    {line}" for line in finding.evidence)
    if finding.cause:
        yield f"    {finding.cause}"
    for remedy in finding.remedies:
        yield from _remedy(remedy)


def _aside(finding: Finding) -> str:
    """What a good finding rests on stands beside it."""
    shown = finding.severity is Severity.OK and finding.evidence
    return click.style(f" ({'; '.join(finding.evidence)})", dim=True) if shown else ""


def _remedy(remedy: Remedy) -> Iterable[str]:
    safe = " (--fix does it)" if remedy.fix else ""
    yield f"    → {remedy.text}{safe}"
    if remedy.command:
        yield f"        {remedy.command}"


def _verdict(findings: Iterable[Finding]) -> str:
    severities = [finding.severity for finding in findings]
    errors, warnings = (severities.count(each) for each in (Severity.ERROR, Severity.WARNING))
    noted = f", {_count(warnings, 'warning')}" if warnings else ""
    if errors:
        return f"{_count(errors, 'thing')} would make the start fail{noted}."
    return f"Nothing speaks against the start{noted}."


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
