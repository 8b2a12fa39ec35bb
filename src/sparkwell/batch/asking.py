"""One request until there is an answer that stays: what is worth trying again is tried again."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import aiohttp
import msgspec

from sparkwell.core.errors import EnvironmentFault, NotReadyError, SparkwellError, UsageError

TRIES = 6
"""Of a request that nobody took: with the waits between them about a quarter of a minute."""
TRIES_OF_FAILURES = 3
"""Of a request that an engine failed at: it may be the one that ends it."""
TRIES_WHEN_TOLD = 60
"""Of a request that is told when to come again."""
LONGEST_WAIT_S = 60.0
_BUSY = (429, 503)
_FAILED = (408, 500, 502, 504)
_KEPT = "What was answered is kept. The same command goes on"
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: status, body byte for byte, and the gateway's id, if it said one."""

    status: int
    body: bytes
    request_id: str | None = None

    @property
    def good(self) -> bool:
        """Whether it is what was asked for."""
        return 200 <= self.status < 300


class Ask(Protocol):
    """Sends a body to a path and returns what stays the answer, or raises what ends the batch."""

    async def __call__(self, path: str, body: bytes) -> Answer:
        """Ask."""
        ...


@dataclass(frozen=True, slots=True)
class _Try:
    """What a try came to. ``again_s`` is None where another one would change nothing."""

    answer: Answer
    again_s: float | None
    most: int = TRIES_OF_FAILURES


class Asker:
    """Asks one endpoint. ``sleep`` is how it waits between tries."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._session, self._url, self._sleep = session, url.rstrip("/"), sleep

    async def __call__(self, path: str, body: bytes) -> Answer:
        """The answer, once it is one that another try would not change.

        Raises EnvironmentFault where nobody answers, UsageError where the key is refused, and
        NotReadyError where the endpoint stays too busy or cannot serve the model.
        """
        tries = 0
        while True:
            found = await self._once(path, body, pause_s=min(0.5 * 2**tries, 16.0))
            tries += 1
            if found.again_s is None or tries >= found.most:
                return self._last(found.answer)
            await self._sleep(found.again_s)

    async def _once(self, path: str, body: bytes, pause_s: float) -> _Try:
        try:
            answer, headers = await self._send(path, body)
        except (aiohttp.ClientSSLError, aiohttp.InvalidURL) as error:
            raise _never(self._url, error) from None
        except aiohttp.ClientConnectorError as error:
            return _Try(_no_answer(0, error), pause_s, TRIES)
        except (aiohttp.ClientError, OSError) as error:
            return _Try(_no_answer(502, error), pause_s)
        if answer.status in _BUSY:
            told_s = _retry_after_s(headers)
            return _Try(answer, told_s or pause_s, TRIES if told_s is None else TRIES_WHEN_TOLD)
        return _Try(answer, pause_s if answer.status in _FAILED else None)

    async def _send(self, path: str, body: bytes) -> tuple[Answer, Mapping[str, str]]:
        sent = {"Content-Type": "application/json"}
        async with self._session.post(self._url + path, data=body, headers=sent) as response:
            found, headers = await response.read(), response.headers
            return Answer(response.status, found, headers.get("x-request-id")), headers

    def _last(self, answer: Answer) -> Answer:
        """The answer, if it is one of this request alone; else all others would fare alike."""
        if error := _of_all(answer, self._url):
            raise error
        return answer


def _of_all(answer: Answer, url: str) -> SparkwellError | None:
    said = f"{words_of(answer.body)} ({answer.status})"
    if answer.status == 0:
        said = words_of(answer.body)
        return EnvironmentFault(
            f"Nobody answers at {url}: {said}.", hint=f"{_KEPT} once somebody does."
        )
    if answer.status == 401:
        hint = (
            "The environment variable SPARKWELL_API_KEY holds it; `sparkwell keys add` makes one."
        )
        return UsageError(f"{url} refused the key: {said}", hint=hint)
    if answer.status in _BUSY:
        return NotReadyError(f"{url} did not serve a request: {said}", hint=f"{_KEPT} later.")
    return None


def _never(url: str, error: Exception) -> SparkwellError:
    """Where no try would ever be answered."""
    if isinstance(error, aiohttp.InvalidURL):
        return UsageError(f"{url!r} is no URL.", hint="One looks like http://box:8000.")
    return EnvironmentFault(
        f"{url} is not trusted: {error}.",
        hint="SSL_CERT_FILE names a file with the certificates to trust.",
    )


def _no_answer(status: int, error: Exception) -> Answer:
    """In the place of an answer: nobody took the request, or its answer was broken off."""
    said = str(error) or type(error).__name__
    return Answer(status, msgspec.json.encode({"error": {"message": said}}))


def words_of(body: bytes) -> str:
    """The words of an error, or how it begins."""
    try:
        return str(msgspec.json.decode(body)["error"]["message"])
    except (msgspec.MsgspecError, KeyError, TypeError):
        return body[:200].decode(errors="replace")


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds; None where nothing is said that can be understood."""
    said = headers.get("Retry-After", "")
    return min(max(int(said), 1), LONGEST_WAIT_S) if said.isdecimal() else None
