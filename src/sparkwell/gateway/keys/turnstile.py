"""Limits of keys: who is let through, and what they used."""

import time
from collections.abc import Callable, Collection, Mapping
from math import ceil
from types import MappingProxyType

from sparkwell.core.keys import Key
from sparkwell.gateway.keys.errors import ModelNotAllowedError, RateLimitedError, model_not_allowed
from sparkwell.gateway.keys.limits import Bucket, Headers
from sparkwell.gateway.keys.tally import Tally

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_CONCURRENCY_RETRY_S = 1.0
"""Nobody knows when a request of the same key ends."""


class _Meter:
    """What one key has left, and how many of its requests are inside."""

    __slots__ = ("_headers", "inside", "key", "requests", "tokens")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.inside = 0
        self.requests = None if key.rpm is None else Bucket(key.rpm)
        self.tokens = None if key.tpm is None else Bucket(key.tpm)
        self._headers = self._headers_of_limits()

    def follow(self, key: Key) -> None:
        """Go by a key of the same id, as it is now; limits that are as before go on."""
        if key.rpm != self.key.rpm:
            self.requests = None if key.rpm is None else Bucket(key.rpm)
        if key.tpm != self.key.tpm:
            self.tokens = None if key.tpm is None else Bucket(key.tpm)
        self.key = key
        self._headers = self._headers_of_limits()

    def headers(self, now: float) -> dict[str, str]:
        """OpenAI's headers of the limits that there are."""
        found: dict[str, str] = {}
        for each in self._headers:
            each.put(found, now)
        return found

    def _headers_of_limits(self) -> tuple[Headers, ...]:
        named = (("requests", self.requests), ("tokens", self.tokens))
        return tuple(Headers(what, bucket) for what, bucket in named if bucket is not None)


class LimitingTurnstile:
    """The Turnstile: belongs to one event loop. ``clock`` is monotonic, in seconds.

    A request counts when it is let in, its tokens when they are known: so a key is refused
    while it has no token left, and requests that are inside together may take more than there is.
    That is owed, and comes back before the next one is let in. A refused request costs nothing.
    """

    def __init__(self, tally: Tally, clock: Callable[[], float] = time.monotonic) -> None:
        self._tally = tally
        self._clock = clock
        self._meters: dict[str, _Meter] = {}

    def enter(self, key: Key | None, model: str) -> "Entered":
        """Count a request in; raises ModelNotAllowedError or RateLimitedError."""
        if key is None:
            return Entered(self._tally, self._clock, None, model)
        if key.models and model not in key.models:
            raise self._not_for(key, model)
        meter = self._meter(key)
        now = self._clock()
        if key.concurrency is not None and meter.inside >= key.concurrency:
            raise self._limited(meter, "concurrency", _CONCURRENCY_RETRY_S, now)
        if meter.requests is not None and (wait_s := meter.requests.wait_s(now)):
            raise self._limited(meter, "requests", wait_s, now)
        if meter.tokens is not None and (wait_s := meter.tokens.wait_s(now)):
            raise self._limited(meter, "tokens", wait_s, now)
        if meter.requests is not None:
            meter.requests.take(now)
        meter.inside += 1
        return Entered(self._tally, self._clock, meter, model)

    def keep(self, ids: Collection[str]) -> None:
        """Forget what keys of other ids used lately; those with requests inside are kept."""
        self._meters = {
            key_id: meter for key_id, meter in self._meters.items() if key_id in ids or meter.inside
        }

    def inside(self, key_id: str) -> int:
        """How many requests of a key are inside."""
        meter = self._meters.get(key_id)
        return meter.inside if meter else 0

    def _meter(self, key: Key) -> _Meter:
        meter = self._meters.get(key.id)
        if meter is None:
            meter = self._meters[key.id] = _Meter(key)
        elif meter.key is not key:
            meter.follow(key)
        return meter

    def _not_for(self, key: Key, model: str) -> ModelNotAllowedError:
        self._tally.refuse(key.id, "model")
        return model_not_allowed(f"The key {key.name!r}", model, key.models)

    def _limited(self, meter: _Meter, limit: str, wait_s: float, now: float) -> RateLimitedError:
        self._tally.refuse(meter.key.id, limit)
        headers = meter.headers(now)
        if limit == "concurrency":
            said = f"{meter.key.concurrency} of its requests are being served, which is its limit"
            hint = "Send the next one when one of them has ended."
        else:
            most = meter.key.rpm if limit == "requests" else meter.key.tpm
            said = f"it has used its {most} {limit} a minute"
            hint = f"Try again in {wait_s:.3g} s."
            headers["retry-after-ms"] = str(ceil(wait_s * 1000))
        return RateLimitedError(
            f"The key {meter.key.name!r} is at a limit: {said}.",
            limit=limit,
            retry_after_s=wait_s,
            headers=headers,
            hint=hint,
        )


class Entered:
    """The Passage: one request that was let through."""

    __slots__ = ("_clock", "_left", "_meter", "_model", "_tally")

    def __init__(
        self, tally: Tally, clock: Callable[[], float], meter: _Meter | None, model: str
    ) -> None:
        self._tally = tally
        self._clock = clock
        self._meter = meter
        self._model = model
        self._left = False

    @property
    def headers(self) -> Mapping[str, str]:
        """x-ratelimit-* as they are now; empty where there is no limit."""
        return _NO_HEADERS if self._meter is None else self._meter.headers(self._clock())

    def leave(self, status: int, prompt_tokens: int | None, output_tokens: int | None) -> None:
        """Count it out; a second time does nothing. ``status`` 0: there was no answer."""
        if not self._gone():
            self._take((prompt_tokens or 0) + (output_tokens or 0))
            self._tally.add(self._key_id, self._model, status, prompt_tokens, output_tokens)

    def lose(self) -> None:
        """Count it out as one of which nobody knows what it used."""
        if not self._gone():
            self._tally.lose(self._key_id, self._model)

    @property
    def _key_id(self) -> str:
        return "" if self._meter is None else self._meter.key.id

    def _gone(self) -> bool:
        """Whether it had left before; from now on it has."""
        before, self._left = self._left, True
        if not before and self._meter is not None:
            self._meter.inside -= 1
        return before

    def _take(self, tokens: int) -> None:
        if tokens and self._meter is not None and self._meter.tokens is not None:
            self._meter.tokens.take(self._clock(), tokens)
