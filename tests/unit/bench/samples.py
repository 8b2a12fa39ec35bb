"""Samples by hand."""

from array import array

from sparkwell.bench.sample import Sample


def sample(
    ttft_s: float = 0.2,
    tpot_s: float = 0.02,
    tokens: int = 11,
    *,
    due_s: float = 100.0,
    late_s: float = 0.0,
    error: str | None = None,
) -> Sample:
    """One that was due then, sent ``late_s`` later, and answered with evenly spaced tokens."""
    first = due_s + ttft_s
    last = first + (tokens - 1) * tpot_s
    return Sample(
        due_s=due_s,
        sent_s=due_s + late_s,
        first_s=None if error else first,
        last_s=None if error else last,
        ended_s=last,
        gaps=array("d", [tpot_s] * (tokens - 1)),
        prompt_tokens=5,
        output_tokens=tokens,
        status=200,
        error=error,
    )
