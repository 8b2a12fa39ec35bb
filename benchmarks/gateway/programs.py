"""The upstream and the load: two small C programs, compiled when they are first needed."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "bench-gateway"
SOURCES = ("heap.h", "net.h", "load.c", "upstream.c")
FLAGS = ("-O2", "-Wall", "-Wextra", "-Wno-misleading-indentation")
SPARE_S = 30.0
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cores:
    """The processor that the relays have to themselves, and that of load and upstream."""

    relay: int | None
    load: int | None

    def words(self) -> list[str]:
        """How the load and the upstream are told."""
        return [] if self.load is None else ["--core", str(self.load)]

    @contextmanager
    def for_relay(self) -> Iterator[None]:
        """What is started in this block runs there."""
        before = os.sched_getaffinity(0)
        if self.relay is not None:
            os.sched_setaffinity(0, {self.relay})
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)


def cores() -> Cores:
    """The first for load and upstream, the second for relays; no matter where there is one."""
    mine = sorted(os.sched_getaffinity(0))
    return Cores(mine[1], mine[0]) if len(mine) > 1 else Cores(None, None)


def compiled(name: str) -> Path:
    """The program ``name`` of this folder's present sources."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SystemExit("bench-gateway needs a C compiler: apt-get install gcc libc6-dev")
    text = b"".join((HERE / each).read_bytes() for each in SOURCES)
    program = CACHE / f"{name}-{hashlib.sha256(text).hexdigest()[:12]}"
    if not program.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        source = str(HERE / f"{name}.c")
        subprocess.run([compiler, *FLAGS, "-o", str(program), source], check=True)
    return program


def load(target: "Address", on: Cores, **options: float | str) -> Json:
    """What came of asking; the options are those at the top of load.c, with underscores."""
    limit_s = float(options.setdefault("limit", 120.0))
    words = [str(compiled("load")), "--port", str(target.port), *on.words()]
    for name, value in options.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    if target.key:
        words += ["--key", target.key]
    done = subprocess.run(words, check=True, capture_output=True, timeout=limit_s + SPARE_S)
    found: Json = json.loads(done.stdout)
    return found


@dataclass(frozen=True, slots=True)
class Address:
    """Where to ask on this machine, and with which key."""

    port: int
    key: str | None = None
