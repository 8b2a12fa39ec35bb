"""Flags that somebody uses, as a profile and what differs from it."""

from collections.abc import Mapping
from dataclasses import dataclass

from sparkwell.catalog import Recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.engines.vllm.history import default, history
from sparkwell.planner.profiles import COMPUTED

Flags = Mapping[str, FlagValue]
# Where the weights lie in the container is the mount's business.
_PLACES = ("download_dir",)


@dataclass(frozen=True, slots=True)
class Overrides:
    """The profile (None: the default one), and the flags that differ from it.

    ``absent`` are flags that the profile sets, the given ones do not, and nobody can unset.
    """

    profile: str | None
    flags: dict[str, FlagValue]
    absent: tuple[str, ...] = ()


def overrides(recipe: Recipe, flags: Flags, version: str | None) -> Overrides:
    """The shortest settings that start the recipe with these flags.

    The guide is the base where the flags set all the figures that it does.
    """
    alone = _alone(recipe, flags)
    guide = recipe.guide.flags if recipe.guide else {}
    base = {name: value for name, value in guide.items() if name not in _PLACES}
    missing = [name for name in base if name not in flags]
    if not base or any(base[name] is not True for name in missing):
        return alone
    on = _on(base, flags, missing, version)
    return on if len(on.flags) <= len(alone.flags) else alone


def _alone(recipe: Recipe, flags: Flags) -> Overrides:
    """Without the guide: what a profile would compute anew, and what the recipe has differently."""
    own = recipe.serve.flags
    kept = {
        name: value for name, value in flags.items() if name in COMPUTED or own.get(name) != value
    }
    return Overrides(None, kept)


def _on(base: Flags, flags: Flags, missing: list[str], version: str | None) -> Overrides:
    """On the guide's flags. A switch that is missing is off where that is vLLM's default."""
    off = [name for name in missing if _is_off(name, version)]
    differ = {
        name: value
        for name, value in flags.items()
        if base.get(name) != value and not (name not in base and _is_default(name, value, version))
    }
    return Overrides(
        profile="guide",
        flags={**differ, **dict.fromkeys(off, False)},
        absent=tuple(name for name in missing if name not in off),
    )


def _is_default(name: str, value: FlagValue, version: str | None) -> bool:
    """Whether vLLM does this where nobody says so, which the guide's flags then leave to it."""
    found = default(name, version) if version else None
    return found is not None and found.value == value


def _is_off(name: str, version: str | None) -> bool:
    """Whether vLLM leaves it off where nobody says so; in the newest version if it is unknown."""
    found = default(name, version or str(history().versions[-1]))
    return found is not None and found.value is False
