"""How this machine keeps to the model of speed: what was measured here over the estimate."""

import time
from dataclasses import dataclass
from itertools import pairwise
from math import log2

MODEL = 3
"""Of speed; raised with each change of it. What runs missed of another one says nothing of this."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Measured time over the model's: 1 is as modelled, 2 takes twice as long.

    ``steps`` are for a step of decoding, each with the sequences that it was measured with, fewest
    first; ``first`` is for prompts up to their first tokens. ``late_s`` are seconds that a first
    token takes besides, however long the prompts are and however many. ``cases`` is how many
    measurements it rests on, ``at`` the Unix time of the newest, None without any. ``model`` is the
    number of the model.
    """

    steps: tuple[tuple[int, float], ...] = ()
    first: float = 1.0
    late_s: float = 0.0
    cases: int = 0
    at: float | None = None
    model: int = MODEL

    def step_at(self, sequences: int) -> float:
        """Of a step with so many sequences: between two measured ones by the ratio of sizes.

        Beyond them it is that of the nearest: what a model of speed misses with one sequence,
        the time of its kernels, is another thing than what it misses with many.
        """
        if not self.steps:
            return 1.0
        for (fewer, low), (more, high) in pairwise(self.steps):
            if fewer <= sequences <= more:
                return low + (high - low) * log2(sequences / fewer) / log2(more / fewer)
        return self.steps[0][1] if sequences < self.steps[0][0] else self.steps[-1][1]

    @property
    def source(self) -> str | None:
        """Where it comes from, for people; None where nothing was measured."""
        if self.at is None:
            return None
        day = time.strftime("%Y-%m-%d", time.localtime(self.at))
        return f"measured here on {day}: `sparkwell bench`, {self.cases} cases"


AS_MODELLED = Pace()
