"""Puts a question to the planner: which model, on which machine, with which engine and flags."""

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from sparkwell.app.paths import Paths
from sparkwell.app.planning.calibration import NOTHING, Known, calibration
from sparkwell.app.planning.overlays import Overlays
from sparkwell.app.planning.targets import Target, default_version, is_path, siblings_of
from sparkwell.catalog import Catalog, Recipe
from sparkwell.catalog.described import Described, describe_recipe
from sparkwell.catalog.ollama import is_ollama, parse_ollama
from sparkwell.catalog.recipe import FlagValue
from sparkwell.catalog.tuned import Tuned, goal_of
from sparkwell.core.errors import UsageError
from sparkwell.core.launch import LaunchSpec
from sparkwell.core.phases import Phase
from sparkwell.engines.vllm import check_flags, doubtful, read_flag, rules_for
from sparkwell.hardware.description import find_machine, machine_names
from sparkwell.hardware.machine import Device, Machine
from sparkwell.planner.engine_rules import EngineRules
from sparkwell.planner.fit import Case, Flags
from sparkwell.planner.pace import AS_MODELLED, Pace
from sparkwell.planner.plan import Plan, make_plan
from sparkwell.planner.profile_names import DEFAULT
from sparkwell.planner.profiles import Choice, choose
from sparkwell.planner.question import Question
from sparkwell.planner.settings import resolve
from sparkwell.planner.startup import estimate_startup

