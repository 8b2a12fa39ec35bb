"""vLLM's sleep mode: what a launch needs for it, what is asked of the engine, what stays held.

Level 1 copies the weights into pinned host memory and drops the KV cache; level 2 drops both, and
waking loads the weights from disk again. The process, its CUDA context, its compiled code and its
graphs stay. Read in vLLM 0.10.1.1 to 0.33.0 (entrypoints/…/sleep/api_router.py,
v1/worker/gpu_worker.py, v1/engine/core.py); the routes exist with VLLM_SERVER_DEV_MODE=1 only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from packaging.version import Version

from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import UsageError
from sparkwell.core.units import GIB
from sparkwell.engines.vllm.history import parse_version
from sparkwell.hardware.machine import Machine
from sparkwell.planner.sleep import RELOADED_BYTES, pinned_bytes

__all__ = [
    "ENVIRONMENT",
    "FLAGS",
    "IS_SLEEPING",
    "RELOADED_BYTES",
    "RESIDUE_BYTES",
    "BackEnd",
    "Call",
    "allowed_back_ends",
    "asleep_bytes",
    "asleep_host_bytes",
    "impossible",
    "sleep_calls",
    "wake_calls",
]
RESIDUE_BYTES = int(1.9 * GIB)
"""What a sleeping engine keeps on the GPU at either level: CUDA context and graphs.

The most that was seen, on an H100 with vLLM 0.25.0 and 8B models in FP8, 2026-11-21: 1.9 GiB with
graphs for 512 sequences, 1.2 GiB for 64, 0.8 GiB without graphs. It errs on the safe side."""

FLAGS: Mapping[str, FlagValue] = {"enable_sleep_mode": True}
ENVIRONMENT: Mapping[str, str] = {"VLLM_SERVER_DEV_MODE": "1"}
"""What a launch needs, besides the flag, to be put to sleep over HTTP. It opens other routes of
vLLM's developers too: such an engine must listen where nobody else can reach it."""


class BackEnd(StrEnum):
    """How a model makes room for another one and comes back."""

    COLD = "cold"  # stop and start, with what was compiled kept on disk
    SLEEP_1 = "sleep-1"
    SLEEP_2 = "sleep-2"

    @property
    def level(self) -> int:
        """The level of sleep as vLLM counts; 0 where the engine ends."""
        return _LEVELS[self]


_LEVELS = {BackEnd.COLD: 0, BackEnd.SLEEP_1: 1, BackEnd.SLEEP_2: 2}
# Level 2 is there as long as level 1, but /collective_rpc, which loads the weights again, came with
# 0.10.2, and 0.16.0 is the first version read that can load a quantised checkpoint over weights
# that it has repacked (initialize_layerwise_reload in v1/worker/gpu_model_runner.py).
_SINCE = {BackEnd.SLEEP_1: Version("0.10.1.1"), BackEnd.SLEEP_2: Version("0.16.0")}


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the engine: POST, with a JSON ``body`` or none."""

    path: str
    body: Mapping[str, str] | None = None


IS_SLEEPING = "/is_sleeping"
"""Answers GET with ``{"is_sleeping": …}``: true as long as any part of the engine sleeps."""

_SLEEP = {BackEnd.SLEEP_1: (Call("/sleep?level=1"),), BackEnd.SLEEP_2: (Call("/sleep?level=2"),)}
_WAKE = {
    BackEnd.SLEEP_1: (Call("/wake_up"),),
    # The KV cache comes last: loading needs room for a moment.
    BackEnd.SLEEP_2: (
        Call("/wake_up?tags=weights"),
        Call("/collective_rpc", {"method": "reload_weights"}),
        Call("/wake_up?tags=kv_cache"),
    ),
}


def sleep_calls(back_end: BackEnd) -> tuple[Call, ...]:
    """What puts an engine to sleep, in order. Running requests would be aborted: drain first."""
    return _SLEEP[back_end]


def wake_calls(back_end: BackEnd) -> tuple[Call, ...]:
    """What wakes it, in order. Requests that came meanwhile were kept by 0.17 and newer alone."""
    return _WAKE[back_end]


def asleep_bytes(
    back_end: BackEnd,
    weights_bytes: int | None,
    *,
    unified: bool,
    residue_bytes: int = RESIDUE_BYTES,
) -> int | None:
    """What a sleeping engine still holds of the memory that engines compute in.

    On unified memory weights that sleep in "host" memory are in the same one, and take as much
    there. None where their size is unknown.
    """
    if back_end is BackEnd.COLD:
        return 0
    if back_end is BackEnd.SLEEP_2 or not unified:
        return residue_bytes
    return None if weights_bytes is None else residue_bytes + pinned_bytes(weights_bytes)


def asleep_host_bytes(back_end: BackEnd, weights_bytes: int | None, *, unified: bool) -> int | None:
    """What a sleeping engine holds of the host's own memory, pinned; 0 where that is no other.

    It holds it awake too, from its first sleep on. None where the weights' size is unknown.
    """
    if back_end is not BackEnd.SLEEP_1 or unified:
        return 0
    return None if weights_bytes is None else pinned_bytes(weights_bytes)


def impossible(back_end: BackEnd, engine: str, version: str | None, device: str) -> str | None:
    """Why an engine cannot make room that way, whatever the settings say; None where it can."""
    if back_end is BackEnd.COLD:
        return None
    if engine != "vllm":
        return f"{engine} has no sleep mode."
    if device != "cuda":
        return "vLLM has no sleep mode on a CPU: it refuses the flag."
    return _too_old(back_end, version)


def _too_old(back_end: BackEnd, version: str | None) -> str | None:
    since = _SINCE[back_end]
    try:
        known = parse_version(version or "")
    except UsageError:
        return f"Which version of vLLM this is, is not known; {back_end} needs {since}."
    if known < since:
        return f"vLLM {known} is too old for {back_end}: it needs {since}."
    return None


def allowed_back_ends(
    machine: Machine, engine: str, version: str | None, device: str
) -> dict[BackEnd, str | None]:
    """For each way to make room why it is not taken by default here; None where it may be.

    A setting may overrule what is said of the machine, but not what ``impossible`` says.
    """
    return {
        each: impossible(each, engine, version, device) or _unsafe(each, machine)
        for each in BackEnd
    }


def _unsafe(back_end: BackEnd, machine: Machine) -> str | None:
    if back_end is BackEnd.COLD or machine.sleep_mode_safe:
        return None
    if machine.sleep_mode_safe is None:
        return f"Whether sleep mode is safe on {machine.title} is not known."
    return (
        f"Sleep mode is not safe on {machine.title}: waking with a large KV cache ended the "
        f"engine or hung the machine (vllm issue 50011).{_IN_VAIN if machine.unified else ''}"
    )


_IN_VAIN = " Level 1 would free the KV cache alone, as weights sleep in the same memory."
