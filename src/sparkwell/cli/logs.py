"""`sparkwell logs`."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import click

from sparkwell.app.drivers import make_drivers
from sparkwell.app.runs import run_meant
from sparkwell.cli.client import run
from sparkwell.cli.context import Context, pass_context
from sparkwell.core.errors import UsageError
from sparkwell.monitor.log_lines import ErrorLines, Keeps, harmless, kept, matching
from sparkwell.store import Breakers, reading


@click.command(short_help="Show an engine's log.")
@click.argument("model", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on as new lines come.")
@click.option("-n", "--tail", type=click.IntRange(0), metavar="N", help="Only the last N lines.")
@click.option("--grep", metavar="RE", help="Only lines in which the regular expression is found.")
@click.option("--errors", is_flag=True, help="Only errors, and tracebacks as a whole.")
@click.option(
    "--first-failure",
    is_flag=True,
    help="The end of the log of the first failure in MODEL's row: later ones are often its echo.",
)
@click.option("--daemon", is_flag=True, help="The log of a daemon that runs in the background.")
@pass_context
def logs(
    context: Context,
    model: str | None,
    follow: bool,
    tail: int | None,
    grep: str | None,
    errors: bool,
    first_failure: bool,
    daemon: bool,
) -> None:
    """Show the log of MODEL's newest run (default: the newest of all), also of an ended one.

    The id of a run (`sparkwell ps` and `sparkwell events` give it) in place of MODEL shows that
    run: after a crash the newest one may be the one that came back.
    --grep and --errors choose lines, --tail counts those that they leave.
    """
    wish = Wish(tail, grep, errors)
    if daemon:
        if follow or model or first_failure:
            raise UsageError(
                "--daemon shows the daemon's log as it is: it takes no MODEL, no --follow and no "
                "--first-failure.",
                hint=f"To follow it: tail -f {context.paths.daemon_log}",
            )
        _daemon_log(context, wish)
        return
    if first_failure:
        _first_failure(context, context.models.served(model).name if model else None, wish)
        return
    run(_show(context, model, follow, wish))


@dataclass(frozen=True, slots=True)
class Wish:
    """Which lines somebody wants to see."""

    tail: int | None = None
    grep: str | None = None
    errors: bool = False

    def filters(self) -> tuple[Keeps, ...]:
        """New ones: they remember what they have seen. Raises UsageError for a bad pattern."""
        wanted = (matching(self.grep),) if self.grep is not None else ()
        return (*wanted, ErrorLines()) if self.errors else wanted

    def of(self, lines: Iterable[str]) -> list[str]:
        """What is left of a log that has ended, or of what there is so far."""
        return _last(list(kept(lines, self.filters())), self.tail)


def _first_failure(context: Context, model: str | None, wish: Wish) -> None:
    """What the store has kept, also when the run's own log has been pruned."""
    if model is None:
        raise UsageError("--first-failure is about one model.", hint="Name a MODEL.")
    with reading(context.paths.store) as store:
        row = Breakers(store).load().get(model) if store else None
    if row is None:
        raise UsageError(
            f"Nothing is held against {model}: it has not failed since it last served well.",
            hint=f"`sparkwell events --model {model}` shows what happened to it.",
        )
    times = "once" if row.failures == 1 else f"{row.failures} times in a row"
    said = f"{model} failed {times}. The first was {row.first_instance}: {row.first_reason}."
    click.echo(said, err=True)
    for line in wish.of(row.first_lines):
        _say(line)


def _daemon_log(context: Context, wish: Wish) -> None:
    try:
        text = context.paths.daemon_log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise UsageError("No daemon has run in the background here yet.") from None
    for line in wish.of(text.splitlines()):
        _say(line)


async def _show(context: Context, model: str | None, follow: bool, wish: Wish) -> None:
    wish.filters()  # a bad pattern is said before anything else
    driver = make_drivers(context.paths, context.settings, context.environ).every
    instance = await run_meant(driver, model, context.models)
    if ended := next((end for spec, end in driver.ended() if spec.instance == instance), None):
        at = datetime.fromtimestamp(ended.ended_at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        click.echo(f"Log of the run {instance}, which ended at {at} ({ended.reason}).", err=True)
    lines, rest = await driver.written(instance)
    if not follow:
        for line in wish.of([*lines, *rest]):
            _say(line)
        return
    # From the start in either case: between reading and following at the end lines get lost.
    passed_over = _passed_over(lines, wish)
    filters = wish.filters()
    async for line in driver.follow(instance):
        for shown in kept([line], filters):
            if passed_over:
                passed_over -= 1
            else:
                _say(shown)


def _passed_over(lines: list[str], wish: Wish) -> int:
    """How many of the lines that there are already come before the last ones wanted."""
    if wish.tail is None:
        return 0
    there = sum(1 for _ in kept(lines, wish.filters()))
    return max(there - wish.tail, 0)


def _say(line: str) -> None:
    """As it is into a file or a pipe; a terminal obeys no engine."""
    click.echo(harmless(line) if sys.stdout.isatty() else line)


def _last(lines: list[str], tail: int | None) -> list[str]:
    return lines if tail is None else lines[len(lines) - min(tail, len(lines)) :]
