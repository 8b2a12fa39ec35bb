"""An engine that is a formula: how a tuning goes, without starting one."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.unit.tune.made import measured

from sparkwell.app.paths import find_paths
from sparkwell.app.planning.planning import Planning
from sparkwell.app.tuning.beginning import TuneWish, begun, place
from sparkwell.app.tuning.document import Tuning
from sparkwell.app.tuning.foretelling import Plans
from sparkwell.app.tuning.ledger import Ledger, Step
from sparkwell.app.tuning.rig import Started, TrialError
from sparkwell.app.tuning.tuner import Tuner
from sparkwell.bench.figures import Slo
from sparkwell.bench.results import Repeat
from sparkwell.bench.suites import Case
from sparkwell.catalog.catalog import load_catalog
from sparkwell.core.errors import ConflictError
from sparkwell.hardware.description import find_machine

BEFORE = {
    "max_model_len": 8192, "max_num_seqs": 64, "max_num_batched_tokens": 8192,
    "enable_prefix_caching": True,
}  # fmt: skip
VERSION = "0.25.0"
Flags = Mapping[str, Any]
Speed = Callable[[Flags, Case], float]


def by_sequences(flags: Flags, _case: Case) -> float:
    """Tokens a second: more sequences give more, up to 192; FlashInfer costs a little."""
    sequences = min(int(flags["max_num_seqs"]), 192)
    return 10.0 * sequences * (0.9 if flags.get("attention_backend") == "FLASHINFER" else 1.0)


class SimulatedRig:
    """``refuse`` and ``crash`` say of flags why they do not start; None where they do.

    Where it ``hangs``, nothing is answered; where it ``loads``, it is never ready.
    """

    def __init__(
        self,
        speed: Speed = by_sequences,
        *,
        refuse: Callable[[Flags], str | None] = lambda _: None,
        crash: Callable[[Flags], str | None] = lambda _: None,
        dies: Callable[[Flags], bool] = lambda _: False,
        hangs: Callable[[Flags], bool] = lambda _: False,
        loads: Callable[[Flags], bool] = lambda _: False,
    ) -> None:
        self._hangs, self._loads = hangs, loads
        self.starts: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []
        self._speed, self._refuse, self._crash, self._dies = speed, refuse, crash, dies
        self._flags: dict[str, Any] = {}

    @property
    def started(self) -> Started:
        return Started(self._flags, "vllm", VERSION)

    async def start(self, flags: Flags, profile: str | None) -> Started:
        await asyncio.sleep(0)
        self._flags = {**BEFORE, **flags}
        self.starts.append({**self._flags, "profile": profile})
        if why := self._refuse(self._flags):
            raise ConflictError(why)
        if why := self._crash(self._flags):
            raise TrialError(why)
        if self._loads(self._flags):
            await asyncio.Event().wait()
        return self.started

    async def measure(self, case: Case, repeats: int, seed: str, slo: Slo | None) -> list[Repeat]:
        await asyncio.sleep(0)
        self.asked.append((case.name, seed))
        if self._dies(self._flags):
            raise TrialError("It broke off: the connection was cut.")
        if self._hangs(self._flags):
            await asyncio.Event().wait()
        speed = self._speed(self._flags, case)
        return [
            Repeat(measured(1.0 / speed, 100, 1100 / speed * (1 + 0.001 * at), slo), (), 0.0)
            for at in range(repeats)
        ]

    def log(self) -> Sequence[str]:
        return ["INFO ready", "token=hf_abcdefghijklmnopqrstuvwxyz012345"]


def wish(**changes: Any) -> TuneWish:
    given: dict[str, Any] = {
        "model": "qwen3-8b-fp8", "goal": "throughput", "slo": None, "clients": 256,
        "prompt_tokens": None, "output_tokens": None, "repeats": 2, "budget_s": 3600.0,
        "most_trials": 12, "check_repeats": None, "profile": None, "given": {}, "guessing": False,
        "command": "tune",
    }  # fmt: skip
    return TuneWish(**{**given, **changes})


H100 = find_machine("h100-80gb")
PLANNING = Planning(find_paths({"SPARKWELL_HOME": "/nowhere"}), load_catalog(), {})
PLANNING.__dict__["here"] = H100


class Run:
    """A tuning over a simulated engine; ``saved`` is every state that was kept."""

    def __init__(self, rig: SimulatedRig, tuning: Tuning | None = None, **changes: Any) -> None:
        self.rig = rig
        self.tuning = tuning or begun(wish(**changes), H100, 8192)
        self.saved: list[int] = []
        self.steps: list[Step] = []

    def go(self) -> Tuning:
        tuning = self.tuning
        ledger = Ledger(tuning, lambda kept: self.saved.append(len(kept.trials)), self.steps.append)
        tuner = Tuner(
            ledger, self.rig,
            lambda version: Plans(PLANNING, tuning.model, version, tuning.given),
            lambda engine, version: place(H100, engine, version),
        )  # fmt: skip
        asyncio.run(tuner.run())
        return tuning
