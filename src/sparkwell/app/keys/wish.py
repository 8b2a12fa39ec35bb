"""What a person wants of a key, and whether it can be had."""

from collections.abc import Iterable

from sparkwell.core.errors import ConflictError, UsageError
from sparkwell.core.keys import RANGES, Key, KeyWish

LONGEST_NAME = 64
MOST_KEYS = 1000
"""Keys that live; each may become a series of its own in /metrics."""
LONGEST_OVERLAP_S = 366 * 86_400.0
_LATEST = 253_402_300_799.0
"""The end of the year 9999, in seconds since 1970: the last moment that has a date."""


def check(wish: KeyWish, keys: Iterable[Key], now: float) -> None:
    """Raise UsageError for values that make no key, ConflictError where the name is taken."""
    _check_name(wish.name)
    for field, (least, most) in RANGES.items():
        value = getattr(wish, field)
        if value is not None and not least <= value <= most:
            raise UsageError(f"{field} is a whole number from {least} to {most:,}, not {value}.")
    if wish.expires_at is not None and not now < wish.expires_at <= _LATEST:
        raise UsageError("A key can only expire later than now, and before the year 10000.")
    living = [key for key in keys if key.lives(now)]
    if wish.name in {key.name for key in living}:
        raise ConflictError(
            f"There is a key {wish.name!r} already.",
            hint=f"`sparkwell keys rotate {wish.name!r}` gives it a new secret; or take another "
            "name.",
        )
    if len(living) >= MOST_KEYS:
        raise ConflictError(
            f"There are {len(living):,} keys already.", hint="Revoke some that nobody uses."
        )


def check_overlap(overlap_s: float) -> None:
    """Raise UsageError for a time for which an old secret cannot stay good."""
    if not 0 <= overlap_s <= LONGEST_OVERLAP_S:
        raise UsageError(
            "An old secret stays good for at most 366 days.", hint="Say a shorter overlap."
        )


def _check_name(name: str) -> None:
    """Names are for lists, labels and command lines."""
    fine = name.isprintable() and name == name.strip() and name[:1].isalnum()
    if not fine or len(name) > LONGEST_NAME:
        raise UsageError(
            f"{name[: 2 * LONGEST_NAME]!r} cannot be a key's name.",
            hint=f"A name begins with a letter or a digit, and has at most {LONGEST_NAME} "
            "characters, all of which can be seen.",
        )
    if name.startswith("key-"):
        raise UsageError(
            "Names that begin with 'key-' are those of ids.", hint="Take another name."
        )
