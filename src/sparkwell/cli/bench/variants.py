"""`sparkwell bench variants`: a model with one set of flags after the other, asked the same."""

import json
import re
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sparkwell.cli.bench.in_turn import Run, one_after_the_other
from sparkwell.cli.bringing_up import Wanted, check_request
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.options import Numbers, SloOption
from sparkwell.core.errors import UsageError
from sparkwell.planner.profile_names import PROFILES

if TYPE_CHECKING:
    from sparkwell.bench.figures import Slo

BROKEN = 1
_WORDS = re.compile(r"\s+(?=[A-Za-z][\w.-]*(?:=|\s|$))")
"""Between a profile and flags, and not within a flag's JSON."""


@click.command("variants", short_help="Measure a model with several profiles or flags.")
@click.argument("model")
@click.argument("variants", nargs=-1, required=True, metavar="VARIANT...")
@click.option("--suite", default="guide", show_default=True, help="As of `sparkwell bench`.")
@click.option(
    "--concurrency",
    type=Numbers(int, 1, 100_000),
    metavar="N,N,…",
    help="Clients at once, in the place of the suite's.",
)
@click.option("--requests", type=click.IntRange(1), metavar="N", help="Requests of each case.")
@click.option(
    "--repeats", type=click.IntRange(1, 100), default=3, show_default=True, help="Of each variant."
)
@click.option("--slo", type=SloOption(), metavar="ttft=2s,tpot=50ms", help="Count what keeps this.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.png|svg",
    help="Draw all into one picture.",
)
@json_option
@pass_context
def variants(
    context: Context,
    model: str,
    variants: tuple[str, ...],
    suite: str,
    concurrency: tuple[int, ...] | None,
    requests: int | None,
    repeats: int,
    slo: "Slo | None",
    plot: Path | None,
    as_json: bool,
) -> int:
    """Start MODEL with each VARIANT in turn and measure it, with the same requests.

    A variant is a profile, flags, or both, as `sparkwell up` takes them:

    \b
      sparkwell bench variants qwen3-8b-fp8 balanced throughput latency
      sparkwell bench variants qwen3-8b-fp8 guide 'guide enable_prefix_caching=false' \\
          --suite prefix

    Every run is kept, as one of `sparkwell bench` is. The model is left as it was. A star is at
    the variant that is better than each other beyond chance; where none is, there is no star.
    """  # noqa: D301 - \b is click's mark for "leave these lines alone"
    from sparkwell.app.benching import BenchWish
    from sparkwell.bench.suites import Changes
    from sparkwell.bench.suites import suite as suite_named

    wanted = _wanted(context.catalog.get(model).name, variants)
    if plot is not None:
        from sparkwell.cli.picture import check_picture

        check_picture(plot)
    wish = BenchWish(
        suite_named(suite), Changes(concurrency, None, None, None, requests), repeats,
        shlex.join(["sparkwell", *sys.argv[1:]]), f"{time.time():.3f}", slo,
    )  # fmt: skip
    for each in wanted.values():
        check_request(context, each)
    runs = one_after_the_other(context, wanted, wish, quiet=as_json)
    if runs:
        _show(list(runs), list(runs.values()), plot, as_json=as_json)
    whole = len(runs) == len(wanted)
    return BROKEN if not whole or any(map(_is_broken, runs.values())) else 0


def _is_broken(run: Run) -> bool:
    from sparkwell.bench.run_document import failed_in

    return bool(run["broken"]) or failed_in(run) > 0


def _wanted(model: str, variants: Sequence[str]) -> dict[str, Wanted]:
    """A start for each variant, by its words; raises UsageError for a single one."""
    found = {each.strip(): _variant(model, _WORDS.split(each.strip())) for each in variants}
    if len(found) < 2:
        raise UsageError(
            "One variant alone has nothing to be compared with.",
            hint="Name two or more: sparkwell bench variants MODEL balanced throughput",
        )
    return found


def _variant(model: str, words: Sequence[str]) -> Wanted:
    flags = tuple(word for word in words if "=" in word)
    profiles = [word for word in words if "=" not in word]
    wrong = [each for each in profiles if each not in PROFILES]
    if wrong or len(profiles) > 1 or not words:
        raise UsageError(
            f"{' '.join(words)!r} is no variant: it has one profile at most, and flags.",
            hint=f"Profiles are {', '.join(PROFILES)}; a flag is written FLAG=VALUE.",
        )
    return Wanted((model,), flags, profiles[0] if profiles else None)


def _show(names: Sequence[str], runs: Sequence[Run], plot: Path | None, *, as_json: bool) -> None:
    from sparkwell.cli.bench.columns import document, page

    click.echo(json.dumps(document(names, runs)) if as_json else page(names, runs))
    if plot is not None:
        from sparkwell.cli.bench.side_plot import draw

        draw(names, runs, plot)
