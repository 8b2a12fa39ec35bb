"""Which key a person means."""

from collections.abc import Sequence
from difflib import get_close_matches

from sparkwell.app.keys.errors import UnknownKeyError
from sparkwell.core.errors import UsageError
from sparkwell.core.keys import Key


def living(keys: Sequence[Key], wanted: str, now: float) -> Key:
    """The key with that name or id that still opens the door.

    Raises UnknownKeyError with near names, UsageError for one that is revoked or has expired.
    """
    found = [key for key in keys if wanted in (key.id, key.name)]
    for key in found:
        if key.lives(now):
            return key
    if found:
        how = "was revoked" if found[-1].revoked_at is not None else "has expired"
        raise UsageError(
            f"The key {found[-1].name!r} {how}.", hint="`sparkwell keys add NAME` makes a new one."
        )
    raise _unknown(keys, wanted)


def ids_of(keys: Sequence[Key], wanted: str) -> tuple[str, ...]:
    """All keys that ever had that name or id; raises UnknownKeyError."""
    found = tuple(key.id for key in keys if wanted in (key.id, key.name))
    if not found:
        raise _unknown(keys, wanted)
    return found


def _unknown(keys: Sequence[Key], wanted: str) -> UnknownKeyError:
    names = [*(key.name for key in keys), *(key.id for key in keys)]
    near = get_close_matches(wanted, names, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else "`sparkwell keys list` shows them."
    return UnknownKeyError(f"There is no key {wanted!r}.", hint=hint)
