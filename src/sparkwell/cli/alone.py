"""A machine to oneself: no other model, no second measurement that starts models anew."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sparkwell.cli.client import AdminClient, is_running
from sparkwell.cli.context import Context
from sparkwell.core.errors import ConflictError


@contextmanager
def alone_here(folder: Path) -> Iterator[None]:
    """Keep out whatever else starts models anew; raises ConflictError where it is at it."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConflictError(
            "Another tuning, or measurement of variants, runs here: both would stop engines.",
            hint="Wait for its end, or end it with Ctrl-C there.",
        ) from None


async def alone(context: Context, model: str) -> None:
    """Raise ConflictError where other models run: they would be measured too."""
    async with AdminClient(context.paths) as client:
        if not await is_running(client):
            return
        status = await client.get("status")
    others = [
        each["model"]
        for each in status["instances"]
        if each["state"] != "failed" and each["model"] != model
    ]
    if others:
        raise ConflictError(
            f"{', '.join(others)} runs here, and would be measured with {model}.",
            hint=f"Stop it first: `sparkwell down {others[0]}`.",
        )
