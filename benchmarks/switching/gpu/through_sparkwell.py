"""Two models that take turns on one GPU, through Sparkwell: its daemon, its gateway, a real vLLM.

    through_sparkwell.py --home /data/sw --weights /data/hf --out OUT

Asks for one model and then for the other, and notes of each request how long it waited, what the
daemon's events say, and what the GPU and the host hold once the switch is over. First with
``switching.back_end`` as ``--back-end`` says, then with ``cold`` if time is left. Every request has
a salt of its own, so that no answer comes from the prefix cache. What is known is written to
OUT/through-sparkwell.json after every request. HOME has the engine environment already, and the
weights are in a Hugging Face cache; for a model with load_format=dummy an empty file will do.
"""

import argparse
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import host

from sparkwell.app.paths import Paths, find_paths

Json = dict[str, Any]
PROMPT = " ".join(f"t{1000 + 7 * at}" for at in range(128))
REST_S = 2.5  # longer than min_residency_s, and the figures of the host have settled
FLAGS: Json = {"max_model_len": 8192, "gpu_memory_utilization": 0.7, "enforce_eager": True}
SWITCHING: Json = {"min_residency_s": 1, "hold_headers_s": 600, "idle_s": 0}
COLD_EXPECT_S = 75.0
END_S = 45.0


@dataclass(slots=True)
class Run:
    """What is known so far; times are seconds since ``began``."""

    out: Path
    document: Json
    began: float = field(default_factory=time.monotonic)

    def keep(self, key: str, value: Any) -> None:
        """Add to a list of the document, and write it all."""
        self.document.setdefault(key, []).append(value)
        self.write()

    def write(self) -> None:
        """Write the document."""
        text = json.dumps(self.document, indent=1)
        (self.out / "through-sparkwell.json").write_text(text + "\n", encoding="utf-8")

    @property
    def now_s(self) -> float:
        """Seconds since the beginning."""
        return round(time.monotonic() - self.began, 3)


