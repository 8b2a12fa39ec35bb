"""How long prompts and answers were where they cannot be had exactly. Pure."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from sparkwell.bench.results import Repeat

INEXACT = "Lengths are not exact"


def lengths(repeats: Sequence[Repeat]) -> dict[str, Any]:
    """Means of the requests that were answered; None where the server does not count."""
    prompts, answers = _counted(repeats)
    return {
        "prompt_tokens": fmean(prompts) if prompts else None,
        "output_tokens": fmean(answers) if answers else None,
    }


def lengths_note(repeats: Sequence[Repeat]) -> str:
    """For the notes of a case whose prompts were text."""
    prompts, answers = (_range(each) for each in _counted(repeats))
    return (
        f"{INEXACT}: prompts of {prompts} tokens, answers of {answers}, as the server counted them."
    )


def _counted(repeats: Sequence[Repeat]) -> tuple[list[int], list[int]]:
    good = [sample for repeat in repeats for sample in repeat.samples if sample.good]
    prompts = [each.prompt_tokens for each in good if each.prompt_tokens is not None]
    return prompts, [each.tokens for each in good]


def _range(counts: Sequence[int]) -> str:
    if not counts:
        return "an unknown number of"
    least, most = min(counts), max(counts)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"
