"""`sparkwell compose`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.options import profile_option, set_option
from sparkwell.core.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from sparkwell.app.composing.making import ComposeFile
    from sparkwell.app.composing.service import Composed
    from sparkwell.app.composing.wish import ComposeWish


@click.command(short_help="Print a Docker Compose file that serves models without Sparkwell.")
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@profile_option("What the flags are chosen for.")
@click.option("--hardware", metavar="NAME|FILE", help="For a described machine.")
@click.option("--exact", is_flag=True, help="As the guides have it, without any correction.")
@click.option(
    "--without",
    multiple=True,
    metavar="CORRECTION",
    help="Leave out one of Sparkwell's corrections. May be given several times.",
)
@click.option("--publish", metavar="ADDRESS", help="Publish ports there (default: 127.0.0.1).")
@click.option("--image", metavar="IMAGE", help="Another container image of vLLM.")
@set_option("A flag of vLLM's; the others are chosen around it. May be given several times.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write to a file.",
)
@click.option("--force", is_flag=True, help="Take an image, or overwrite a file, all the same.")
@json_option
@pass_context
def compose(
    context: Context,
    models: tuple[str, ...],
    profile: str | None,
    hardware: str | None,
    exact: bool,
    without: tuple[str, ...],
    publish: str | None,
    image: str | None,
    flags: tuple[str, ...],
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Print a Docker Compose file with the services of MODELs, or with all that the guides have.

    Names of services, containers and Compose profiles are the guides', so their commands work as
    they stand; `ollama` is Ollama's server. Flags are planned for this machine, or for a DGX Spark
    where this one has no NVIDIA GPU. What is otherwise than in the guides has a name and a reason
    in docs/compose.md, and --without NAME leaves it out.
    """
    from sparkwell.app.composing.making import Composing
    from sparkwell.app.composing.wish import LOOPBACK, ComposeWish, check_address
    from sparkwell.app.launching.ways import check_image_name
    from sparkwell.app.planning.planning import parse_flags
    from sparkwell.drivers.image_digests import local_digest
    from sparkwell.engines.compose.corrections import CHANGES, check_names

    if exact and (without or profile):
        raise UsageError(
            "--exact prints the guides' own files: it takes neither --without nor --profile.",
            hint="Leave --exact out to choose.",
        )
    if image is not None:
        check_image_name(image)
    wish = ComposeWish(
        models=models,
        hardware=hardware,
        profile=profile,
        flags=parse_flags(flags),
        without=frozenset(CHANGES) if exact else check_names(without),
        publish=check_address(publish) if publish else LOOPBACK,
        image=image,
        token=_has_token(output),
        force=force,
    )
    if output is not None:
        _must_be_ours(output, force)
    made = Composing(context.models, local_digest).compose(wish)
    _put_out(made, wish, output, as_json)


def _has_token(output: Path | None) -> bool:
    """Whether .env beside the file has HF_TOKEN; its value is not looked at further."""
    from sparkwell.drivers.hub_token import parse_dotenv

    folder = output.absolute().parent if output else Path.cwd()
    try:
        return "HF_TOKEN" in parse_dotenv((folder / ".env").read_text("utf-8", "replace"))
    except OSError:
        return False


def _must_be_ours(file: Path, force: bool) -> None:
    """Refuse to overwrite a file that somebody wrote by hand."""
    from sparkwell.app.composing.text import MARK

    if force or not file.exists():
        return
    if not file.read_text("utf-8", "replace").startswith(f"# {MARK}"):
        raise ConflictError(
            f"There is a file {file} that Sparkwell did not write.",
            hint="Name another one with -o, or overwrite it with --force.",
        )


def _write(output: Path, text: str) -> None:
    """Write the file; another one that is there is kept beside it."""
    if not output.absolute().parent.is_dir():
        raise UsageError(
            f"There is no folder {output.absolute().parent}.", hint="Make it, or name another file."
        )
    if output.exists() and output.read_text("utf-8", "replace") != text:
        kept = output.with_name(f"{output.name}.bak")
        output.replace(kept)
        click.echo(f"The file that was there is now {kept}.", err=True)
    output.write_text(text, encoding="utf-8")


def _put_out(made: "ComposeFile", wish: "ComposeWish", output: Path | None, as_json: bool) -> None:
    if output is not None:
        _write(output, made.text)
    if as_json:
        click.echo(json.dumps(_document(made, wish, output)))
    elif output is None:
        click.echo(made.text, nl=False)
    else:
        click.echo(f"Wrote {output}.")
    if not as_json:
        for note in made.notes:
            click.echo(click.style("Note: ", fg="yellow") + note, err=True)


def _document(made: "ComposeFile", wish: "ComposeWish", output: Path | None) -> dict[str, Any]:
    return {
        "hardware": made.hardware,
        "profile": wish.profile,
        "exact": wish.exact,
        "file": str(output) if output else None,
        "compose": made.document.mapping,
        "services": [_entry(service) for service in made.services],
        "notes": list(made.notes),
        "yaml": made.text,
    }


def _entry(service: "Composed") -> dict[str, Any]:
    written = service.corrected.draft.written
    differences = [
        {
            "option": each.path,
            "guide": each.guide,
            "sparkwell": each.ours,
            "correction": each.correction,
            "why": each.why,
        }
        for each in service.corrected.differences
    ]
    return {
        "service": written.name,
        "model": service.model,
        "image": written.container.image,
        "engine_version": service.version,
        "fits": service.fits,
        "corrections": list(service.corrected.corrections),
        "differences": differences,
    }
