"""A client's key and what it used, as values that several rooms share."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Key:
    """What is kept of a key; its secret is not.

    ``id`` names it in lists and logs, ``hint`` is the end of its secret. ``digest`` is the SHA-256
    of the secret, which has 256 random bits: no salt and no slow hash could make it safer.
    ``models`` are recipes' names; empty means all. ``rpm`` and ``tpm`` are requests and tokens a
    minute, ``concurrency`` requests at a time; None: no limit. Requests of a higher ``priority``
    (-100 to 100) are served first. ``former_digest`` is that of the secret before the last one,
    good until ``former_until``. Times are seconds since 1970.
    """

    id: str
    name: str
    digest: bytes
    hint: str
    created_at: float
    models: tuple[str, ...] = ()
    rpm: int | None = None
    tpm: int | None = None
    concurrency: int | None = None
    priority: int = 0
    expires_at: float | None = None
    revoked_at: float | None = None
    former_digest: bytes | None = None
    former_until: float | None = None

    def lives(self, now: float) -> bool:
        """Whether it opens the door at that moment, in seconds since 1970."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


RANGES = {
    "rpm": (1, 1_000_000),
    "tpm": (1, 1_000_000_000),
    "concurrency": (1, 100_000),
    "priority": (-100, 100),
}
"""The least and the most that can be wished for."""


@dataclass(frozen=True, slots=True)
class KeyWish:
    """A key that is to be made; see ``Key`` for what the values mean."""

    name: str
    models: tuple[str, ...] = ()
    rpm: int | None = None
    tpm: int | None = None
    concurrency: int | None = None
    priority: int = 0
    expires_at: float | None = None


class Usage(NamedTuple):  # a tuple is made in a third of the time, and this is once a request
    """Tokens of one answer, as the engine counts them; None where it did not say."""

    prompt_tokens: int | None = None
    output_tokens: int | None = None


NOTHING = Usage()
"""Nothing was said."""
NO_TOKENS = Usage(0, 0)
"""It is known that none were used."""


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What one key's requests for one model used on one day.

    ``day`` is a date of UTC, "2026-05-09". ``key_id`` is empty for requests without a key.
    ``errors`` are the requests that were answered with a status of 400 or above, or not at all.
    ``uncounted`` are those that were answered well without saying how many tokens it took, and
    those errors where it is not known: then the sums of tokens are less than what was used.
    """

    day: str
    key_id: str
    model: str
    requests: int
    errors: int
    prompt_tokens: int
    output_tokens: int
    uncounted: int
