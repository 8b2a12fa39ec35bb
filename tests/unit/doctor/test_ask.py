"""Short questions to programs, and work in the background: limits, and no exceptions."""

import asyncio
import os
import threading
import time
from pathlib import Path

import psutil
import pytest

from sparkwell.doctor.ask import Answer, ask, clean
from sparkwell.doctor.background import in_background

TOKEN = "hf_abcdefghijklmnopqrstuvwxyz01234567"
ENVIRON = {"PATH": os.environ["PATH"]}


async def test_an_answer() -> None:
    answer = await ask(["sh", "-c", "echo out; echo err >&2; exit 3"], ENVIRON, 5)
    assert answer == Answer(3, "out\n", "err\n")
    assert answer.words == "err"


async def test_a_program_that_is_not_there() -> None:
    assert (await ask(["docker"], {"PATH": "/nowhere"}, 5)).trouble == "missing"


async def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "docker").write_text("text")
    assert (await ask(["docker"], {"PATH": str(tmp_path)}, 5)).trouble == "missing"


async def test_a_program_that_does_not_answer_is_ended() -> None:
    began = time.monotonic()
    answer = await ask(["sleep", "61.25"], ENVIRON, 0.2)
    assert answer.trouble == "no answer"
    assert time.monotonic() - began < 5
    assert not [p for p in psutil.process_iter(["cmdline"]) if "61.25" in (p.info["cmdline"] or [])]


async def test_the_token_is_neither_given_nor_taken() -> None:
    environ = {**ENVIRON, "HF_TOKEN": TOKEN}
    assert (await ask(["env"], environ, 5)).out.count("HF_TOKEN") == 0
    answer = await ask(["sh", "-c", f"echo bearer {TOKEN} >&2"], ENVIRON, 5)
    assert answer.words == "bearer hf_…"


def test_bytes_that_are_no_text() -> None:
    assert clean(b"a\xffb") == "a�b"


async def test_work_in_the_background_returns_and_raises() -> None:
    assert await in_background(lambda: 5, 5) == 5
    with pytest.raises(ZeroDivisionError):
        await in_background(lambda: 1 // 0, 5)


def test_work_that_hangs_keeps_nobody_from_ending() -> None:
    release = threading.Event()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await in_background(release.wait, 0.1)

    began = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - began < 5
    release.set()
