"""`sparkwell batch`."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sparkwell.cli.batch_text import display, document, so_far, text
from sparkwell.cli.client import KEY, run, told_by_daemon
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.core.errors import SparkwellError, UsageError

if TYPE_CHECKING:
    from sparkwell.app.batching import BatchWish
    from sparkwell.batch.run import Course

SOME_FAILED = 1
_file = click.Path(dir_okay=False, path_type=Path)


@click.command(short_help="Answer the requests of a file, as OpenAI's Batch API does.")
@click.argument("requests", metavar="IN.jsonl", type=_file)
@click.argument("answers", metavar="OUT.jsonl", type=_file)
@click.option("--failed", type=_file, metavar="FILE", help="Refusals.  [default: OUT.failed.jsonl]")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Requests at a time.  [default: what the model's plan lets its engine take]",
)
@click.option(
    "--url",
    metavar="URL",
    help="Another endpoint, such as http://box:8000.  [default: this daemon's gateway]",
)
@json_option
@pass_context
def batch(
    context: Context,
    requests: Path,
    answers: Path,
    failed: Path | None,
    concurrency: int | None,
    url: str | None,
    as_json: bool,
) -> int:
    """Send every request of IN.jsonl and write the answers to OUT.jsonl.

    The lines are those of OpenAI's Batch API: custom_id, method, url, body. All are checked before
    the first is sent. The same command goes on where an earlier one ended: what OUT.jsonl answers
    is not asked again, what failed is. A key is taken from SPARKWELL_API_KEY. The exit status is 1
    where a request failed. docs/batch.md has more.
    """
    failed = failed or answers.with_suffix(f".failed{answers.suffix or '.jsonl'}")
    _must_differ(requests, answers, failed)
    wish = run(_wish(context, requests, answers, failed, concurrency, url))
    began = time.monotonic()
    course = _answered(wish, quiet=as_json)
    seconds = time.monotonic() - began
    click.echo(
        json.dumps(document(wish, course, seconds)) if as_json else text(wish, course, seconds)
    )
    return SOME_FAILED if course.failed else 0


def _must_differ(*files: Path) -> None:
    if len({file.resolve() for file in files}) < len(files):
        named = ", ".join(map(str, files))
        raise UsageError(
            f"Requests, answers and refusals have to be three files: {named}.",
            hint="Nothing was sent, and nothing was written.",
        )


async def _wish(
    context: Context,
    requests: Path,
    answers: Path,
    failed: Path,
    concurrency: int | None,
    url: str | None,
) -> "BatchWish":
    """The batch: of another endpoint neither plan nor certificate are known here."""
    from sparkwell.app.batching import BatchWish, room_of
    from sparkwell.app.listener.trust import trust_by
    from sparkwell.batch.lines import read_lines

    lines, key = read_lines(requests), context.environ.get(KEY)
    if url is not None:
        return BatchWish(requests, lines, answers, failed, url, key, concurrency=concurrency)
    about = await told_by_daemon(context, "status")
    return BatchWish(
        requests, lines, answers, failed, str(about["gateway"]), key,
        trust_by(about.get("certificate")), concurrency,
        lambda model: room_of(context.models, model, about["instances"]),
    )  # fmt: skip


def _answered(wish: "BatchWish", *, quiet: bool) -> "Course":
    """Ask, with a bar; where it ends early, say how far it came."""
    from sparkwell.app.batching import answer_file

    newest: list[Course] = []
    try:
        with display(quiet=quiet) as show:

            def tell(course: "Course") -> None:
                newest[:] = [course]
                show(course)

            return run(answer_file(wish, tell))
    except (SparkwellError, OSError, KeyboardInterrupt):
        if newest:
            click.echo(so_far(wish, newest[0]), err=True)
        raise
