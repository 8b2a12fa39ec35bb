"""Putting an engine to sleep and waking it, over its own HTTP API."""

import asyncio
from json import JSONDecodeError

import aiohttp

from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.launch import Endpoint
from sparkwell.engines.vllm.sleep import (
    IS_SLEEPING,
    BackEnd,
    Call,
    sleep_calls,
    wake_calls,
)
from sparkwell.supervisor.start import session

_SHOWN = 300


async def put_to_sleep(endpoint: Endpoint, back_end: BackEnd, timeout_s: float) -> None:
    """Return when the engine sleeps and has given its memory back.

    ``timeout_s`` bounds all of it. Raises EnvironmentFault with the reason; how much of the
    engine sleeps is then unknown.
    """
    await _carry_out(endpoint, sleep_calls(back_end), timeout_s, asleep=True)


async def wake(endpoint: Endpoint, back_end: BackEnd, timeout_s: float) -> None:
    """Return when the engine is whole again, after having slept by this ``back_end``.

    It has not generated yet: ask it for a token before it is trusted. Raises as put_to_sleep.
    """
    await _carry_out(endpoint, wake_calls(back_end), timeout_s, asleep=False)


async def sleeps(endpoint: Endpoint, timeout_s: float = 5.0) -> bool:
    """Whether an engine sleeps; one that does not answer does not."""
    try:
        async with session(endpoint, timeout_s=timeout_s) as client:
            return await _is_sleeping(client, endpoint)
    except (aiohttp.ClientError, OSError, TimeoutError, EnvironmentFault):
        return False


async def _carry_out(
    endpoint: Endpoint, calls: tuple[Call, ...], timeout_s: float, *, asleep: bool
) -> None:
    what = "fall asleep" if asleep else "wake"
    try:
        async with asyncio.timeout(timeout_s), session(endpoint, timeout_s=timeout_s) as client:
            for call in calls:
                await _post(client, endpoint, call)
            if await _is_sleeping(client, endpoint) is not asleep:
                raise EnvironmentFault(f"the engine did not {what}, though it said so")
    except TimeoutError:
        raise EnvironmentFault(f"the engine did not {what} within {timeout_s:g} s") from None
    except (aiohttp.ClientError, OSError) as error:
        raise EnvironmentFault(f"the engine did not {what}: {error}") from None


async def _post(client: aiohttp.ClientSession, endpoint: Endpoint, call: Call) -> None:
    async with client.post(endpoint.url(call.path), json=call.body) as response:
        text = await response.text(errors="replace")
        if response.status == 404:
            raise EnvironmentFault(
                f"the engine has no {call.path.partition('?')[0]}: it was not started with "
                "VLLM_SERVER_DEV_MODE=1"
            )
        if response.status != 200:
            said = f"{response.status} to {call.path}: {text[:_SHOWN]}"
            raise EnvironmentFault(f"the engine answered {said}")


async def _is_sleeping(client: aiohttp.ClientSession, endpoint: Endpoint) -> bool:
    async with client.get(endpoint.url(IS_SLEEPING)) as response:
        try:
            return bool((await response.json(content_type=None))["is_sleeping"])
        except (JSONDecodeError, UnicodeDecodeError, LookupError, TypeError):
            raise EnvironmentFault(
                f"the engine answered {response.status} to {IS_SLEEPING}, and not whether it sleeps"
            ) from None
