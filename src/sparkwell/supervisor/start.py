"""From launched to answering: follow the log, ask /health, then ask for one token."""

import asyncio
import json
import re
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import aiohttp

from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.core.protocols import Driver
from sparkwell.engines.talk import TALKS, EngineTalk, Facts, canary_model

LONGEST_SHOWN = 300
OnMark = Callable[[PhaseMark], None]


@dataclass(slots=True)
class Timeline:
    """When a start entered each of its phases, in Unix seconds, in the order of entering.

    ``observed`` is False for an adopted instance, whose log is read again long after. ``facts``
    are the figures that its log carried, the latest of each name: true whenever they are read.
    """

    observed: bool = True
    entered: dict[Phase, float] = field(default_factory=dict)
    facts: dict[str, float] = field(default_factory=dict)

    def enter(self, phase: Phase, at: float) -> None:
        """Note the first time that a phase was seen."""
        self.entered.setdefault(phase, at)

    def learn(self, facts: Iterable[tuple[str, float]]) -> None:
        """Note figures; a later one of the same name wins."""
        self.facts.update(facts)

    @property
    def complete(self) -> bool:
        """Whether the start was seen from its beginning to ready."""
        return self.observed and {Phase.LAUNCH, Phase.READY} <= self.entered.keys()

    @property
    def total_s(self) -> float | None:
        """Seconds from the beginning to ready; None unless both were seen."""
        if not self.complete:
            return None
        return self.entered[Phase.READY] - self.entered[Phase.LAUNCH]

    @property
    def durations(self) -> dict[Phase, float]:
        """Seconds spent in each phase that has been left."""
        steps = list(self.entered.items())
        following = steps[1:]
        return {
            phase: later - at for (phase, at), (_, later) in zip(steps, following, strict=False)
        }


@dataclass(frozen=True, slots=True)
class StartWatch:
    """Follows one start. ``timeout_s`` bounds it from launch to the first token.

    ``talks`` says how each engine is talked to. ``poll_s`` is the pause between health checks; it
    bounds how much later than the engine itself we say "ready". ``said`` has the last line of each
    start that is followed now, by instance: what is shown where no wording is known.
    """

    driver: Driver
    talks: Mapping[str, EngineTalk] = field(default_factory=lambda: TALKS)
    timeout_s: float = 1800.0
    canary_timeout_s: float = 120.0
    poll_s: float = 0.2
    metrics_timeout_s: float = 5.0
    said: dict[str, str] = field(default_factory=dict)

    async def until_ready(self, spec: LaunchSpec, on_mark: OnMark) -> None:
        """Return when the engine is healthy and has generated a token.

        Raises EnvironmentFault when the time is over or the engine answers wrongly. The
        engine's end is not this watch's concern: the caller cancels it, or lets it time out.
        """
        reading = asyncio.create_task(self._read_log(spec, on_mark))
        try:
            async with asyncio.timeout(self.timeout_s):
                await self._healthy(spec)
                on_mark(PhaseMark(Phase.CANARY))
                await self.one_token(spec)
        except TimeoutError:
            raise EnvironmentFault(
                f"it was not ready within {self.timeout_s:.0f} s (setting start_timeout_s)"
            ) from None
        finally:
            reading.cancel()
            # Collected, not raised: a log that cannot be read does not make an engine unwell.
            await asyncio.gather(reading, return_exceptions=True)
            self.said.pop(spec.instance, None)

    async def figures(self, spec: LaunchSpec) -> Facts:
        """What a ready engine's API says of its memory; empty where it cannot be had."""
        talk = self.talks[spec.engine]
        try:
            async with (
                session(spec.endpoint, timeout_s=self.metrics_timeout_s) as client,
                client.get(spec.endpoint.url(talk.figures_path)) as response,
            ):
                text = await response.text()
                return talk.read_figures(text, spec) if response.status == 200 else ()
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):  # ValueError: no UTF-8
            return ()

    async def _read_log(self, spec: LaunchSpec, on_mark: OnMark) -> None:
        read_line = self.talks[spec.engine].new_reader()
        async for line in self.driver.follow(spec.instance):
            if line.strip():
                self.said[spec.instance] = line.strip()[:LONGEST_SHOWN]
            mark = read_line(line)
            if mark is not None:
                on_mark(mark)

    async def _healthy(self, spec: LaunchSpec) -> None:
        talk = self.talks[spec.engine]
        async with session(spec.endpoint, timeout_s=10) as client:
            while not (_listens(spec.endpoint) and await _is_healthy(client, spec, talk)):  # noqa: ASYNC110
                await asyncio.sleep(self.poll_s)

    async def one_token(self, spec: LaunchSpec) -> None:
        """The canary: a green /health says nothing about generating (containers lie).

        An engine that embeds and does not generate is asked for one vector. Raises
        EnvironmentFault when nothing comes.
        """
        body = {"model": canary_model(spec), "prompt": "Hello", "max_tokens": 1, "temperature": 0}
        async with session(spec.endpoint, timeout_s=self.canary_timeout_s) as client:
            try:
                tokens = await _completion_tokens(client, spec.endpoint, body)
            except TimeoutError:
                raise EnvironmentFault(
                    "the engine says that it is healthy, but generated nothing within "
                    f"{self.canary_timeout_s:.0f} s"
                ) from None
            except (aiohttp.ClientError, OSError) as error:
                raise EnvironmentFault(f"the engine broke off the first request: {error}") from None
        if tokens < 1:
            raise EnvironmentFault("the engine answered the first request without a token")


