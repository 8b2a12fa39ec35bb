"""How a model makes room for another on this machine: by its end, or by vLLM's sleep mode."""

from collections.abc import Callable, Mapping

from sparkwell.app.launching.ways import Way
from sparkwell.catalog import Recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import ConflictError
from sparkwell.core.units import GIB
from sparkwell.engines.vllm.sleep import (
    ENVIRONMENT,
    FLAGS,
    BackEnd,
    allowed_back_ends,
    asleep_host_bytes,
    impossible,
)
from sparkwell.hardware.detect import MEMINFO, SystemProbe
from sparkwell.hardware.machine import Machine
from sparkwell.hardware.parse import parse_meminfo

HOST_KEPT_BYTES = 8 * GIB
"""What of the host's memory no sleeping weights get: as much as the memory guard keeps free."""


def host_total_bytes() -> int | None:
    """The host's memory; None where that cannot be told."""
    return parse_meminfo(SystemProbe().text(MEMINFO)).total_bytes


def choose_back_end(
    wanted: str,
    recipe: Recipe,
    way: Way,
    machine: Callable[[], Machine],
    host_bytes: Callable[[], int | None] | None = None,
) -> BackEnd:
    """What the setting asks for; for ``auto`` the fastest that is safe here.

    ``machine`` is looked at only where it matters, and so is ``host_bytes``: the whole memory of
    the host, its own where nothing is given. Raises ConflictError for a setting that this engine
    or this host cannot follow.
    """
    host_bytes = host_bytes or host_total_bytes
    if wanted == "auto":
        return _safest_fast(recipe, way, machine, host_bytes)
    chosen = BackEnd(wanted)
    if why_not := impossible(chosen, "vllm", way.version, way.device):
        raise ConflictError(
            f"{recipe.name} cannot make room by {wanted}: {why_not}",
            hint="Set back_end to auto or cold in sparkwell.yaml.",
        )
    if chosen is BackEnd.SLEEP_1 and (short := _short_of_host(recipe, machine, host_bytes)):
        raise ConflictError(
            f"{recipe.name} cannot make room by {wanted}: {short}",
            hint="Set back_end to sleep-2, auto or cold in sparkwell.yaml.",
        )
    return chosen


def sleep_flags(back_end: BackEnd) -> Mapping[str, FlagValue]:
    """The engine's flags that a back-end needs."""
    return {} if back_end is BackEnd.COLD else FLAGS


def sleep_environment(back_end: BackEnd) -> Mapping[str, str]:
    """The engine's environment variables that a back-end needs."""
    return {} if back_end is BackEnd.COLD else ENVIRONMENT


def _safest_fast(
    recipe: Recipe,
    way: Way,
    machine: Callable[[], Machine],
    host_bytes: Callable[[], int | None],
) -> BackEnd:
    """Level 1 woke fastest where it was measured, then level 2 (docs/switching-back-ends.md).

    Not in a container: the routes that sleep needs come with others of vLLM's developers, and a
    container's port can be reached by everybody on this machine.
    """
    if way.environment is None or way.device == "cpu":
        return BackEnd.COLD
    allowed = allowed_back_ends(machine(), "vllm", way.version, way.device)
    if allowed[BackEnd.SLEEP_1] is None and not _short_of_host(recipe, machine, host_bytes):
        return BackEnd.SLEEP_1
    return BackEnd.SLEEP_2 if allowed[BackEnd.SLEEP_2] is None else BackEnd.COLD


def _short_of_host(
    recipe: Recipe, machine: Callable[[], Machine], host_bytes: Callable[[], int | None]
) -> str | None:
    """Why the weights cannot sleep in the host's memory, by its size; None where they can.

    Unified memory is the planner's: there they take from the engines' own.
    """
    needed = asleep_host_bytes(BackEnd.SLEEP_1, recipe.weights_bytes, unified=False)
    total = host_bytes()
    if needed is None or total is None or needed <= total - HOST_KEPT_BYTES:
        return None
    if machine().unified:
        return None
    return (
        f"its weights would take up to {needed / GIB:.1f} GiB of the host's memory, which has "
        f"{total / GIB:.1f} GiB; {HOST_KEPT_BYTES / GIB:.0f} GiB of it are kept for all else."
    )
