"""Sparkwell's own figure for each kind of claim in the guides, computed for a DGX Spark."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sparkwell.app.planning.planning import Planning
from sparkwell.app.planning.targets import default_version
from sparkwell.catalog.recipe import FlagValue, Recipe
from sparkwell.core.phases import Phase
from sparkwell.core.units import GB, GIB
from sparkwell.engines.vllm import history, rules_for
from sparkwell.hardware.machine import Machine
from sparkwell.planner import kv
from sparkwell.planner.plan import Plan, make_plan
from sparkwell.planner.question import Question
from sparkwell.planner.settings import CACHE_BYTES
from sparkwell.planner.speed import Speed, estimate_speed, served_model

SPARK = "dgx-spark"
GUIDE = "guide"
Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Figures:
    """Computes figures by name; None where it is not known."""

    planning: Planning
    _plans: dict[str, Plan] = field(default_factory=dict)

    def value(self, figure: str, arguments: Arguments) -> float | None:
        """The figure in its own unit; raises KeyError for one that there is not."""
        return _FIGURES[figure](self, arguments)

    @property
    def machine(self) -> Machine:
        """What the guides are about."""
        return self.planning.machine(SPARK)

    def plan(self, arguments: Arguments) -> Plan:
        """The plan of a claim: the guide's flags with those that the claim names. Each once."""
        keys = ("recipe", "engine_version", "flags")
        key = json.dumps([arguments.get(name) for name in keys], sort_keys=True)
        if key not in self._plans:
            self._plans[key] = self._planned(arguments)
        return self._plans[key]

    def _planned(self, arguments: Arguments) -> Plan:
        target = self.planning.target(arguments["recipe"])
        version = arguments.get("engine_version") or default_version(target.recipe, self.machine)
        question = Question(
            described=target.described,
            machine=self.machine,
            rules=rules_for(version),
            flags=_flags(target.recipe, arguments.get("flags", GUIDE)),
        )
        return make_plan(question)

    def speed(self, arguments: Arguments, **changes: int) -> Speed:
        """The speed of a claim's plan, at the context and concurrency that it names."""
        plan = self.plan(arguments)
        context = int(arguments.get("context") or arguments.get("prompt_tokens") or 512)
        wanted: dict[str, Any] = {
            "context": context,
            "prompt_tokens": int(arguments.get("prompt_tokens") or min(context, 512)),
            "max_num_seqs": max(plan.settings.max_num_seqs, int(arguments.get("concurrency", 1))),
        }
        asked = plan.question
        model = served_model(asked.described, asked.machine, asked.flags, plan.settings)
        if model is None:
            raise ValueError(f"no bandwidth for {self.machine.name}")
        return estimate_speed(
            model,
            kv_cache_tokens=plan.memory.kv_tokens,
            max_num_batched_tokens=plan.settings.max_num_batched_tokens,
            **{**wanted, **changes},
        )


def _flags(recipe: Recipe | None, given: str | Mapping[str, FlagValue]) -> dict[str, FlagValue]:
    guide = recipe.guide.flags if recipe and recipe.guide else {}
    base = guide or (recipe.serve.flags if recipe else {})
    return dict(base) if given == GUIDE or isinstance(given, str) else {**base, **given}


def _described(figures: Figures, arguments: Arguments) -> Any:
    return figures.planning.target(arguments["recipe"]).described


def _width(arguments: Arguments) -> int:
    return CACHE_BYTES["fp8" if arguments.get("kv_dtype") == "fp8" else "bf16"]


def _sequence(figures: Figures, arguments: Arguments) -> int:
    shape = _described(figures, arguments).shape
    return kv.sequence_bytes(shape, _width(arguments), int(arguments["tokens"]))


def _batched(figures: Figures, arguments: Arguments) -> float | None:
    concurrency = int(arguments["concurrency"])
    entries = figures.speed(arguments, max_num_seqs=concurrency).batched
    return next((each.tokens_per_s for each in entries if each.concurrency == concurrency), None)


