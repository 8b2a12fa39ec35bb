"""`sparkwell doctor --fix`: what is safe is asked for, done, and looked at again."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from sparkwell.cli.client import run
from sparkwell.cli.doctor.text import text
from sparkwell.cli.finding_text import plain
from sparkwell.core.findings import Finding, Remedy, Severity

if TYPE_CHECKING:
    from sparkwell.app.diagnosing.diagnosis import Diagnosis
    from sparkwell.doctor.fixes import Fixed

Offers = dict[str, list[tuple[Finding, Remedy]]]
"""By a fix's name all findings and remedies that offer it: one yes does all of them."""


def fixed_and_left(
    found: "Diagnosis", look_again: Callable[[], "Diagnosis"], *, yes: bool, quiet: bool
) -> tuple["Diagnosis", tuple["Fixed", ...]]:
    """Apply what is safe and wanted; what is found then, and what was done.

    Without an offer, or when none is wanted, nothing is looked at again.
    """
    from sparkwell.app.diagnosing.diagnosis import repair

    every = offers(found.findings)
    wanted = tuple(name for name, offered in every.items() if yes or _wanted(offered))
    if not wanted:
        if not quiet:
            click.echo("Nothing was changed." if every else "Nothing of it can be mended safely "
                       "by --fix: the remedies above are yours to choose.")  # fmt: skip
        return found, ()
    done = run(repair(wanted, found.snapshot))
    left = look_again()
    if not quiet:
        _tell(done, found, left)
    return left, done


def offers(findings: tuple[Finding, ...]) -> Offers:
    """The safe fixes, in the order of the findings."""
    found: Offers = {}
    for finding in findings:
        for remedy in finding.remedies:
            if remedy.fix:
                found.setdefault(remedy.fix, []).append((finding, remedy))
    return found


def gone(before: "Diagnosis", now: "Diagnosis") -> Iterator[Finding]:
    """The troubles that are not found any more."""
    still = {(each.id, each.about) for each in now.findings if _is_trouble(each)}
    for each in before.findings:
        if _is_trouble(each) and (each.id, each.about) not in still:
            yield each


def _is_trouble(finding: Finding) -> bool:
    return finding.severity is not Severity.OK


def _wanted(offered: list[tuple[Finding, Remedy]]) -> bool:
    """Whether somebody agrees to all that the fix would do."""
    titles = dict.fromkeys(finding.title for finding, _ in offered)
    steps = dict.fromkeys(remedy.text.rstrip(".") for _, remedy in offered)
    return click.confirm(plain(f"{'; '.join(titles)}. {'; '.join(steps)}?"), default=False)


def _tell(done: tuple["Fixed", ...], before: "Diagnosis", now: "Diagnosis") -> None:
    for each in done:
        mark = (
            click.style("fixed:", fg="green")
            if each.done
            else click.style("not fixed:", fg="yellow")
        )
        click.echo(f"{mark} {plain(each.text)}")
    for finding in gone(before, now):
        click.echo(f"gone: {plain(finding.title)} ({finding.id})")
    click.echo(f"\nLooked again:\n{text(now, verbose=False)}")
