"""`sparkwell bench`: measure a model that runs."""

import json
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sparkwell.cli.bench.files import Files, file_options
from sparkwell.cli.bench.measuring import measure_into, subject_of
from sparkwell.cli.bench.runs import compare, list_, show
from sparkwell.cli.bench.variants import variants
from sparkwell.cli.client import run
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.options import Numbers, SloOption, WithModel
from sparkwell.cli.stopping import as_at_ctrl_c, undisturbed
from sparkwell.cli.telling import show as shown

if TYPE_CHECKING:
    from sparkwell.app.benching import BenchWish
    from sparkwell.app.subject import Subject
    from sparkwell.bench.figures import Slo

BROKEN = 1


@click.group(cls=WithModel, short_help="Measure how fast a running model really is.")
def bench() -> None:
    """Measure how fast a running model really is, beside plan, guide and hardware limit.

    \b
      sparkwell bench                        the quick suite, of the model that runs
      sparkwell bench qwen3-8b-fp8 --suite guide
      sparkwell bench variants qwen3-8b-fp8 balanced throughput
      sparkwell bench list                   the runs that were kept
      sparkwell bench compare 2 1            the newest run against the one before
    """  # noqa: D301 - \b is click's mark for "leave these lines alone"


@bench.command("run")
@click.argument("model", required=False)
@click.option(
    "--suite",
    default="quick",
    show_default=True,
    help="quick, guide, prefix, long-context, crowd or mixed.",
)
@click.option(
    "--concurrency",
    type=Numbers(int, 1, 100_000),
    metavar="N,N,…",
    help="Clients at once, in the place of the suite's.",
)
@click.option(
    "--rate",
    type=Numbers(float, 0.001, 10_000),
    metavar="R,R,…",
    help="Requests a second that come when they come (Poisson).",
)
@click.option("--prompt-tokens", type=click.IntRange(1), metavar="N", help="Length of each prompt.")
@click.option("--output-tokens", type=click.IntRange(1), metavar="N", help="Length of each answer.")
@click.option("--requests", type=click.IntRange(1), metavar="N", help="Requests of each case.")
@click.option(
    "--repeats",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="Times that all of it is measured.",
)
@click.option(
    "--slo", type=SloOption(), metavar="ttft=2s,tpot=50ms", help="Count as goodput what keeps this."
)
@click.option(
    "--seed",
    metavar="WORD",
    help="Ask the prompts of another run with this seed.  [default: new ones]",
)
@click.option("--direct", is_flag=True, help="Ask the engine itself, not through the gateway.")
@click.option(
    "--url", metavar="URL", help="Another endpoint, such as http://box:8000; needs MODEL."
)
@click.option(
    "--text-prompts", is_flag=True, help="Ask with random words, where token ids are refused."
)
@file_options
@json_option
@pass_context
def run_(
    context: Context,
    /,
    model: str | None,
    suite: str,
    concurrency: tuple[int, ...] | None,
    rate: tuple[float, ...] | None,
    prompt_tokens: int | None,
    output_tokens: int | None,
    requests: int | None,
    repeats: int,
    slo: "Slo | None",
    seed: str | None,
    direct: bool,
    url: str | None,
    text_prompts: bool,
    as_json: bool,
    **files: Path | None,
) -> int:
    """Measure MODEL, or the one model that runs.

    Every prompt is new, so that no cache knows it; the first requests warm up and do not count.
    Figures are means of the repeats with a 95 % interval. What was measured until Ctrl-C, SIGTERM
    or the engine's end is kept and marked. A key is taken from SPARKWELL_API_KEY.
    """
    from sparkwell.app.benching import BenchWish
    from sparkwell.app.subject import by_text
    from sparkwell.bench.suites import Changes
    from sparkwell.bench.suites import suite as suite_named

    wanted = Files(**files)
    wanted.check()
    changes = Changes(concurrency, rate, prompt_tokens, output_tokens, requests)
    wish = BenchWish(
        suite_named(suite), changes, repeats, shlex.join(["sparkwell", *sys.argv[1:]]),
        seed or f"{time.time():.3f}", slo,
    )  # fmt: skip
    subject = run(subject_of(context, model, url, direct=direct))
    subject = by_text(subject) if text_prompts else subject
    return _measured(context, subject, wish, wanted, as_json=as_json)


def _measured(
    context: Context, subject: "Subject", wish: "BenchWish", files: Files, *, as_json: bool
) -> int:
    """Measure, keep what came, show it; whatever ends it early comes after that."""
    from sparkwell.app.benching import run_document
    from sparkwell.bench.results import Measured

    measured = Measured()
    with as_at_ctrl_c():
        try:
            measure_into(measured, subject, wish, quiet=as_json)
        finally:
            if measured.repeats:
                with undisturbed():
                    document = run_document(subject, wish, measured)
                    _kept(context, document, files, as_json=as_json)
    return BROKEN if measured.broken or measured.failed else 0


def _kept(context: Context, document: dict[str, Any], files: Files, *, as_json: bool) -> None:
    """Keep it, and show it whatever comes of that: a disk may be full, or the terminal gone."""
    from sparkwell.cli.bench.text import text
    from sparkwell.store.benchmarks import free_name, save

    folder = context.paths.benchmarks
    document = {**document, "run": free_name(folder, document["run"])}
    said = [json.dumps(document) if as_json else text(document)]
    try:
        file = save(folder, document)
        said += [] if as_json else [f"Kept as {file}."]
        files.write(document)
    finally:
        shown("\n".join(said))


for each in (variants, list_, show, compare):
    bench.add_command(each)
