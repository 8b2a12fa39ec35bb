"""Keys of clients and what they used, as the page shows them, and what somebody wants of one."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Used:
    """Requests and tokens. ``uncounted`` requests were answered without saying how many tokens."""

    requests: int = 0
    errors: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    uncounted: int = 0

    @property
    def tokens(self) -> int:
        """Prompt and output."""
        return self.prompt_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A key as it is now; ``hint`` is the end of its secret.

    Times are seconds since 1970; ``last_used`` is a date of UTC, None: never. ``models`` empty
    means all; a limit that is None is none. ``today`` is that of UTC, ``week`` the last 7 days.
    """

    id: str
    name: str
    state: Literal["active", "expired", "revoked"]
    hint: str
    created_at: float
    models: tuple[str, ...] = ()
    rpm: int | None = None
    tpm: int | None = None
    concurrency: int | None = None
    priority: int = 0
    expires_at: float | None = None
    revoked_at: float | None = None
    former_until: float | None = None
    last_used: str | None = None
    today: Used = Used()
    week: Used = Used()


@dataclass(frozen=True, slots=True)
class UsageLine:
    """What one key used of one model; ``key`` is "" for requests without one."""

    key: str
    model: str
    used: Used


@dataclass(frozen=True, slots=True)
class KeyCourse:
    """What one key used on each of some days; ``key`` is "" for requests without one."""

    key: str
    days: tuple[Used, ...]


@dataclass(frozen=True, slots=True)
class KeysShown:
    """All keys, and what was used on ``days`` (dates of UTC, the last is today).

    ``standing`` tells whether there has never been a key, there are or were some, or they are
    lost; ``problem`` and ``remedy`` are sentences where they are lost. ``lines`` have the most
    tokens first; ``courses`` are those of the keys that used most, the others' summed as one.
    """

    standing: Literal["none", "some", "broken"]
    keys: tuple[KeyEntry, ...] = ()
    days: tuple[str, ...] = ()
    lines: tuple[UsageLine, ...] = ()
    by_day: tuple[Used, ...] = ()
    courses: tuple[KeyCourse, ...] = ()
    whole: Used = Used()
    problem: str | None = None
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key with its secret, which is told this once. ``living`` keys open the door now."""

    key: KeyEntry
    secret: str = field(repr=False)
    living: int
