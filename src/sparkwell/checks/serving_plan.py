"""A plan's figures for what runs in a window, and those of the same start with a flag changed."""

from collections.abc import Mapping
from dataclasses import replace

from sparkwell.checks.serving_changes import changes
from sparkwell.checks.serving_parts import PlanChange, Planned, Serving, Window
from sparkwell.core.errors import UsageError
from sparkwell.planner.plan import CONTEXT_IN_USE, Plan, make_plan
from sparkwell.planner.prompts import first_token_s
from sparkwell.planner.question import Question
from sparkwell.planner.speed import fitting, served_model
from sparkwell.planner.steps import Model, decode_s


def planned_of(plan: Plan, window: Window) -> Planned:
    """What the plan says of the window's requests.

    They have the window's mean prompt in their cache, and as many run as asked at once: those
    that ran and those that waited, no more than the flags and the KV cache let run.
    """
    memory, speed = plan.memory, plan.speed
    figures = Planned(
        kv_cache_tokens=memory.kv_tokens,
        max_concurrency=memory.max_concurrency,
        single_tokens_per_s=speed.single_tokens_per_s if speed else None,
        headroom_bytes=memory.headroom,
    )
    asked = plan.question
    model = served_model(asked.described, asked.machine, asked.flags, plan.settings)
    return figures if model is None else _with_speeds(figures, plan, model, window)


def what_if(question: Question, serving: Serving) -> dict[str, PlanChange]:
    """The plan of each change that a remedy may name; what cannot be planned is left out.

    ``question`` is the one that the start was planned with. Some milliseconds for each change.
    """
    planned: dict[str, PlanChange] = {}
    for name, change in changes(serving).items():
        asked = replace(question, flags={**question.flags, **change})
        try:
            plan = make_plan(asked)
        except UsageError:
            continue
        planned[name] = PlanChange(plan.fits, planned_of(plan, serving.window))
    return planned


def planned_serving(serving: Serving, question: Question, plan: Plan) -> Serving:
    """The same with the plan's figures, and those of its changes."""
    known = replace(serving, planned=planned_of(plan, serving.window))
    effects: Mapping[str, PlanChange] = what_if(question, known)
    return replace(known, what_if=effects)


def _with_speeds(figures: Planned, plan: Plan, model: Model, window: Window) -> Planned:
    settings, prompt = plan.settings, round(window.prompt_tokens or 0)
    context = prompt or min(CONTEXT_IN_USE, settings.max_model_len)
    most = fitting(settings.max_num_seqs, plan.memory.kv_tokens, context)
    asked = round((window.running or 0.0) + (window.waiting or 0.0))
    together = max(1, min(asked, most))
    return replace(
        figures,
        tokens_per_s=together / decode_s(model, context, together) if asked else None,
        ttft_s=first_token_s(model, prompt, settings.max_num_batched_tokens) if prompt else None,
    )