__all__ = ["Planning", "Target", "Wish", "default_version", "parse_flags"]
HUB = "hf:"


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asked for: each None means that Sparkwell chooses.

    ``hardware`` is a name or a file, ``version`` of vLLM, ``flags`` win over the profile's.
    ``beside_bytes`` is what other engines hold, ``sleep_level`` the level at which one with sleep
    mode will sleep, None where nobody has said.
    """

    hardware: str | None = None
    version: str | None = None
    profile: str | None = None
    flags: Mapping[str, FlagValue] | None = None
    beside_bytes: int = 0
    sleep_level: int | None = None


class Planning:
    """Plans for this host: its catalog, its machine, what it has seen."""

    def __init__(
        self,
        paths: Paths,
        catalog: Catalog,
        environ: Mapping[str, str] | None = None,
        model_folders: Sequence[str] = (),
    ) -> None:
        self._paths = paths
        self.overlays = Overlays(paths.tuned)
        self._model_folders = model_folders
        self._catalog = catalog
        self._environ = dict(os.environ if environ is None else environ)

    @cached_property
    def here(self) -> Machine:
        """This machine."""
        from sparkwell.hardware.detect import detect

        return detect()

    def target(self, name: str) -> Target:
        """The model of a recipe's name, ``./folder``, ``file.gguf``, ``hf:`` or ``ollama/NAME``."""
        if name.startswith(HUB):
            from sparkwell.drivers.hub_metadata import describe_hub

            return Target(describe_hub(name.removeprefix(HUB)))
        if is_ollama(name):
            from sparkwell.drivers.ollama_store import describe_stored

            return Target(describe_stored(parse_ollama(name), self._environ))
        if is_path(name):
            from sparkwell.catalog.local import describe_path

            return Target(describe_path(Path(name).expanduser()))
        recipe = self._catalog.get(name)
        return Target(describe_recipe(recipe), recipe)

    def machine(self, hardware: str | None) -> Machine:
        """The described machine of that name or file; this one where it is None."""
        return self.here if hardware is None else find_machine(hardware)

    def choice(
        self, target: Target, wish: Wish, known: Known = NOTHING, flags: Flags | None = None
    ) -> tuple[Choice, Machine, str]:
        """The flags of the wish's profile, with the machine and the engine's version.

        ``known`` is what starts with ``flags`` took here.
        """
        machine = self.machine(wish.hardware)
        given = wish.version
        version = default_version(target.recipe, machine) if given is None else given
        overrides = check_flags(wish.flags or {}, version=version)
        case = Case(
            target.described,
            machine,
            rules_for(version),
            wish.beside_bytes,
            known.calibration,
            flags,
            wish.sleep_level,
        )
        chosen = choose(
            wish.profile or DEFAULT,
            case,
            guide_flags=target.guide_flags,
            tuned=self.tuned(target, wish.profile, machine, version),
            base=_own_flags(target.recipe, version),
            overrides=overrides,
            siblings=self.siblings(target.described),
            with_guide=[each.name for each in self._catalog if each.guide],
        )
        return chosen, machine, version

    def question(self, target: Target, wish: Wish) -> Question:
        """Everything that a plan needs to know."""
        chosen, machine, version = self.choice(target, wish)
        rules = rules_for(version)
        known = self._known(target, machine, rules, chosen.flags)
        if known.calibration is not None:  # what was seen here may leave room for other flags
            chosen, _, _ = self.choice(target, wish, known, chosen.flags)
            known = self._known(target, machine, rules, chosen.flags)
        return Question(
            described=target.described,
            machine=machine,
            rules=rules,
            flags=chosen.flags,
            calibration=known.calibration,
            basis=known.basis,
            history=self._history(target, version, wish),
            present_bytes=self._present_bytes(target, wish),
            reasons=chosen.reasons,
            corrections=(*chosen.corrections, *doubtful(chosen.flags, version)),
            tuned=chosen.tuned,
            beside_bytes=wish.beside_bytes,
            siblings=self.siblings(target.described),
            others=tuple(find_machine(name) for name in machine_names()),
            sleep_level=wish.sleep_level,
            pace=self._pace(target, machine, version, wish, chosen.flags),
        )

    def tuned(
        self, target: Target, profile: str | None, machine: Machine, version: str
    ) -> Tuned | None:
        """The overlay of such a profile, its flags checked; None for any other profile.

        Raises UsageError where there is none for just this model, machine and version.
        """
        goal = goal_of(profile)
        if goal is None:
            return None
        if target.recipe is None:
            raise UsageError(
                f"{target.described.name} is no model of the catalog, and only those are tuned.",
                hint="`sparkwell models` lists them; docs/recipes.md says how to add one.",
            )
        found = self.overlays.get(target.recipe.name, goal, machine, version)
        where = f"overlay {found.profile} of {found.recipe}"
        flags = check_flags(found.flags, where=where, version=version)
        return found.model_copy(update={"flags": flags})

    def _pace(
        self, target: Target, machine: Machine, version: str, wish: Wish, flags: Flags
    ) -> Pace:
        """What `sparkwell bench` measured here with such flags; as modelled on another machine."""
        if target.recipe is None or wish.hardware is not None:
            return AS_MODELLED
        from sparkwell.bench.measured_pace import pace
        from sparkwell.store.benchmarks import of_model

        runs = of_model(self._paths.benchmarks, target.recipe.name)
        return pace(runs, machine, version, flags)

    def _known(self, target: Target, machine: Machine, rules: EngineRules, flags: Flags) -> Known:
        settings = resolve(flags, target.described, machine, rules)
        return calibration(self._paths, target.described, machine, rules, settings, flags)

    def _history(self, target: Target, version: str, wish: Wish) -> Mapping[Phase, float] | None:
        """Seconds by phase that starts on this machine took; None for another machine."""
        if target.recipe is None or wish.hardware is not None:
            return None
        from sparkwell.store import History
        from sparkwell.store.database import reading

        try:
            with reading(self._paths.store) as database:
                if database is None:
                    return None
                return History(database).expected(target.recipe.name, "vllm", version) or None
        except sqlite3.Error:  # locked or broken: `sparkwell serve` says so
            return None

    def _present_bytes(self, target: Target, wish: Wish) -> int:
        """What of the model is on this machine already, in bytes: all of it or, as known, none."""
        described = target.described
        if described.repo is None or wish.hardware is not None:
            return 0
        from sparkwell.drivers.hub import cache_folders, find_checkpoint

        folders = cache_folders(self._environ, self._model_folders)
        found = find_checkpoint(described.repo, folders, described.revision)
        return described.weights_bytes if found else 0

    def first_start(self, recipe: Recipe, spec: LaunchSpec) -> dict[Phase, float]:
        """Seconds by phase of a start on this machine, before it has a history of its own."""
        device: Device = "cpu" if spec.labels.get("device") == "cpu" else "cuda"
        eager = json.loads(spec.labels.get("flags", "{}")).get("enforce_eager") is True
        machine = replace(self.here, device=device)
        startup = estimate_startup(describe_recipe(recipe), machine, eager=eager)
        pulled = [phase for phase in startup.phases if phase.name != Phase.DOWNLOAD]
        return {phase.name: phase.cold_s for phase in pulled if phase.cold_s is not None}

    def plan(self, name: str, wish: Wish) -> Plan:
        """Plan a model by its name. Raises SparkwellError for what cannot be planned."""
        return make_plan(self.question(self.target(name), wish))

    def siblings(self, described: Described) -> dict[str, str]:
        """Repositories of the catalog that have the same model, by format ("bf16", "awq")."""
        return siblings_of(described, self._catalog)


def parse_flags(texts: Sequence[str]) -> dict[str, FlagValue]:
    """The flags of ``--set NAME=VALUE``, not checked; raises UsageError for one given twice."""
    flags: dict[str, FlagValue] = {}
    for text in texts:
        name, value = read_flag(text)
        if name in flags and flags[name] != value:
            raise UsageError(f"--set gives {name} twice: {flags[name]} and {value}.")
        flags[name] = value
    return flags


def _own_flags(recipe: Recipe | None, version: str) -> dict[str, FlagValue]:
    """The recipe's flags, checked; a profile computes some of them anew."""
    if recipe is None:
        return {}
    return check_flags(recipe.serve.flags, where=f"recipe {recipe.name}", version=version)
