"""What keys used, as Prometheus is told it: values, summed by the keys' names."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sparkwell.monitor import exposition_series as names
from sparkwell.monitor.exposition_series import Series

KeyModel = tuple[str, str]
"""A key's name and a model's."""
Samples = Iterable[tuple[tuple[str, ...], int]]
"""Values with their labels."""


@dataclass(frozen=True, slots=True)
class KeyFigures:
    """Counted since the daemon began, by key and model; none of it ever falls.

    ``requests`` have an HTTP status beside key and model, "0" where there was no answer;
    ``refused`` are by key and limit.
    """

    requests: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    prompt_tokens: Mapping[KeyModel, int] = field(default_factory=dict)
    output_tokens: Mapping[KeyModel, int] = field(default_factory=dict)
    refused: Mapping[tuple[str, str], int] = field(default_factory=dict)


def samples_of(figures: KeyFigures) -> Iterator[tuple[Series, Samples]]:
    """Each series with its samples."""
    yield names.KEY_REQUESTS, figures.requests.items()
    yield names.KEY_PROMPT, figures.prompt_tokens.items()
    yield names.KEY_OUTPUT, figures.output_tokens.items()
    yield names.KEY_REFUSED, figures.refused.items()
