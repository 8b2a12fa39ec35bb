"""Workloads of a tuning: one to tune on, and two others to check with. Pure."""

from collections.abc import Sequence

from sparkwell.bench.suites import SHORT, Case, closed
from sparkwell.bench.workload import Workload

ROUNDS = 2
DOCUMENT_TIMES = 16


def workloads(
    prompt_tokens: int | None, output_tokens: int | None, most_tokens: int | None
) -> tuple[Workload, ...]:
    """The one that is asked for; the same with long answers; one with a long shared beginning.

    512 in and 256 out become 128 in and 1,024 out, and 8,192 shared with 128 more in and 128 out.
    None longer than ``most_tokens``.
    """
    prompt, output = prompt_tokens or SHORT.prompt_tokens, output_tokens or SHORT.output_tokens
    question, document = max(1, prompt // 4), DOCUMENT_TIMES * prompt
    found = (
        Workload(prompt, output),
        Workload(question, 4 * output),
        Workload(document + question, max(1, output // 2), document_tokens=document),
    )
    return found if most_tokens is None else tuple(each.within(most_tokens) for each in found)


def cases(workload: Workload, clients: Sequence[int]) -> list[Case]:
    """A closed loop for each number of clients."""
    return [closed(workload, each, rounds=ROUNDS) for each in clients]


def told(workload: Workload) -> str:
    """The workload in a few words."""
    shared = f", {workload.document_tokens:,} of them shared" if workload.document_tokens else ""
    return f"{workload.prompt_tokens:,} in{shared}, {workload.output_tokens:,} out"