def session(endpoint: Endpoint, *, timeout_s: float) -> aiohttp.ClientSession:
    """An HTTP client for one engine."""
    connector = aiohttp.UnixConnector(endpoint.uds) if endpoint.uds else aiohttp.TCPConnector()
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    return aiohttp.ClientSession(connector=connector, timeout=timeout)


def _listens(endpoint: Endpoint) -> bool:
    """Whether somebody takes connections on the socket; where there is none, yes.

    vLLM listens when it has loaded. To ask the kernel costs a tenth of a request that is refused,
    and it is asked five times a second for as long as a start takes.
    """
    if endpoint.uds is None:
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(endpoint.uds)
        except BlockingIOError:  # so many ask that one more would have to wait
            return True
        except OSError:
            return False
    return True


async def _is_healthy(client: aiohttp.ClientSession, spec: LaunchSpec, talk: EngineTalk) -> bool:
    try:
        async with client.get(spec.endpoint.url(talk.health_path)) as response:
            return response.status == 200 and talk.is_ready(await response.text(), spec)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):  # ValueError: no UTF-8
        return False


async def _completion_tokens(
    client: aiohttp.ClientSession, endpoint: Endpoint, body: dict[str, object]
) -> int:
    async with client.post(endpoint.url("/v1/completions"), json=body) as response:
        text = await response.text()
        if response.status == 404 and _NO_SUCH_PATH.search(text):
            return await _vectors(client, endpoint, body)
        if response.status != 200:
            raise _refused_first(response.status, text)
    try:
        return int(json.loads(text)["usage"]["completion_tokens"])
    except (ValueError, LookupError, TypeError):
        raise EnvironmentFault(
            f"the engine answered the first request with something else: {text[:300]}"
        ) from None


async def _vectors(
    client: aiohttp.ClientSession, endpoint: Endpoint, body: dict[str, object]
) -> int:
    """How many vectors a pooling engine makes of the canary's text: it has no completions."""
    asked = {"model": body["model"], "input": body["prompt"]}
    async with client.post(endpoint.url("/pooling"), json=asked) as response:
        text = await response.text()
        if response.status != 200:
            raise _refused_first(response.status, text)
    try:
        return len(json.loads(text)["data"])
    except (ValueError, LookupError, TypeError):
        raise EnvironmentFault(
            f"the engine answered the first request with something else: {text[:300]}"
        ) from None


def _refused_first(status: int, text: str) -> EnvironmentFault:
    return EnvironmentFault(f"the engine refused the first request ({status}): {text[:300]}")


_NO_SUCH_PATH = re.compile(r'"detail":\s*"Not Found"')
"""What vLLM says of a path that it has not; of a model that it has not it says something else."""