@dataclass(slots=True)
class Sparkwell:
    """A Sparkwell with a home of its own, by its command line and its port."""

    home: Path
    program: list[str]
    port: int
    paths: Paths
    daemon: subprocess.Popen[bytes] | None = None

    @property
    def environ(self) -> dict[str, str]:
        """For the daemon and the commands."""
        return {**os.environ, "SPARKWELL_HOME": str(self.home), "COLUMNS": "150"}

    def command(self, *words: str, timeout_s: float = 60.0) -> str:
        """Run a command; what it printed, errors too."""
        argv = [sys.executable, "-m", *self.program, *words]
        try:
            done = subprocess.run(
                argv, env=self.environ, capture_output=True, text=True, timeout=timeout_s,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"no end within {timeout_s:g} s"
        return done.stdout if done.returncode == 0 else f"{done.returncode}: {done.stderr}"

    def document(self, *words: str) -> Any:
        """What a command says with --json; its text where that is none."""
        text = self.command(*words, "--json")
        with suppress(ValueError):
            return json.loads(text)
        return text[-2000:]

    def serve(self, settings: Mapping[str, Any]) -> None:
        """Start the daemon, and wait until it answers."""
        self.paths.config.mkdir(parents=True, exist_ok=True)
        whole = {"gateway": {"port": self.port}, **settings}
        self.paths.config_file.write_text(json.dumps(whole), encoding="utf-8")
        with (self.home / "serve.log").open("ab") as log:
            self.daemon = subprocess.Popen(
                [sys.executable, "-m", *self.program, "serve"], env=self.environ,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while self.daemon.poll() is None and time.monotonic() < deadline:
            with suppress(OSError, http.client.HTTPException):
                self._connect(2).request("GET", "/v1/models")
                return
            time.sleep(0.05)
        raise RuntimeError((self.home / "serve.log").read_text()[-2000:])

    def end(self) -> None:
        """End the daemon."""
        if self.daemon and self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.daemon.wait(60)

    def ask(self, model: str, salt: str, timeout_s: float) -> Json:
        """A streamed greedy answer of 16 tokens to a prompt of 128, with its times in seconds."""
        body = {
            "model": model, "prompt": PROMPT, "max_tokens": 16, "temperature": 0,
            "ignore_eos": True, "stream": True, "logprobs": 1, "cache_salt": salt,
        }  # fmt: skip
        connection, sent = self._connect(timeout_s), time.monotonic()
        since = lambda: round(time.monotonic() - sent, 3)  # noqa: E731
        head = {"Content-Type": "application/json"}
        connection.request("POST", "/v1/completions", json.dumps(body), head)
        answer = connection.getresponse()
        found: Json = {"status": answer.status, "headers_s": since(), "first_token_s": None}
        found["headers"] = {
            k.lower(): v for k, v in answer.getheaders() if "sparkwell" in k.lower()
        }
        if answer.status != 200:
            return {**found, "error": answer.read()[:1000].decode(errors="replace")}
        texts: list[str] = []
        logprobs: list[float] = []
        for piece in _pieces(answer):
            if "choices" not in piece:
                found["error"] = json.dumps(piece)[:1000]
                break
            found["first_token_s"] = found["first_token_s"] or since()
            for choice in piece["choices"]:
                texts.append(choice.get("text") or "")
                logprobs += (choice.get("logprobs") or {}).get("token_logprobs") or []
        return {**found, "whole_s": since(), "text": "".join(texts), "logprobs": logprobs}

    def _connect(self, timeout_s: float) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)

    def left(self) -> list[str]:
        """Processes of this home, by their first words."""
        processes = [each.name for each in Path("/proc").iterdir() if each.name.isdigit()]
        return [words for pid in processes if (words := self._ours(pid))]

    def _ours(self, pid: str) -> str | None:
        if int(pid) == os.getpid():
            return None
        try:
            folder = Path("/proc") / pid
            words, environ = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except OSError:
            return None
        mine = str(self.home).encode()
        if mine not in words + environ or Path(__file__).name.encode() in words:
            return None
        return words.replace(b"\0", b" ").decode()[:120]


def _pieces(answer: http.client.HTTPResponse) -> Iterator[Json]:
    """The JSON of each event of a stream."""
    for line in answer:
        text = line.decode().strip()
        if text.startswith("data:") and text != "data: [DONE]":
            yield json.loads(text[5:])


# ── what the machine holds ──────────────────────────────────────────────────────────────────


def held() -> Json:
    """The GPU's and the host's memory in use, bytes."""
    return {"gpu_used_bytes": host.gpu_used_bytes(), "host_used_bytes": host.host_used_bytes()}


@contextmanager
def sampled(run: Run, every_s: float = 0.5) -> Iterator[None]:
    """Note both all the time, as a file of its own."""
    over = threading.Event()

    def look() -> None:
        with (run.out / "samples.jsonl").open("w", encoding="utf-8") as file:
            while not over.wait(every_s):
                file.write(json.dumps({"at_s": run.now_s, **held()}) + "\n")
                file.flush()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(5)


# ── the measurement ─────────────────────────────────────────────────────────────────────────


def turns(run: Run, well: Sparkwell, back_end: str, order: list[str], until_s: float) -> None:
    """Ask in this order, and look around after each answer; stops when time is short."""
    cold = back_end == "cold"
    for number, model in enumerate(order):
        left_s = until_s - run.now_s
        if left_s < (COLD_EXPECT_S if cold else 10.0):
            run.keep("skipped", {"back_end": back_end, "from": number})
            return
        row: Json = {"back_end": back_end, "number": number, "model": model, "at_s": run.now_s}
        row["at"] = time.time()
        try:
            row |= well.ask(model, f"{back_end}-{number}", left_s)
        except (OSError, http.client.HTTPException, ValueError) as error:
            row["error"] = f"{type(error).__name__}: {error}"
        time.sleep(REST_S)
        row |= held()
        row["instances"] = _instances(well)
        print(json.dumps({k: v for k, v in row.items() if k not in ("logprobs", "instances")}))
        run.keep("requests", row)


def _instances(well: Sparkwell) -> Any:
    status = well.document("status")
    if not isinstance(status, dict):
        return status
    run = {"memory": status.get("memory")}
    keys = ("id", "model", "state", "back_end", "held_bytes", "start_s", "error")
    return {
        **run,
        "instances": [{key: each.get(key) for key in keys} for each in status["instances"]],
    }


def ended(run: Run, well: Sparkwell, back_end: str) -> None:
    """Keep the events, end all models, and look at what is left."""
    run.document[f"events_{back_end}"] = well.document("events", "-n", "1000")
    run.write()  # what follows may hang
    found: Json = {"back_end": back_end, "before": held()}
    began = time.monotonic()
    found["said"] = well.command("down", timeout_s=90)
    found["down_s"] = round(time.monotonic() - began, 2)
    found["released_s"] = host.until_released()
    found |= {"after": held(), "left_with_daemon": well.left()}
    run.document[f"events_{back_end}"] = well.document("events", "-n", "1000")
    well.end()
    found["left"] = well.left()
    run.keep("downs", found)


def settings(given: argparse.Namespace, back_end: str) -> Json:
    """The daemon's settings."""
    switching = {**SWITCHING, "back_end": back_end, **json.loads(given.switching)}
    first, second = given.models.split(",")
    flags = {first: given.flags_first, second: given.flags_second}
    models = {name: {"flags": {**FLAGS, **json.loads(each)}} for name, each in flags.items()}
    found: Json = {"switching": switching, "models": {} if given.no_flags else models}
    found["engines"] = {"canary_timeout_s": 300}
    if given.weights:
        found["model_folders"] = [str(given.weights)]
    return found


def measure(run: Run, well: Sparkwell, given: argparse.Namespace) -> None:
    """All of it."""
    first, second = given.models.split(",")
    well.serve(settings(given, given.back_end))
    run.document["idle"] = held()
    run.document["hardware"] = well.document("hardware")
    run.document["plans"] = {name: well.command("plan", name) for name in (first, second)}
    run.write()
    asleep = [first, first, second, second, first, second, first, second, first, second]
    try:
        turns(run, well, given.back_end, asleep, given.budget_s - END_S)
        run.document["status"] = well.command("status")
    finally:
        ended(run, well, given.back_end)
    if run.now_s + 2 * COLD_EXPECT_S > given.budget_s - END_S:
        return
    well.serve(settings(given, "cold"))
    try:
        turns(run, well, "cold", [first, second, first, second], given.budget_s - END_S)
    finally:
        ended(run, well, "cold")


def main() -> None:
    """Measure, and write what came of it whatever happens."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="a Hugging Face cache")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", default="llama31-8b-fp8,qwen3-8b-fp8", help="two, by a comma")
    parser.add_argument("--flags-first", default='{"load_format": "dummy"}')
    parser.add_argument("--flags-second", default="{}")
    parser.add_argument("--no-flags", action="store_true", help="leave the models as they are")
    parser.add_argument("--back-end", default="auto")
    parser.add_argument("--switching", default="{}", help="more settings under switching, JSON")
    parser.add_argument("--program", default="sparkwell", help="module that is the command")
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--budget-s", type=float, default=400.0)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    about = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "gpu": host.nvidia_smi("name"),
        "driver": host.nvidia_smi("driver_version"),
        "processors": os.cpu_count(),
        "python": sys.version.split()[0],
        "settings": settings(given, given.back_end),
    }
    run = Run(given.out, {"about": about})
    paths = find_paths({"SPARKWELL_HOME": str(given.home)})
    well = Sparkwell(given.home, given.program.split(), given.port, paths)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    with sampled(run):
        try:
            measure(run, well, given)
        except Exception as error:  # what is known is worth keeping
            run.keep("failed", f"{type(error).__name__}: {error}")
            raise
        finally:
            well.end()
            run.document["seconds"] = run.now_s
            run.write()


if __name__ == "__main__":
    main()
