"""The owner of the keys: writes them down, tells the gateway, and counts what they use.

    row in the store ── durable ──► marker beside it ──► book of the gateway ──► the secret is shown

Whoever sees a secret can rely on it: nothing of that order is missing then.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sparkwell.app.keys.errors import KeysBrokenError, keys_broken
from sparkwell.app.keys.figures import figures_of
from sparkwell.app.keys.finding import living
from sparkwell.app.keys.marker import Marker
from sparkwell.app.keys.wish import check, check_overlap
from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.keys import Key, KeyWish, UsageRow
from sparkwell.gateway.keys.book import Book
from sparkwell.gateway.keys.making import digest_of, hint_of, make_id, make_secret
from sparkwell.gateway.keys.seam import Standing
from sparkwell.gateway.keys.tally import Tally
from sparkwell.gateway.keys.turnstile import LimitingTurnstile
from sparkwell.monitor.exposition_keys import KeyFigures
from sparkwell.store import Store, UsageQuery
from sparkwell.store.faults import remedy

logger = logging.getLogger(__name__)
FLUSH_S = 2.0
KEPT_DEAD = 1000
"""Revoked and expired keys that are remembered, so that they are refused by name, and counted."""


@dataclass(frozen=True, slots=True)
class Made:
    """A key with its secret, which is nowhere else."""

    key: Key
    secret: str


class KeyKeeper:
    """The keys of one store, of which this process is the one writer.

    ``book`` and ``turnstile`` are the gateway's. ``marker`` is the file that says that there have
    been keys, ``store_file`` the store's own, for what people are told. ``tell`` hears what was
    changed: a kind of event and a sentence. ``now`` is Unix time, ``clock`` monotonic, in seconds.
    """

    def __init__(
        self,
        store: Store,
        store_file: Path,
        marker: Path,
        *,
        tell: Callable[[str, str], object] = lambda _kind, _message: None,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._store_file = store, store_file
        self._marker = Marker(marker)
        self._tell, self._now = tell, now
        self.tally = Tally(now)
        self.book = Book(now)
        self.turnstile = LimitingTurnstile(self.tally, clock)
        self._owed: list[UsageRow] = []
        self._keys: tuple[Key, ...] = ()
        self._renewals = store.renewals
        self._load()

    # ── what there is ───────────────────────────────────────────────────────────────────────

    @property
    def standing(self) -> Standing:
        """Whether there has never been a key, there are or were some, or they are lost."""
        return self.book.standing

    @property
    def lost(self) -> KeysBrokenError | None:
        """Why nobody is served, where the keys are lost; None where they are not."""
        if self.standing != "broken":
            return None
        return keys_broken(self._store_file, self._marker.file)

    def all(self) -> tuple[Key, ...]:
        """All keys, oldest first, revoked and expired ones too.

        Raises KeysBrokenError.
        """
        if lost := self.lost:
            raise lost
        return self._keys

    def usage(self, query: UsageQuery) -> list[UsageRow]:
        """What was used until now."""
        self.flush()
        return self._store.usage.rows(query)

    def last_days(self) -> dict[str, str]:
        """By key's id the last day (UTC) on which it was used."""
        self.flush()
        return self._store.usage.last_days()

    def figures(self) -> KeyFigures:
        """What was used since this process began, for /metrics."""
        return figures_of(self.tally, self._keys)

    # ── what is done ────────────────────────────────────────────────────────────────────────

    def add(self, wish: KeyWish) -> Made:
        """Make a key, which is good at once.

        Raises UsageError, ConflictError, KeysBrokenError, or EnvironmentFault where it could not
        be kept: then there is no such key.
        """
        keys, now, secret = self.all(), self._now(), make_secret()
        check(wish, keys, now)
        key = Key(
            id=_unused_id(keys),
            name=wish.name,
            digest=digest_of(secret),
            hint=hint_of(secret),
            created_at=now,
            models=wish.models,
            rpm=wish.rpm,
            tpm=wish.tpm,
            concurrency=wish.concurrency,
            priority=wish.priority,
            expires_at=wish.expires_at,
        )
        self._keep((*remembered(keys, now), key))
        self._tell("key.added", f"The key {key.name} ({key.id}) was added")
        return Made(key, secret)

    def rotate(self, wanted: str, *, overlap_s: float = 0.0) -> Made:
        """Give a key another secret; the one that it has is good for ``overlap_s`` more seconds.

        Raises UnknownKeyError or UsageError, and as ``add``: then the old secret stays.
        """
        check_overlap(overlap_s)
        keys, now, secret = self.all(), self._now(), make_secret()
        old = living(keys, wanted, now)
        key = replace(
            old,
            digest=digest_of(secret),
            hint=hint_of(secret),
            former_digest=old.digest,
            former_until=now + overlap_s,
        )
        self._keep(_with(keys, key))
        self._tell("key.rotated", f"The key {key.name} ({key.id}) has got a new secret")
        return Made(key, secret)

    def revoke(self, wanted: str) -> Key:
        """Have a key open nothing any more; what it has asked for already goes on to its end.

        Raises UnknownKeyError, UsageError or KeysBrokenError; EnvironmentFault where it holds
        now, and may be forgotten when this process ends.
        """
        keys, now = self.all(), self._now()
        key = replace(living(keys, wanted, now), revoked_at=now)
        self._keys = _with(keys, key)
        self._use()
        self._tell("key.revoked", f"The key {key.name} ({key.id}) was revoked")
        self._write(self._keys)
        self._must_be_kept(f"{key.name!r} is revoked, but that cannot be written down")
        return key

    def reset(self) -> int:
        """Forget all keys, and that there have been any; returns how many are forgotten.

        Raises EnvironmentFault where they could come back: then all is as it was.
        """
        problem, before = "The keys cannot be forgotten", self._keys
        self._must_be_kept(problem)
        self._write(())
        if self._store.fault:  # it came just now
            self._write(before)
        self._must_be_kept(problem)
        self._marker.remove()
        self._keys = ()
        self._use()
        self._tell("key.reset", f"All keys were forgotten ({len(before)})")
        return len(before)

    # ── as time goes by ─────────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def running(self, every_s: float = FLUSH_S) -> AsyncIterator[None]:
        """Write down what is used every few seconds, as long as the block runs, and in the end."""
        task = asyncio.create_task(self._flush_for_ever(every_s))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.flush()

    def flush(self) -> None:
        """Write down what was used; what cannot be written is kept for the next time."""
        self._owed += self.tally.drain()
        try:
            self._store.usage.add(self._owed)
            self._owed = []
            self._mend()
        except sqlite3.Error:
            logger.exception("What keys used could not be written down")

    async def _flush_for_ever(self, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            self.flush()

    # ── helpers ─────────────────────────────────────────────────────────────────────────────

    def _load(self) -> None:
        """What the store has; where the marker says that there should be some, it counts."""
        unreadable = False
        try:
            self._keys = tuple(self._store.keys.all())
        except (sqlite3.Error, ValueError, TypeError):
            logger.exception("The keys in %s cannot be read", self._store_file)
            unreadable = True
        if (self._keys or unreadable) and not self._marker.is_there:
            with suppress(EnvironmentFault):  # a crash came between the two
                self._marker.write()
        self._use()
        if unreadable:
            self.book.use((), "broken")
        if lost := self.lost:
            self._tell("key.lost", str(lost))

    def _use(self) -> None:
        """Tell the gateway."""
        lost: Standing = "broken" if self._marker.is_there else "none"
        self.book.use(self._keys, "some" if self._keys else lost)
        self.turnstile.keep({key.id for key in self._keys})

    def _keep(self, keys: tuple[Key, ...]) -> None:
        """Have these keys from now on, or raise EnvironmentFault and have those from before."""
        before = self._keys
        try:
            self._write(keys)
            self._must_be_kept("The key cannot be written down")
            self._marker.write()
        except EnvironmentFault:
            self._write(before)
            raise
        self._keys = keys
        self._use()

    def _write(self, keys: Sequence[Key]) -> None:
        self._store.keys.replace(keys)
        self._renewals = self._store.renewals

    def _must_be_kept(self, problem: str) -> None:
        """Raise EnvironmentFault while the store is in memory alone."""
        if self._store.fault is not None:
            raise EnvironmentFault(
                f"{problem}: the store {self._store_file} is in memory alone now.",
                hint=remedy(self._store.fault, self._store_file),
            )

    def _mend(self) -> None:
        """The store began anew while the daemon runs, which still has the keys: write them."""
        self._store.look()
        if not self._keys:
            return
        fewer = self._store.keys.count() < len(self._keys)
        if fewer or self._store.renewals != self._renewals:
            self._write(self._keys)


def remembered(keys: Sequence[Key], now: float) -> tuple[Key, ...]:
    """The keys without the oldest of the dead ones, if those are too many."""
    dead = [key.id for key in keys if not key.lives(now)]
    forgotten = set(dead[: max(0, len(dead) - KEPT_DEAD)])
    return tuple(key for key in keys if key.id not in forgotten)


def _with(keys: Iterable[Key], changed: Key) -> tuple[Key, ...]:
    return tuple(changed if key.id == changed.id else key for key in keys)


def _unused_id(keys: Iterable[Key]) -> str:
    taken = {key.id for key in keys}
    while (made := make_id()) in taken:
        pass
    return made
