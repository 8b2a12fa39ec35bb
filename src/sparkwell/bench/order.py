"""What is to be measured, and how far it is."""

from collections.abc import Sequence
from dataclasses import dataclass

from sparkwell.bench.connection import Target
from sparkwell.bench.figures import Slo
from sparkwell.bench.suites import Case
from sparkwell.bench.text import Words
from sparkwell.bench.workload import Vocabulary


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be measured. ``seed`` tells runs apart: the same one asks the same prompts.

    ``vocabulary`` is where prompts are drawn from: token ids, or words, which are asked as a chat.
    """

    target: Target
    model: str
    cases: Sequence[Case]
    repeats: int
    seed: str
    vocabulary: Vocabulary | Words
    slo: Slo | None = None


@dataclass(slots=True)
class Progress:
    """Where a run is: the case, its repeat counted from 1, how many of its requests are over.

    ``again`` counts the earlier attempts at this repeat. ``added`` is how many requests the run has
    more than was asked for, as repeats were measured again.
    """

    case: Case
    repeat: int
    done: int = 0
    warming: bool = False
    again: int = 0
    added: int = 0
