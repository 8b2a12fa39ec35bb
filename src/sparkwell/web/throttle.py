"""Slows down whoever tries keys: each failure makes the next try from the same place wait longer.

A place is an IPv4 address, or the /64 of an IPv6 address, since those come in such portions.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from sparkwell.core.errors import TooBusyError

FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 8.0
LONGEST_WAIT_S = 20.0
"""Whose turn comes later than this is refused at once: waiting tries cost memory."""
FORGET_AFTER_S = 900.0
PLACES = 1000


@dataclass(slots=True)
class _Place:
    """Tries of one place. ``free_at`` is when the next may be looked at."""

    failures: int = 0
    pending: int = 0
    free_at: float = 0.0
    seen_at: float = 0.0


class Throttle:
    """Turns for tries of a key; the loop's clock and sleep may be replaced in tests."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._places: OrderedDict[str, _Place] = OrderedDict()

    async def turn(self, address: str | None) -> None:
        """Wait until a try from this address may be looked at; raises TooBusyError.

        Tries that wait count as failures: else many at once would not be slowed down.
        """
        place, now = self._place(address), self._clock()
        begins = max(now, place.free_at)
        if begins - now > LONGEST_WAIT_S:
            raise TooBusyError(
                "Too many wrong keys came from this address.",
                hint="Wait a moment, or open the link that `sparkwell ui` prints.",
                retry_after_s=round(begins - now),
            )
        place.pending += 1
        place.free_at = begins + delay_s(place.failures + place.pending)
        try:
            if begins > now:
                await self._sleep(begins - now)
        finally:
            place.pending -= 1

    def failed(self, address: str | None) -> None:
        """The key was wrong."""
        self._place(address).failures += 1

    def succeeded(self, address: str | None) -> None:
        """The key was right: what was before is forgotten."""
        self._places.pop(_key(address), None)

    def _place(self, address: str | None) -> _Place:
        now, key = self._clock(), _key(address)
        place = self._places.pop(key, None)
        if place is None or now - place.seen_at > FORGET_AFTER_S:
            place = _Place()
        place.seen_at = now
        self._places[key] = place
        if len(self._places) > PLACES:
            self._places.popitem(last=False)
        return place


def delay_s(failures: int) -> float:
    """Seconds between a try and the next one, after so many failures; the first two cost none."""
    return 0.0 if failures <= 2 else min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(failures, 20))


def _key(address: str | None) -> str:
    try:
        known = ip_address(address or "")
    except ValueError:
        return address or ""
    if isinstance(known, IPv6Address):
        return str(ip_network((known, 64), strict=False))
    return str(known)
