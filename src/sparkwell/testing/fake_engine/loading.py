"""The way to readiness: the phases of the script, with the log lines of the style."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sparkwell.core.phases import Phase
from sparkwell.core.units import GIB
from sparkwell.testing.fake_engine.arguments import EngineArguments
from sparkwell.testing.fake_engine.log import Log
from sparkwell.testing.fake_engine.script import LOADING, Script
from sparkwell.testing.fake_engine.wording import Style

_KV_BYTES_PER_TOKEN = 147_456  # Qwen3-8B in BF16, as in the recorded logs
_GRAPH_SHAPES = 19
_NOT_IF_EAGER = (Phase.COMPILE, Phase.GRAPHS)


class LoadFailedError(Exception):
    """The script says that loading ends here."""

    def __init__(self, phase: Phase) -> None:
        super().__init__(phase.value)
        self.phase = phase


@dataclass(frozen=True, slots=True)
class Loading:
    """One start. ``begin`` says what really happens, beside talk, when a phase begins."""

    script: Script
    style: Style
    arguments: EngineArguments
    log: Log
    begin: Mapping[Phase, Callable[[], object]]

    async def run(self) -> None:
        """Go through the phases; LoadFailedError at the end of the one that shall fail."""
        for phase in LOADING:
            if not (self.arguments.enforce_eager and phase in _NOT_IF_EAGER):
                await self._pass(phase)

    async def _pass(self, phase: Phase) -> None:
        started = time.monotonic()
        lines = self.style.lines(phase)
        if phase in self.begin:
            self.begin[phase]()
        self._say(phase, lines.opening)
        await self._take_time(phase, lines.progress, started)
        if phase in (self.script.fail_at_phase, self.script.die_at_phase):
            raise LoadFailedError(phase)
        self._say(phase, lines.closing)

    def _say(self, phase: Phase, lines: tuple[str, ...]) -> None:
        facts = log_facts(phase, self.script, self.style, self.arguments)
        for line in lines:
            self.log.say(line.format_map(facts))

    async def _take_time(self, phase: Phase, progress: str | None, started: float) -> None:
        """Spend the phase's seconds, in as many steps as its progress bar has."""
        seconds = self.script.duration(phase)
        total = self.script.shards if phase is Phase.WEIGHTS else _GRAPH_SHAPES
        for done in range(total + 1) if progress else (total,):
            await asyncio.sleep(max(0.0, started + seconds * done / total - time.monotonic()))
            if progress:
                self.log.progress(progress.format_map(progress_facts(done, total, seconds)))


def log_facts(
    phase: Phase, script: Script, style: Style, arguments: EngineArguments
) -> dict[str, object]:
    """Say what the placeholders of a phase's lines stand for."""
    seconds = script.duration(phase)
    since_init = [script.duration(one) for one in LOADING if one is not Phase.LAUNCH]
    return {
        "version": style.version,
        "model": arguments.model,
        "given": dict(arguments.given),
        "eager": arguments.enforce_eager,
        "address": arguments.address,
        "api_pid": os.getpid(),
        "max_len": arguments.max_model_len,
        "weights_gib": script.weights_gib,
        "kv_tokens": script.kv_cache_tokens,
        "kv_gib": script.kv_cache_tokens * _KV_BYTES_PER_TOKEN / GIB,
        "concurrency": script.kv_cache_tokens / arguments.max_model_len,
        "seconds": seconds,
        "third": seconds / 3,
        "compile_s": script.duration(Phase.COMPILE),
        "engine_s": sum(since_init),
        "cache": "/home/user/.cache/vllm/torch_compile_cache/3976038524",
    }


def progress_facts(done: int, total: int, seconds: float) -> dict[str, object]:
    """Say what the placeholders of a tqdm line stand for."""
    share = done / total
    return {
        "done": done,
        "total": total,
        "percent": round(100 * share),
        "bar": "█" * round(10 * share),
        "elapsed": seconds * share,
        "left": seconds * (1 - share),
        "pace": seconds / total,
    }
