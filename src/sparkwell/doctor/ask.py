"""Short questions to other programs: always with a time limit, never an exception."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

_SECRET = re.compile(r"hf_[A-Za-z0-9]{8,}")
# What no program that is asked here has to know.
_KEPT_BACK = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program said. ``trouble`` is why there is no answer; ``code`` is None then."""

    code: int | None = None
    out: str = ""
    err: str = ""
    trouble: Literal["missing", "no answer"] | None = None

    @property
    def words(self) -> str:
        """What it said of its failure, in one line."""
        return " ".join((self.err or self.out).split())[:500]


async def ask(argv: Sequence[str], environ: Mapping[str, str], limit_s: float) -> Answer:
    """Run a program and return what it said; one that takes longer is killed."""
    env = {name: value for name, value in environ.items() if name not in _KEPT_BACK}
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError:  # not there, or no program
        return Answer(trouble="missing")
    try:
        async with asyncio.timeout(limit_s):
            out, err = await process.communicate()
    except TimeoutError:
        return Answer(trouble="no answer")
    finally:
        await _end(process)
    return Answer(process.returncode, clean(out), clean(err))


def clean(text: bytes) -> str:
    """Text that can be written anywhere: UTF-8, and no token in it."""
    return _SECRET.sub("hf_…", text.decode(errors="replace"))


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
