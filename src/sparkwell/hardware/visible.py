"""Which GPUs this user wants Sparkwell to see: CUDA_VISIBLE_DEVICES, as CUDA takes it. Pure.

The engines inherit the variable. A plan for GPUs that an engine then does not see would be wrong.
"""

from collections.abc import Mapping, Sequence

VARIABLE, ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"
BY_BUS = "PCI_BUS_ID"
"""NVML's own order, so that a number names the same GPU here and in an engine."""


def visible(chosen: str | None, uuids: Sequence[str | None]) -> list[int]:
    """Places of the GPUs, of which NVML names ``uuids`` in its order; all where nothing is chosen.

    CUDA reads numbers and UUIDs (or how those begin) up to the first that there is not. Parts of a
    GPU (``MIG-…``) are not told apart here: then all are visible.
    """
    everyone = list(range(len(uuids)))
    words = None if chosen is None else [word.strip() for word in chosen.split(",")]
    if words is None or any(word.startswith("MIG-") for word in words):
        return everyone
    found: list[int] = []
    for word in words:
        place = _place(word, uuids)
        if place is None or place in found:
            break
        found.append(place)
    return found


def _place(word: str, uuids: Sequence[str | None]) -> int | None:
    if word.isdecimal():
        return int(word) if int(word) < len(uuids) else None
    fitting = [at for at, uuid in enumerate(uuids) if word and (uuid or "").startswith(word)]
    return fitting[0] if len(fitting) == 1 else None


def choice(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that make an engine see the same GPUs; none where nothing is chosen."""
    if VARIABLE not in environ:
        return {}
    return {VARIABLE: environ[VARIABLE], ORDER: BY_BUS}
