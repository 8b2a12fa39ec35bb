"""When requests come that nobody coordinates. Pure."""

from itertools import accumulate
from random import Random


def poisson(rate: float, count: int, seed: str) -> list[float]:
    """Seconds after the beginning: independent arrivals, ``rate`` a second on average."""
    random = Random(seed)  # noqa: S311 - chance that can be repeated
    return list(accumulate(random.expovariate(rate) for _ in range(count)))
