"""A plan as the stable JSON document of `sparkwell plan --json`."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from sparkwell.planner.memory import Memory
from sparkwell.planner.plan import Plan
from sparkwell.planner.speed import Speed
from sparkwell.planner.startup import Startup
from sparkwell.planner.trouble import Advice

Json = dict[str, Any]


def contract(plan: Plan, guide: Iterable[Mapping[str, Any]] = ()) -> Json:
    """The document; sizes in bytes, times in seconds, None where something is unknown.

    ``guide`` are the checked claims of the guides about this model.
    """
    q = plan.question
    return {
        "model": q.described.name,
        "repo": q.described.repo,
        "hardware": q.machine.name,
        "engine": {
            "name": q.rules.engine,
            "version": q.rules.version,
            "measured": q.rules.measured,
            "rules": q.rules.source,
        },
        "flags": dict(q.flags),
        "fits": plan.fits,
        "basis": q.basis,
        "memory": _memory(plan.memory),
        "speed": _speed(plan.speed),
        "startup": _startup(plan.startup),
        "guide": [dict(claim) for claim in guide],
        "problems": [_advice(each) for each in plan.problems],
        "warnings": [_advice(each) for each in plan.warnings],
        "corrections": list(q.corrections),
        "reasons": dict(q.reasons),
        "tuned": None if q.tuned is None else q.tuned.model_dump(mode="json"),
        "notes": list(q.described.notes),
    }


def _memory(memory: Memory) -> Json:
    parts = memory.parts
    return {
        "total_bytes": memory.total,
        "budget_bytes": memory.budget,
        "weights_bytes": memory.weights,
        "overhead_bytes": memory.overhead,
        "kv_cache_bytes": max(0, memory.kv_cache),
        "kv_bytes_per_token": memory.kv_per_token,
        "kv_cache_tokens": memory.kv_tokens,
        "max_model_len": memory.context,
        "max_concurrency": round(memory.max_concurrency, 2),
        "headroom_bytes": memory.headroom,
        "held_bytes": memory.held,
        "outside_bytes": memory.outside,
        "sleep_bytes": memory.sleep,
        "missing_bytes": max(0, -memory.kv_cache),
        "gpus": memory.of_gpus,
        "overhead": None if parts is None else asdict(parts),
    }


def _speed(speed: Speed | None) -> Json | None:
    if speed is None:
        return None
    return {
        "roofline_tokens_per_s": round(speed.roofline_tokens_per_s, 2),
        "single_tokens_per_s": round(speed.single_tokens_per_s, 2),
        "fraction_of_limit": round(speed.fraction_of_limit, 3),
        "bound": speed.bound,
        "ttft_s": round(speed.ttft_s, 3),
        "prompt_tokens": speed.prompt_tokens,
        "prefill_tokens_per_s": round(speed.prefill_tokens_per_s, 1),
        "context": speed.context,
        "efficiency": asdict(speed.efficiency),
        "batched": [
            {
                "concurrency": each.concurrency,
                "context": each.context,
                "tokens_per_s": round(each.tokens_per_s, 1),
                "limit_tokens_per_s": round(each.limit_tokens_per_s, 1),
                "bound": each.bound,
            }
            for each in speed.batched
        ],
    }


def _startup(startup: Startup) -> Json:
    return asdict(startup)


def _advice(advice: Advice) -> Json:
    return {"id": advice.id, "message": advice.message, "remedy": advice.remedy}
