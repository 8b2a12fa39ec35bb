"""The keys by their secrets: what each request looks into."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from hmac import compare_digest
from math import inf
from typing import NamedTuple

from sparkwell.core.keys import Key
from sparkwell.gateway.keys.errors import KeyRefusedError
from sparkwell.gateway.keys.making import digest_of, make_secret
from sparkwell.gateway.keys.seam import Standing


class _Entry(NamedTuple):
    """One secret: what is kept of it, its key, and until when it is good (seconds since 1970)."""

    digest: bytes
    key: Key | None
    until: float


class Book:
    """The KeyBook: a table that is replaced as a whole, so that no request sees half a change.

    A secret is looked up by its SHA-256. Nobody can choose a secret for the beginning of its
    digest, so that the time of the look-up tells nothing; the comparison after it is in constant
    time, and is made for unknown secrets too. ``now`` is Unix time in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._nobody = _Entry(digest_of(make_secret()), None, inf)
        self._keys: tuple[Key, ...] = ()
        self._own: tuple[Key, ...] = ()
        self._told: list[Callable[[], object]] = []
        self._entries: Mapping[bytes, _Entry] = {}
        self._standing: Standing = "none"

    @property
    def standing(self) -> Standing:
        """``none`` opens the door for loopback; ``broken`` closes it for everybody."""
        return self._standing

    def use(self, keys: Iterable[Key], standing: Standing) -> None:
        """Go by these keys from now on, revoked and expired ones included."""
        self._keys = tuple(keys)
        self._entries = {each.digest: each for key in self.every() for each in _entries_of(key)}
        self._standing = standing
        self._tell()

    def lend(self, key: Key) -> None:
        """Have a key of this process's own too, for as long as there is this book.

        It is nobody's key: ``standing`` stays what the others make it.
        """
        self._own = (*self._own, key)
        self._entries = {**self._entries, **{each.digest: each for each in _entries_of(key)}}
        self._tell()

    def every(self) -> tuple[Key, ...]:
        """All keys, revoked and expired ones and this process's own too."""
        return (*self._keys, *self._own)

    def tell(self, changed: Callable[[], object]) -> Callable[[], None]:
        """Have ``changed`` called after each change; what comes back ends that."""
        self._told.append(changed)
        return lambda: self._told.remove(changed)

    def of(self, secret: str) -> Key | None:
        """The key with that secret; None where there is none.

        Raises KeyRefusedError for one that is revoked or has expired, or whose secret was
        replaced.
        """
        digest = digest_of(secret)
        entry = self._entries.get(digest, self._nobody)
        if not compare_digest(digest, entry.digest) or entry.key is None:
            return None
        if self._now() >= entry.until:
            raise _refused(entry.key, self._now())
        return entry.key

    def _tell(self) -> None:
        for changed in self._told:
            changed()


def _entries_of(key: Key) -> Iterator[_Entry]:
    """Its secret, and the one before."""
    until = -inf if key.revoked_at is not None else inf
    until = until if key.expires_at is None else min(until, key.expires_at)
    yield _Entry(key.digest, key, until)
    if key.former_digest is not None and key.former_until is not None:
        yield _Entry(key.former_digest, key, min(until, key.former_until))


def _refused(key: Key, now: float) -> KeyRefusedError:
    """Why the key with that secret is not good now; its owner may know."""
    if key.revoked_at is not None:
        return KeyRefusedError(f"The key {key.name!r} was revoked.", hint="Ask for another one.")
    if not key.lives(now):
        at = datetime.fromtimestamp(key.expires_at or now, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return KeyRefusedError(
            f"The key {key.name!r} expired on {at}.", hint="Ask for another one."
        )
    return KeyRefusedError(
        f"The key {key.name!r} has got a new secret; this one is no longer good.",
        hint="Use the new one.",
    )
