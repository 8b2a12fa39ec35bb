"""What `sparkwell doctor` is asked to do, and which of its options go together."""

import sys
from dataclasses import dataclass
from pathlib import Path

import click

from sparkwell.core.errors import UsageError

STDIN = Path("-")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be looked at, and what to do with it."""

    model: str | None = None
    log: Path | None = None
    snapshot: Path | None = None
    save: Path | None = None
    force: bool = False
    fix: bool = False
    yes: bool = False
    verbose: bool = False
    as_json: bool = False


def must_be_bare(wish: Wish, listing: bool, what: str) -> None:
    """Refuse options that mean nothing beside ``what``."""
    if wish != Wish() or listing:
        raise click.UsageError(f"{what} takes no other option of doctor but --json behind it.")


def check(wish: Wish) -> None:
    """Refuse what does not go together, before anything is looked at."""
    if wish.log and wish.snapshot:
        raise click.UsageError("--log and --snapshot are two things to judge: give one of them.")
    if wish.snapshot and (wish.save or wish.model):
        raise click.UsageError("--snapshot is judged as it is: without --save and --model.")
    if wish.save == STDIN:
        raise click.UsageError("--save takes the name of a file.")
    if wish.fix and (wish.log or wish.snapshot):
        raise click.UsageError("--fix is for this host: it goes with neither --log nor --snapshot.")
    if wish.yes and not wish.fix:
        raise click.UsageError("--yes answers what --fix asks: give --fix too.")
    if wish.force and not wish.save:
        raise click.UsageError("--force lets --save write over a file: give --save FILE too.")
    if wish.fix and not wish.yes and (wish.as_json or nobody_to_ask()):
        raise UsageError(
            "--fix asks before each repair, and there is nobody to ask here.",
            hint="Give --yes to have all done that is safe.",
        )


def nobody_to_ask() -> bool:
    """Whether there is no terminal on which somebody could answer."""
    return not sys.stdin.isatty()
