"""What is to be said about a comparison, under its table."""

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sparkwell.planner.compare import Candidate, Comparison

_WIDTH = 100


def notes(comparison: "Comparison") -> Iterator[str]:
    """The star, what speeds count with, then what speaks against each model."""
    if any(row.best for row in comparison.rows):
        yield "* the best of those that fit"
    speeds = [each.plan.speed for each in comparison.candidates if each.plan and each.plan.speed]
    if speeds:
        contexts = dict.fromkeys(f"{speed.context:,}" for speed in speeds)
        prompts = dict.fromkeys(f"{speed.prompt_tokens:,}" for speed in speeds)
        yield (
            f"Speeds count with {' or '.join(contexts)} tokens of context, the first token with "
            f"a prompt of {' or '.join(prompts)}."
        )
    for label, candidate in zip(comparison.labels, comparison.candidates, strict=True):
        yield from _complaints(label, candidate, max(comparison.concurrency, default=1))


def _complaints(label: str, candidate: "Candidate", most: int) -> Iterator[str]:
    plan, error = candidate.plan, candidate.error
    if error is not None:
        yield click.style(f"{label} cannot be planned: {error.message}", fg="red")
        yield from _indented(error.hint)
    elif plan is not None and not plan.fits:
        yield click.style(f"{label} does not fit.", fg="red")
        remedies: dict[str, list[str]] = {}
        for problem in plan.problems:
            remedies.setdefault(problem.message, []).extend(filter(None, [problem.remedy]))
        for message, found in remedies.items():
            yield from _indented(message)
            for remedy in found:
                yield from _indented(f"- {remedy}")
    elif plan is not None and plan.speed is not None:
        running = max((each.concurrency for each in plan.speed.batched), default=1)
        if running < most:
            yield f"{label} runs {running} requests at once; others wait, and the rate stays."


def _indented(text: str | None) -> Iterator[str]:
    if text:
        hanging = "    " if text.startswith("- ") else "  "
        yield textwrap.fill(text, _WIDTH, initial_indent="  ", subsequent_indent=hanging)
