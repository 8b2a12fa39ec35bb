"""Requests with keys that are not valid, as the log tells of them: who tries, and how often."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)
EVERY_S = 60.0
"""From one line of an address to its next one."""
MOST_ADDRESSES = 64
"""Those that are told apart at a time; what comes from others meanwhile is told in one line."""
_HERE, _OTHERS = "this machine (a Unix socket)", "other addresses"


class WrongKeys:
    """Decides what is said of them, and when. ``now`` is monotonic, in seconds.

    The first request of an address is told at once; those of the minute after it together at its
    end, and so on. An address without any in a whole minute is forgotten.
    """

    def __init__(self, most: int = MOST_ADDRESSES, every_s: float = EVERY_S) -> None:
        self._most, self._every_s = most, every_s
        self._since: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def came(self, address: str | None, now: float) -> str | None:
        """Count a request; what is to be said now, None: nothing yet."""
        who = address or _HERE
        if who not in self._since and len(self._since) >= self._most:
            who = _OTHERS
        if who in self._since:
            self._counts[who] = self._counts.get(who, 0) + 1
            return None
        self._since[who] = now
        return f"A request with a key that is not valid, from {who}"

    def due(self, now: float) -> list[str]:
        """What is to be said of minutes that are over."""
        return list(self._over(now))

    @property
    def empty(self) -> bool:
        """Whether nobody is remembered."""
        return not self._since

    def _over(self, now: float) -> Iterator[str]:
        ended = [who for who, since in self._since.items() if now - since >= self._every_s]
        for who in ended:
            count = self._counts.pop(who, 0)
            if not count:
                del self._since[who]
                continue
            self._since[who] = now
            yield f"{_requests(count)} not valid from {who} in the last minute"


class WrongKeyLog:
    """Writes it to the log. Belongs to one event loop; while nobody tries, it does nothing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._decides = clock, WrongKeys()
        self._timer: asyncio.TimerHandle | None = None

    def came(self, address: str | None) -> None:
        """A request from that address had a key that is not valid; None is a Unix socket's."""
        if (said := self._decides.came(address, self._clock())) is not None:
            _write(said)
        if self._timer is None:
            self._look_later()

    @property
    def looks(self) -> bool:
        """Whether there may be more to say."""
        return self._timer is not None

    def close(self) -> None:
        """Say no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(EVERY_S / 12, self._look)

    def _look(self) -> None:
        self._timer = None
        for said in self._decides.due(self._clock()):
            _write(said)
        if not self._decides.empty:
            self._look_later()


def _requests(count: int) -> str:
    if count == 1:
        return "1 request with a key that is"
    return f"{count:,} requests with keys that are"


def _write(said: str) -> None:
    logger.warning("%s", said, extra={"action": "gateway.wrong_key"})
