"""So many a minute: token buckets, in one number each.

A bucket holds ``limit`` and gets ``limit`` a minute, evenly. Who comes after a pause may take all
at once; then one comes back every ``60 / limit`` seconds. So in any t seconds at most
``limit + limit * t / 60`` are let through. OpenAI's headers mean the same: the documented
``x-ratelimit-limit-requests: 60, remaining 59, reset 1s`` are those of such a bucket. A window that
slides over the last minute would never let more than ``limit`` through in 60 s, and would have to
remember every request; and who used it up at once would wait up to a minute for the next one.
"""

from math import ceil, floor

MINUTE_S = 60.0
_TINY_S = 1e-6
"""Less than any wait that is told: what has come back but for a rounding has come back."""


class Bucket:
    """What is left of a limit a minute. Times are monotonic seconds, given by the caller.

    It is kept as the moment at which the bucket will be full again: one number says all. More may
    be taken than there is (an answer's tokens, of which nobody knew): it is owed then.
    """

    __slots__ = ("_each_s", "_full_at", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._each_s = MINUTE_S / limit
        self._full_at = float("-inf")

    def wait_s(self, now: float) -> float:
        """Seconds until there is one to take; 0.0 where there is."""
        wait = self._full_at + self._each_s - MINUTE_S - now
        return wait if wait > _TINY_S else 0.0

    def take(self, now: float, count: int = 1) -> None:
        """Take so many, whether they are there or not."""
        self._full_at = max(self._full_at, now) + count * self._each_s

    def left(self, now: float) -> int:
        """How many can be taken at once; never less than 0."""
        gone_s = self._full_at - now
        if gone_s <= 0:
            return self.limit
        return min(self.limit, max(0, floor((MINUTE_S - gone_s + _TINY_S) / self._each_s)))

    def full_in_s(self, now: float) -> float:
        """Seconds until nothing is missing."""
        return max(0.0, self._full_at - now)


def spoken(seconds: float) -> str:
    """A time as OpenAI's headers write it: ``12ms``, ``1s``, ``8.64s``, ``6m0s``; rounded up."""
    thousandths = ceil(seconds * 1000 - 1e-3)
    if thousandths < 1000:
        return f"{thousandths}ms" if thousandths > 0 else "0s"
    if thousandths < 60_000:
        return f"{thousandths / 1000:g}s"
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{minutes}m{rest / 1000:g}s"
    return f"{hours}h{text}" if hours else text


class Headers:
    """OpenAI's three headers of a limit; ``what`` is "requests" or "tokens"."""

    __slots__ = ("_bucket", "_left", "_limit", "_reset", "_text")

    def __init__(self, what: str, bucket: Bucket) -> None:
        self._bucket = bucket
        self._limit, self._text = f"x-ratelimit-limit-{what}", str(bucket.limit)
        self._left, self._reset = f"x-ratelimit-remaining-{what}", f"x-ratelimit-reset-{what}"

    def put(self, into: dict[str, str], now: float) -> None:
        """Add the headers as they are at that moment."""
        into[self._limit] = self._text
        into[self._left] = str(self._bucket.left(now))
        into[self._reset] = spoken(self._bucket.full_in_s(now))
