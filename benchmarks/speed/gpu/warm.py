"""Compile an engine's kernels before anything is measured, several engines at once.

    warm.py --cache FOLDER --python FILE --seconds S --slots N JOB…

A JOB is ``MODEL_FOLDER|PART/PARTS|FLAGS``: an engine that captures the PART-th of PARTS shares of
the usual CUDA-graph sizes, and is then asked for prompts of that share of lengths. Kernels for FP8
weights are compiled for the number of tokens in a step, when it is first met; in a server's first
minutes that is in the midst of answers. Says what each prompt took and how many kernels came.
The engines' logs lie in FOLDER/warm. No weights are needed.
"""

import argparse
import json
import os
import random
import shlex
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

SIZES = (1, 2, 4, *range(8, 256, 8), *range(256, 513, 16))
LENGTHS = (
    *range(1, 64, 8), *range(64, 1024, 32), *range(1024, 4096, 128), *range(4096, 16385, 512),
)  # fmt: skip
SLOW_S = 0.5
WORDS = 900
"""Of the smallest vocabulary, the demo's."""
LAUNCHING_AT_ONCE = "0.1"
"""The engine refuses to start where this share of the GPU is not free."""


@dataclass(frozen=True)
class Job:
    """One engine, and its share of sizes and lengths."""

    name: str
    model: str
    part: int
    parts: int
    flags: list[str]

    def share(self, of: tuple[int, ...]) -> list[int]:
        """Neighbours together: they mostly need the same kernels."""
        size = -(-len(of) // self.parts)
        return list(of[self.part * size : (self.part + 1) * size])


def job(number: int, text: str) -> Job:
    """As the command line has it."""
    model, part, flags = text.split("|")
    at, _, parts = part.partition("/")
    return Job(f"{number}", model, int(at) - 1, int(parts), shlex.split(flags))


def kernels(cache: Path) -> int:
    """How many for FP8 weights are compiled so far: DeepGEMM's, and FlashInfer's of its kind."""
    folders = (cache / "vllm" / "deep_gemm", cache / "tensorrt_llm")
    return sum(1 for folder in folders for _ in folder.rglob("*.cubin"))


def free_port() -> int:
    """Of this machine."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Engine:
    """A server that is started, asked and ended."""

    def __init__(self, asked: Job, python: str, cache: Path) -> None:
        self.asked, self.port, self.cache = asked, free_port(), cache
        self.began = time.monotonic()
        self._log = (cache / "warm" / f"{asked.name}.log").open("wb")
        sizes = {"cudagraph_capture_sizes": asked.share(SIZES)}
        self._process = subprocess.Popen(
            [
                python, "-m", "vllm.entrypoints.openai.api_server", "--model", asked.model,
                "--served-model-name", "m", "--host", "127.0.0.1", "--port", str(self.port),
                "--load-format", "dummy", "--gpu-memory-utilization", LAUNCHING_AT_ONCE,
                "--compilation-config", json.dumps(sizes), *asked.flags,
            ],
            stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True,
            env={
                **os.environ, "VLLM_CACHE_ROOT": str(cache / "vllm"), "VLLM_HOST_IP": "127.0.0.1",
                "TRITON_CACHE_DIR": str(cache / "triton"), "FLASHINFER_WORKSPACE_BASE": str(cache),
                "TRTLLM_DG_CACHE_DIR": str(cache / "tensorrt_llm"), "HF_HUB_OFFLINE": "1",
            },
        )  # fmt: skip

    def say(self, text: str) -> None:
        """With the time since its start."""
        print(f"{self.asked.name} {time.monotonic() - self.began:6.1f} s  {text}", flush=True)

    def is_ready(self, until: float) -> bool:
        """Wait for it; False where it ended, or the time is over."""
        while time.monotonic() < until and self._process.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5).close()
            except OSError:
                time.sleep(0.5)
            else:
                return True
        return False

    def ask(self, tokens: int) -> float:
        """The seconds that a prompt took."""
        prompt = [random.randrange(1, WORDS) for _ in range(tokens)]  # noqa: S311 - no secret
        body = {"model": "m", "prompt": prompt, "max_tokens": 1, "ignore_eos": True}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/completions", json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )  # fmt: skip
        began = time.monotonic()
        urllib.request.urlopen(request, timeout=120).close()  # noqa: S310 - a server of ours
        return time.monotonic() - began

    def sweep(self, until: float) -> None:
        """Ask for each length of its share, as long as there is time."""
        for tokens in self.asked.share(LENGTHS):
            if time.monotonic() < until:
                self._step(tokens)

    def _step(self, tokens: int) -> None:
        before = kernels(self.cache)
        try:
            took = self.ask(tokens)
        except urllib.error.HTTPError as error:  # longer than the model takes, say
            self.say(f"{tokens:,} tokens: {error}")
            return
        if took > SLOW_S:
            after = kernels(self.cache)
            self.say(f"{tokens:,} tokens took {took:.2f} s; kernels {before} to {after}")

    def end(self) -> None:
        """It and all that it started."""
        for each in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, each)
                self._process.wait(15)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        self._log.close()


def warm(asked: Job, python: str, cache: Path, until: float) -> None:
    """One job from start to end."""
    if time.monotonic() > until:
        return
    engine = Engine(asked, python, cache)
    try:
        engine.say(f"starts: part {asked.part + 1} of {asked.parts} {shlex.join(asked.flags)}")
        is_ready = engine.is_ready(until)
        engine.say(f"{'ready' if is_ready else 'did not get ready'}; kernels {kernels(cache)}")
        if is_ready:
            engine.sweep(until)
            engine.say(f"done; kernels {kernels(cache)}")
    except OSError as error:
        engine.say(f"failed: {error}")
    finally:
        engine.end()


def main() -> None:
    """Run the jobs, so many at once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("jobs", nargs="+")
    asked = parser.parse_args()
    (asked.cache / "warm").mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + asked.seconds
    with ThreadPoolExecutor(asked.slots) as pool:
        jobs = [job(number, text) for number, text in enumerate(asked.jobs, start=1)]
        list(pool.map(lambda each: warm(each, asked.python, asked.cache, until), jobs))


if __name__ == "__main__":
    main()
