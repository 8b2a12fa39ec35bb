"""Asks a shim over its control socket: one JSON object a line, one a line back."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sparkwell.core.errors import UsageError
from sparkwell.drivers.process.shim import files

ANSWER_S = 10.0  # a shim answers within milliseconds; one that does not is stuck
GOODBYE_S = 2.0
LONGEST_ANSWER = 1024 * 1024


class ShimClient:
    """One connection to a shim. Every method raises OSError when the shim is gone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, **request: object) -> dict[str, Any]:
        """Send one request and return its answer.

        Raises TimeoutError when the shim is stuck, UsageError when it refuses the request.
        """
        async with asyncio.timeout(ANSWER_S):
            answer = await self._exchange(request)
        if not answer.get("ok"):
            raise UsageError(f"The shim refuses: {answer.get('error')}.")
        return answer

    async def wait_for_end(self) -> dict[str, Any]:
        """Return the exit record once no process of the instance is left, nor the shim."""
        answer = await self._exchange({"op": "wait"})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await self._reader.read()  # the end of file comes when the shim itself ends
        return dict(answer["exit"])

    async def _exchange(self, request: dict[str, object]) -> dict[str, Any]:
        self._writer.write(json.dumps(request).encode() + b"\n")
        await self._writer.drain()
        line = await self._reader.readline()
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the shim went away without an answer")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.asynccontextmanager
async def connect(sockets: Path) -> AsyncIterator[ShimClient]:
    """Connect to the shim whose control socket lies in ``sockets``; raises OSError."""
    path = str(sockets / files.CONTROL_SOCKET)
    reader, writer = await asyncio.open_unix_connection(path, limit=LONGEST_ANSWER)
    try:
        yield ShimClient(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):  # it broke while it closed: closed it is
            await writer.wait_closed()