def _fits_contexts(figures: Figures, arguments: Arguments) -> float:
    """Whether so many sequences of a context fit at once."""
    flags = {"max_model_len": int(arguments["context"])}
    if arguments.get("kv_dtype") == "fp8":
        flags["kv_cache_dtype"] = "fp8"  # type: ignore[assignment]
    given = arguments.get("flags")
    more = given if isinstance(given, Mapping) else {}
    plan = figures.plan({**arguments, "flags": {**flags, **more}})
    return float(plan.memory.max_concurrency >= int(arguments["sequences"]))


def _phase(figures: Figures, arguments: Arguments, name: Phase) -> float | None:
    phases = figures.plan(arguments).startup.phases
    return next((each.cold_s for each in phases if each.name == name), None)


def _default(_: Figures, arguments: Arguments) -> float | None:
    if arguments["flag"] == "block_size":  # not set: the platform's
        return rules_for(arguments["engine_version"]).block_tokens
    found = history.default(arguments["flag"], arguments["engine_version"])
    value = found.value if found else None
    return float(value) if isinstance(value, int | float) else None


def _exists(_: Figures, arguments: Arguments) -> float | None:
    there = history.exists(arguments["flag"], arguments["engine_version"])
    return None if there is None else float(there)


def _share(figures: Figures, arguments: Arguments) -> float:
    return figures.machine.total_for("0.10.1.1") * float(arguments["utilization"])


def _left(figures: Figures, arguments: Arguments) -> float:
    return figures.machine.total_for("0.10.1.1") - _share(figures, arguments)


def _engine_total(plan: Plan) -> int:
    return plan.memory.weights + plan.memory.overhead + plan.memory.kv_cache


Figure = Callable[[Figures, Arguments], float | None]
_FIGURES: dict[str, Figure] = {
    "weights_gb": lambda f, a: _described(f, a).weights_bytes / GB,
    "weights_gib": lambda f, a: _described(f, a).weights_bytes / GIB,
    "download_gb": lambda f, a: _described(f, a).weights_bytes / GB,
    "parameters": lambda f, a: _described(f, a).shape.total_parameters,
    "active_parameters": lambda f, a: _described(f, a).shape.active_parameters,
    "native_context": lambda f, a: _described(f, a).shape.native_context,
    "extended_context": lambda f, a: _described(f, a).shape.extended_context,
    "kv_bytes_per_token": lambda f, a: kv.bytes_per_token(_described(f, a).shape, _width(a)),
    "kv_gib": lambda f, a: _sequence(f, a) / GIB,
    "kv_gb": lambda f, a: _sequence(f, a) / GB,
    "kv_cache_tokens": lambda f, a: f.plan(a).memory.kv_tokens,
    "kv_cache_gib": lambda f, a: f.plan(a).memory.kv_cache / GIB,
    "kv_cache_gb": lambda f, a: f.plan(a).memory.kv_cache / GB,
    "engine_total_gb": lambda f, a: _engine_total(f.plan(a)) / GB,
    "engine_total_gib": lambda f, a: _engine_total(f.plan(a)) / GIB,
    "overhead_gib": lambda f, a: f.plan(a).memory.overhead / GIB,
    "max_concurrency": lambda f, a: f.plan(a).memory.max_concurrency,
    "fits": lambda f, a: float(f.plan(a).fits),
    "fits_contexts": _fits_contexts,
    "single_tokens_per_s": lambda f, a: f.speed(a).single_tokens_per_s,
    "roofline_tokens_per_s": lambda f, a: f.speed(a).roofline_tokens_per_s,
    "prefill_tokens_per_s": lambda f, a: f.speed(a).prefill_tokens_per_s,
    "ttft_s": lambda f, a: f.speed(a).ttft_s,
    "batched_tokens_per_s": _batched,
    "load_s": lambda f, a: _phase(f, a, Phase.WEIGHTS),
    "cold_s": lambda f, a: f.plan(a).startup.cold_s,
    "warm_s": lambda f, a: f.plan(a).startup.warm_s,
    "flag_default": _default,
    "flag_exists": _exists,
    "utilization_gib": lambda f, a: _share(f, a) / GIB,
    "utilization_gb": lambda f, a: _share(f, a) / GB,
    "left_gib": lambda f, a: _left(f, a) / GIB,
    "left_gb": lambda f, a: _left(f, a) / GB,
}


def known_figures() -> frozenset[str]:
    """The figures that a claim may ask for."""
    return frozenset(_FIGURES)
