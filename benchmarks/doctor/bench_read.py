"""What reading a log for a diagnosis costs: processor time and memory for 100 MB of each kind.

Each log is a file for as long as it is read, in a process of its own: the better of two rounds, the
higher peak. Exit status 1 where a bound is missed. With ``--save`` the result goes into
``results/``, dated.
"""

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from sparkwell.doctor.log_files import read_log

RESULTS = Path(__file__).parent / "results"
SIZE = 100_000_000
CHUNK = 1 << 20
ROUNDS = 2
MOST_S = 3.0
MOST_MB = 100.0
WORDS = Path(__file__).resolve().parents[2] / "docs" / "architecture.md"


def main() -> int:
    """Print all rows; returns the exit status."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--save", action="store_true", help="keep the result in results/")
    arguments.add_argument("--file", type=Path, help="read this file in this process")
    chosen = arguments.parse_args()
    if chosen.file:
        print(json.dumps(read(chosen.file)))
        return 0
    rows = [measured(name) for name in LOGS]
    for row in rows:
        print(
            f"{row['log']:32} {row['cpu_s']:6.2f} s {row['mb']:6.1f} MB {row['kept']:5} lines kept"
            f"{' MISSED' * missed(row)}"
        )
    if chosen.save:
        keep(rows)
    return int(any(map(missed, rows)))


def missed(row: dict[str, object]) -> bool:
    """Whether a bound of the issue is missed; the last logs are shown only."""
    bounded = LOGS[str(row["log"])].bounded
    return bounded and (float(str(row["cpu_s"])) > MOST_S or float(str(row["mb"])) > MOST_MB)


def measured(name: str) -> dict[str, object]:
    """Read one log in processes of their own, so that the peak of the memory is its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.log")
        pieces = list(LOGS[name].pieces())
        with path.open("wb") as file:
            for _ in range(SIZE // sum(map(len, pieces))):
                file.writelines(pieces)
        rounds = [apart(path) for _ in range(ROUNDS if LOGS[name].bounded else 1)]
    best = min(rounds, key=lambda row: float(str(row["cpu_s"])))
    return {"log": name} | best | {"mb": max(float(str(row["mb"])) for row in rounds)}


def apart(path: Path) -> dict[str, object]:
    """What another process of this program measured."""
    argv = [sys.executable, __file__, "--file", str(path)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    row: dict[str, object] = json.loads(done.stdout)
    return row


def read(path: Path) -> dict[str, object]:
    """Processor seconds of reading alone, and by how much the peak of the memory rose."""
    before_kib = peak_kib()
    began = time.process_time()
    digest = read_log(path)
    spent = time.process_time() - began
    rose_kib = peak_kib() - before_kib
    return {
        "cpu_s": round(spent, 3),
        "mb": round(rose_kib * 1024 / 1e6, 1),
        "kept": len(digest.lines),
        "lines": digest.total_lines,
        "bytes": digest.total_bytes,
    }


def peak_kib() -> int:
    """This process's highest memory so far; getrusage may give its parent's."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.split("VmHWM:", 1)[1].split(maxsplit=1)[0])


@dataclass(frozen=True, slots=True)
class Log:
    """A kind of log: some pieces of it, which are repeated; ``bounded`` is part of the promise."""

    pieces: Callable[[], Iterator[bytes]]
    bounded: bool = True


def lines_of(line: Callable[[int], str], size: int = 10_000_000) -> Iterator[bytes]:
    """Pieces of about a megabyte from lines."""
    text: list[str] = []
    held = total = 0
    for number in count():
        text.append(line(number))
        held += len(text[-1]) + 1
        if held >= CHUNK:
            yield ("\n".join(text) + "\n").encode()
            total, held, text = total + held, 0, []
        if total >= size:
            return


def access(number: int) -> str:
    """A healthy log: a request each line, every hundredth vLLM's figures."""
    chance = random.Random(number)  # noqa: S311 - always the same
    if number % 100 == 0:
        return (
            f"(APIServer pid=71) INFO 11-21 10:{number // 60 % 60:02}:{number % 60:02} "
            f"[loggers.py:257] Engine 000: Avg prompt throughput: {chance.uniform(0, 9000):.1f} "
            f"tokens/s, Avg generation throughput: {chance.uniform(0, 300):.1f} tokens/s, "
            f"Running: {chance.randrange(64)} reqs, Waiting: {chance.randrange(3)} reqs, "
            f"GPU KV cache usage: {chance.uniform(0, 100):.1f}%, Prefix cache hit rate: 31.5%"
        )
    return (
        f"(APIServer pid=71) INFO:     10.0.{chance.randrange(256)}.{chance.randrange(256)}:"
        f'{chance.randrange(1024, 65536)} - "POST /v1/chat/completions HTTP/1.1" 200 OK'
    )


def requests(number: int) -> str:
    """A healthy log of a server that logs what it is asked."""
    chance = random.Random(number)  # noqa: S311 - always the same
    words = " ".join(chance.choices(_words(), k=60))
    return (
        f"(APIServer pid=71) INFO 11-21 10:00:00 [logger.py:43] Received request chatcmpl-"
        f"{chance.randbytes(16).hex()}: prompt: '{words}', params: SamplingParams(n=1, "
        "temperature=0.7, max_tokens=100), lora_request: None."
    )


def error(number: int) -> str:
    """The same error on every line."""
    return (
        f"(EngineCore_DP0 pid=71) ERROR 11-21 10:{number // 60 % 60:02}:{number % 60:02} "
        f"[core.py:700] RuntimeError: CUDA error: an illegal memory access at 0x7f{number:010x}"
    )


def traceback(number: int) -> str:
    """The same traceback again and again."""
    said = TRACEBACK[number % len(TRACEBACK)]
    return f"(EngineCore_DP0 pid=71) ERROR 11-21 10:00:{number % 60:02} [core.py:700] {said}"


def prose(number: int) -> str:
    """Lines of words, all of them different."""
    chance = random.Random(number)  # noqa: S311 - always the same
    return " ".join(chance.choices(_words(), k=16))


def noise() -> Iterator[bytes]:
    """Random bytes."""
    chance = random.Random(7)  # noqa: S311 - always the same
    yield from (chance.randbytes(CHUNK) for _ in range(10))


def one_line() -> Iterator[bytes]:
    """One line without an end."""
    yield from (b"x" * CHUNK for _ in range(10))


def _words() -> list[str]:
    if not _WORDS:
        _WORDS.extend(WORDS.read_text("utf-8").split())
    return _WORDS


_WORDS: list[str] = []
TRACEBACK = (
    "Traceback (most recent call last):",
    *(
        text
        for number in range(20)
        for text in (
            f'  File "/usr/lib/python3/site-packages/vllm/v1/part_{chr(97 + number)}.py", line 7',
            f"    return self.step_{chr(97 + number)}(scheduler_output)",
        )
    ),
    "RuntimeError: CUDA error: an illegal memory access was encountered",
)
LOGS = {
    "healthy, access lines": Log(lambda: lines_of(access)),
    "healthy, prompts are logged": Log(lambda: lines_of(requests)),
    "one error on every line": Log(lambda: lines_of(error)),
    "one traceback again and again": Log(lambda: lines_of(traceback)),
    "random bytes": Log(noise),
    "one line": Log(one_line),
    "words, no two lines alike": Log(lambda: lines_of(prose), bounded=False),
    "empty lines": Log(lambda: iter([b"\n" * CHUNK]), bounded=False),
}


def keep(rows: list[dict[str, object]]) -> None:
    """Write the result with what it was measured on."""
    RESULTS.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    document = {
        "at": now.isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "cpus": os.cpu_count(),
        "load": [round(load, 1) for load in os.getloadavg()],  # what else ran
        "rows": rows,
    }
    path = RESULTS / f"{now:%Y-%m-%d}-read.json"
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
