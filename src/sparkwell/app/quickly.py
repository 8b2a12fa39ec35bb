"""Short questions to other programs whose answer is wanted at once, or not at all."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

Question = Callable[[], Coroutine[Any, Any, bool]]
Clock = Callable[[], float]
LIMIT_S = 0.5
"""How long the asker is held up by one question; it is the daemon's event loop."""
GIVEN_UP_S = 10.0
"""How long the other program may take, in the background, for its answer to count later."""
_FRESH_S = {True: 60.0, False: 2.0, None: 10.0}
"""How long an answer counts. Somebody who fetches what was missing tries again within seconds."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    answer: bool | None
    until: float


class Quickly:
    """Asks in a thread of its own, one at a time for each key, and keeps the answers for a while.

    Belongs to one thread; others only write down what they have heard.
    """

    def __init__(self, *, limit_s: float = LIMIT_S, clock: Clock = time.monotonic) -> None:
        self._limit_s = limit_s
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, threading.Thread] = {}

    def ask(self, key: str, question: Question) -> bool | None:
        """Yes or no; None where the answer is not there in time, or the question fails.

        A late answer counts for who asks next. While one is on its way nobody waits for it again.
        """
        known = self._known.get(key)
        if known and self._clock() < known.until:
            return known.answer
        asking = self._asking.get(key)
        if asking and asking.is_alive():
            return None
        self._known.pop(key, None)
        self._asking[key] = self._begin(key, question)
        self._asking[key].join(self._limit_s)
        heard = self._known.get(key)
        return heard.answer if heard else None

    def _begin(self, key: str, question: Question) -> threading.Thread:
        thread = threading.Thread(target=self._hear, args=(key, question), daemon=True)
        thread.start()
        return thread

    def _hear(self, key: str, question: Question) -> None:
        answer: bool | None = None
        try:
            answer = asyncio.run(_within(question, GIVEN_UP_S))
        except Exception as error:
            logger.info("%s cannot be told now: %s", key, error)
        self._known[key] = _Known(answer, self._clock() + _FRESH_S[answer])


async def _within(question: Question, limit_s: float) -> bool:
    async with asyncio.timeout(limit_s):
        return await question()
