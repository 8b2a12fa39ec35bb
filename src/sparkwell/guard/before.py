"""Before a start: refuse what would go under the floor; drop the page cache. For the daemon.

The guard's own program does not load this.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from .rules import gib

DROP_CACHES = Path("/proc/sys/vm/drop_caches")
# The page cache and what is left of closed files. cudaMemGetInfo on a GB10 counts both as used.
EVERYTHING = "3"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a start is refused. ``short_bytes`` is how much more would have to be available."""

    message: str
    hint: str
    short_bytes: int


def refusal(available_bytes: int, needed_bytes: int, floor_bytes: int) -> Refusal | None:
    """Refuse a start that would leave less than the floor; None when there is room. Pure.

    ``needed_bytes`` is what the start takes at its peak, from the plan.
    """
    short = needed_bytes + floor_bytes - available_bytes
    if short <= 0:
        return None
    left = available_bytes - needed_bytes
    outcome = f"would leave {gib(left)}" if left >= 0 else f"lacks {gib(-left)}"
    return Refusal(
        f"{gib(available_bytes)} are available and the start needs {gib(needed_bytes)}: that "
        f"{outcome}, and the memory guard keeps {gib(floor_bytes)} free.",
        f"Make {gib(short)} available: stop another model, end another program, or start this "
        "one with a shorter context or a smaller share of memory.",
        short,
    )


def drop_page_cache(path: Path = DROP_CACHES) -> bool:
    """Give back what is only cached; False where that is not permitted. Never raises.

    Written pages first go to the disk (sync), which takes as long as the disk takes: call it
    in a thread.
    """
    if not os.access(path, os.W_OK):
        return False
    os.sync()
    try:
        path.write_text(EVERYTHING, encoding="ascii")
    except OSError:
        return False
    return True
