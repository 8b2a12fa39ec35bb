"""What is measured: how an engine is started, where the rows go."""

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine import NAME, Engine, EngineFailedError

from sparkwell.engines.vllm.launch import compile_caches
from sparkwell.engines.vllm.sleep import ENVIRONMENT


@dataclass(slots=True)
class Measurement:
    """What to start, where to write, how long it may take."""

    program: list[str]
    model: Path
    work: Path
    out: Path
    port: int
    budget_s: float
    flags: list[str]
    began_s: float = field(default_factory=time.monotonic)
    starts: int = 0

    @property
    def caches(self) -> Path:
        """The folder of everything that an engine compiles and keeps."""
        return self.work / "caches"

    def start(self, *flags: str) -> Engine:
        """Start an engine and wait until it is healthy."""
        self.starts += 1
        argv = [*self.program, "--model", str(self.model), "--served-model-name", NAME]
        argv += ["--host", "127.0.0.1", "--port", str(self.port), *self.flags, *flags]
        self.caches.mkdir(parents=True, exist_ok=True)
        log = self.work / f"{self.starts:02}.log"
        engine = Engine.start(argv, self.environment(), self.port, log)
        try:
            engine.until_healthy()
        except EngineFailedError:
            engine.stop()
            raise
        return engine

    def environment(self) -> dict[str, str]:
        """Sparkwell's own variables for an engine; HOME too is a folder of the caches."""
        folder = str(self.caches)
        return {
            **compile_caches(folder),
            **ENVIRONMENT,
            "CUDA_CACHE_PATH": f"{folder}/cuda",
            "HOME": folder,
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "DO_NOT_TRACK": "1",
            "VLLM_HOST_IP": "127.0.0.1",
            "PYTHONUNBUFFERED": "1",
        }

    def write(self, case: str, **row: Any) -> None:
        """Append a row, and say it."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        line = json.dumps({"case": case, "at": at, **row})
        print(line[:400], flush=True)
        with self.out.open("a", encoding="utf-8") as out:
            out.write(line + "\n")

    def has_time_for(self, seconds: float) -> bool:
        """Whether that much is left."""
        return time.monotonic() - self.began_s + seconds <= self.budget_s
