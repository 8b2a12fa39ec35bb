"""Keys as they are asked for from outside: names of models made out, answers as documents."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sparkwell.admin.keys import AddKeyBody, RotateKeyBody, UsageWanted
from sparkwell.app.keys.documents import Json, key_entry, keys_document, usage_document
from sparkwell.app.keys.finding import ids_of
from sparkwell.app.keys.keeper import KeyKeeper, Made
from sparkwell.app.keys.own_key import NAME as OWN_NAME
from sparkwell.core.errors import UsageError
from sparkwell.core.keys import Key, KeyWish
from sparkwell.store import UsageQuery

NO_KEY = "-"
"""How a person asks for what was used without a key."""
_OTHERS = {NO_KEY: ("",), OWN_NAME: (OWN_NAME,)}
"""Ids of what is in no list of keys, by what a person calls it."""


class KeyService:
    """The admin API's KeyControl, over the keeper of this process.

    ``named`` gives the name of the model that somebody means, or raises UnknownModelError with
    near names. ``now`` is Unix time in seconds.
    """

    def __init__(
        self,
        keeper: KeyKeeper,
        named: Callable[[str], str],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._keeper, self._named, self._now = keeper, named, now

    def keys(self) -> Json:
        """All keys; where they are lost none, and ``standing`` is "broken"."""
        keeper = self._keeper
        keys = () if keeper.standing == "broken" else keeper.all()
        return keys_document(keeper.standing, keys, keeper.last_days(), self._now())

    def add_key(self, body: AddKeyBody) -> Json:
        """Make a key; the answer has its secret, once."""
        models = tuple(dict.fromkeys(self._named(model) for model in body.models))
        wish = KeyWish(
            name=body.name,
            models=models,
            rpm=body.rpm,
            tpm=body.tpm,
            concurrency=body.concurrency,
            priority=body.priority,
            expires_at=body.expires_at,
        )
        return self._made(self._keeper.add(wish))

    def rotate_key(self, body: RotateKeyBody) -> Json:
        """Give a key another secret; the answer has it, once."""
        return self._made(self._keeper.rotate(body.key, overlap_s=body.overlap_s))

    def revoke_key(self, key: str) -> Json:
        """Have a key open nothing any more; ``left`` is how many others still do."""
        revoked = self._keeper.revoke(key)
        return {"key": key_entry(revoked, self._now()), "left": self._living()}

    def reset_keys(self) -> Json:
        """Forget all keys, and that there have been any."""
        return {"forgotten": self._keeper.reset()}

    def usage(self, wanted: UsageWanted) -> Json:
        """What was used, by day, key and model."""
        standing = self._keeper.standing
        keys = () if standing == "broken" else self._keeper.all()
        query = query_of(wanted, keys, self._now(), self._named)
        return usage_document(keys, self._keeper.usage(query), query.since)

    def _made(self, made: Made) -> Json:
        entry = key_entry(made.key, self._now())
        return {"key": entry, "secret": made.secret, "living": self._living()}

    def _living(self) -> int:
        now = self._now()
        return sum(key.lives(now) for key in self._keeper.all())


def query_of(
    wanted: UsageWanted, keys: tuple[Key, ...], now: float, named: Callable[[str], str]
) -> UsageQuery:
    """What to ask the store; raises UnknownKeyError or UnknownModelError."""
    ids = None
    if wanted.key is not None:
        ids = _OTHERS.get(wanted.key) or ids_of(keys, wanted.key)
    model = None if wanted.model is None else named(wanted.model)
    return UsageQuery(since=day_of(wanted.since, now), model=model, key_ids=ids)


def day_of(since: float | None, now: float) -> str:
    """The day (UTC) of a moment in seconds since 1970; "" without one, which means all."""
    if since is None:
        return ""
    if not since <= now:
        raise UsageError("Nothing was used after now.", hint="`--since` is in the past.")
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=max(0.0, since))
    return moment.strftime("%Y-%m-%d")
