"""Several models on one machine at once: what `plan A --beside B` asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sparkwell.app.budget import BUDGET, reserved_bytes
from sparkwell.app.ollama.flags import wanted_context
from sparkwell.app.planning.own_plans import as_started
from sparkwell.app.planning.planning import Planning, Wish
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import Settings
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
    models: ModelService | None = None,
) -> Placement:
    """Plan all of them on the wish's machine; the flags of the wish are the first one's.

    With ``models`` each is planned as a start on this machine would be, and within the budget of
    its settings; a described machine has none.
    """
    flags = [(wish.flags or {}) if number == 0 else {} for number in range(len(names))]
    wishes = [
        _ollama(name, settings, environ, own)
        if is_ollama(name)
        else _engine(planning, name, replace(wish, flags=own), models)
        for name, own in zip(names, flags, strict=True)
    ]
    machine = planning.machine(wish.hardware)
    kept = reserved_bytes(settings, machine) if models and wish.hardware is None else 0
    placement = place([*wishes, *([Fixed(BUDGET, kept)] if kept else [])], machine)
    others = tuple(entry for entry in placement.entries if entry.name != BUDGET)
    return replace(placement, entries=others, free_bytes=placement.free_bytes - kept)


def _engine(planning: Planning, name: str, wish: Wish, models: ModelService | None) -> Engine:
    """Its profile's flags without the share, which the others decide."""
    target = planning.target(name)
    wish = as_started(models, target, wish) if models else wish
    chosen, _, version = planning.choice(target, wish)
    own = wish.flags or {}
    flags = {
        key: value
        for key, value in chosen.flags.items()
        if key != "gpu_memory_utilization" or key in own
    }
    rules = rules_for(version)
    return Engine(target.described.name, target.described, rules, flags, wish.sleep_level)


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
