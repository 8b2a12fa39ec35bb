"""Several models on one machine at once: what `plan A --beside B` asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sparkwell.app.config import Settings
from sparkwell.app.ollama_flags import wanted_context
from sparkwell.app.planning import Planning, Wish
from sparkwell.catalog.ollama import is_ollama
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import EnvironmentFault
from sparkwell.drivers.ollama.plan import Kept, plan_from_file
from sparkwell.engines.ollama import split_size
from sparkwell.engines.vllm import rules_for
from sparkwell.planner.placement import Engine, Fixed, Placement, place


def place_models(
    planning: Planning,
    names: Sequence[str],
    wish: Wish,
    settings: Settings,
    environ: Mapping[str, str],
) -> Placement:
    """Plan all of them on the wish's machine; the flags of the wish are the first one's."""
    flags = [(wish.flags or {}) if number == 0 else {} for number in range(len(names))]
    wishes = [
        _ollama(name, settings, environ, own)
        if is_ollama(name)
        else _engine(planning, name, replace(wish, flags=own))
        for name, own in zip(names, flags, strict=True)
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


def _ollama(
    name: str, settings: Settings, environ: Mapping[str, str], flags: Mapping[str, FlagValue]
) -> Fixed:
    """By its file here, or by the size in its name: the same sum as a start's."""
    model = str(split_size(name)[0])
    kept = Kept(environ, (settings.folders.ollama,))
    plan = plan_from_file(name, kept, wanted_context(model, settings, flags))
    if plan.held_bytes is None:
        raise EnvironmentFault(
            f"Nobody here can tell what {model} takes.", hint=f"Say it: {model}=20GiB."
        )
    return Fixed(model, plan.held_bytes)
