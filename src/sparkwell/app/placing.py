"""Several models on one machine at once: what `plan A --beside B` asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sparkwell.app.planning import Planning, Wish
from sparkwell.catalog.local import describe_gguf
from sparkwell.core.errors import UsageError
from sparkwell.drivers.ollama_store import find_gguf
from sparkwell.engines.vllm import rules_for
from sparkwell.hardware.quantities import size as bytes_of
from sparkwell.planner.placement import Engine, Fixed, Placement, ollama, place

OLLAMA = "ollama/"
NUM_CTX = 32_768


def place_models(
    planning: Planning, names: Sequence[str], wish: Wish, environ: Mapping[str, str]
) -> Placement:
    """Plan all of them on the wish's machine; the flags of the wish are the first one's."""
    wishes = [
        _ollama(name, environ)
        if name.startswith(OLLAMA)
        else _engine(planning, name, wish if number == 0 else replace(wish, flags={}))
        for number, name in enumerate(names)
    ]
    return place(wishes, planning.machine(wish.hardware))


def _engine(planning: Planning, name: str, wish: Wish) -> Engine:
    """Its profile's flags without the share, which the others decide."""
    target = planning.target(name)
    chosen, _, version = planning.choice(target, wish)
    own = wish.flags or {}
    flags = {
        key: value
        for key, value in chosen.flags.items()
        if key != "gpu_memory_utilization" or key in own
    }
    return Engine(target.described.name, target.described, rules_for(version), flags)


def _ollama(name: str, environ: Mapping[str, str]) -> Fixed:
    """``ollama/NAME`` by its GGUF file here, or ``ollama/NAME=SIZE`` by what it is said to take."""
    model, given, size = name.partition("=")
    if given:
        try:
            return Fixed(model, int(str(bytes_of(size))))
        except ValueError:
            raise UsageError(
                f"--beside {name}: {size!r} is no size.", hint="Write it as 20GiB or 21.5GB."
            ) from None
    file: Path = find_gguf(model.removeprefix(OLLAMA), environ)
    described = describe_gguf(file)
    return ollama(model, described, min(NUM_CTX, described.shape.max_position_embeddings))
