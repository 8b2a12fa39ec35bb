"""Memory: by the plan, by the engine's own check at its start, and at the low point."""

from collections.abc import Iterator
from math import floor

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.memory import host_about, page_cache, startup_check
from sparkwell.checks.diagnosis.memory.words import DROP, DROP_COMMAND, DROP_PAGE_CACHE, WHO
from sparkwell.checks.engines import how_to_end, returned_bytes, staying
from sparkwell.checks.model_parts import PlanSummary
from sparkwell.checks.say import gib, ok
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity
from sparkwell.planner.memory import CONTEXT_BYTES

__all__ = ["CHECKS", "DROP_COMMAND", "DROP_PAGE_CACHE"]
NO_FIT, STARTUP = "plan-does-not-fit", startup_check.ABOUT.id
PAGE_CACHE, HOST_LOW = page_cache.ABOUT.id, host_about.ABOUT.id
ABOUT = About(
    id=NO_FIT,
    title="The model does not fit on this machine, by the plan",
    severity=Severity.ERROR,
    symptoms=(
        "`sparkwell plan MODEL` says that it does not fit, and by how much.",
        "Started all the same, it ends in kv-cache-none, kv-cache-too-small or cuda-oom.",
    ),
    cause="Weights, activations, CUDA graphs and a KV cache for one request, together with what "
    "the system needs, are more than the machine has.",
    remedies=(
        Remedy("See the whole plan.", "sparkwell plan MODEL --explain"),
        Remedy("See which models fit.", "sparkwell recommend --need latency"),
    ),
    reference="docs/planning.md; how well plans are met: docs/accuracy.md",
)


def plan_does_not_fit(snapshot: Snapshot) -> Iterator[Finding]:
    """By the plan, the model fits on this machine."""
    plan, request = snapshot.plan, snapshot.request
    if plan is None or request is None:
        return
    held = f"{gib(plan.held_bytes)} of {gib(plan.total_bytes)} at its peak, {plan.basis}"
    if plan.fits:
        yield ok(NO_FIT, "The model fits, by the plan", held, *_low_point(plan))
        return
    remedies = [Remedy(each.remedy) for each in plan.problems if each.remedy]
    yield Finding(
        NO_FIT,
        Severity.ERROR,
        f"{request.model} does not fit on this machine, by the plan",
        evidence=(held, *dict.fromkeys(each.message for each in plan.problems)),
        remedies=(
            *remedies,
            Remedy("See the whole plan.", f"sparkwell plan {request.model} --explain"),
        ),
    )


def memory_startup_check(snapshot: Snapshot) -> Iterator[Finding]:
    """As much is free now, or can be, as the engine wants to find when it starts."""
    plan, free = snapshot.plan, _free_bytes(snapshot)
    if plan is None or plan.startup_bytes is None or free is None:
        return
    figures = f"{gib(free)} free, {gib(plan.startup_bytes)} wanted"
    if free >= plan.startup_bytes:
        yield ok(STARTUP, "The engine's own check at its start will pass", figures)
        return
    yield Finding(
        STARTUP,
        Severity.ERROR,
        "Less memory is free now than the engine wants to find when it starts",
        evidence=(figures, *_others(snapshot)),
        cause=startup_check.ABOUT.cause,
        remedies=(*_make_room(snapshot), *_smaller_share(snapshot, plan, free)),
    )


def page_cache_counted(snapshot: Snapshot) -> Iterator[Finding]:
    """Cached files do not make an old engine believe that memory is short."""
    plan, system, back = snapshot.plan, snapshot.system, returned_bytes(snapshot)
    if plan is None or system is None or back is None or not plan.counts_page_cache:
        return
    free, available = system.memory.free_bytes, system.memory.available_bytes
    wanted = plan.startup_bytes
    if free is None or available is None or wanted is None or available + back < wanted:
        return  # dropping it would not be enough: memory-startup-check says so
    figures = f"{gib(free)} free, {gib(available)} available, {gib(wanted)} wanted"
    if free + back >= wanted:
        yield ok(PAGE_CACHE, "The page cache leaves enough memory free", figures)
        return
    yield Finding(
        PAGE_CACHE,
        Severity.ERROR,
        "The page cache fills memory that this version of the engine wants to find free",
        evidence=(figures,),
        cause=page_cache.ABOUT.cause,
        remedies=(DROP,),
    )


def host_memory_low(snapshot: Snapshot) -> Iterator[Finding]:
    """What stays available at the engine's peak is more than the guard's floor."""
    plan, machine, system = snapshot.plan, snapshot.machine, snapshot.system
    back = returned_bytes(snapshot)
    if plan is None or machine is None or system is None or back is None or not machine.unified:
        return
    if system.memory.available_bytes is None:
        return
    left = system.memory.available_bytes + back - plan.held_bytes
    kept = f", {gib(plan.floor_bytes)} to stay free" if plan.floor_bytes else ""
    figures = (
        f"{gib(system.memory.available_bytes)} available now, {gib(plan.held_bytes)} for the engine"
        f" at its peak{kept}"
    )
    if left >= plan.floor_bytes:
        yield ok(HOST_LOW, f"{gib(left)} stay available at the engine's peak", figures)
        return
    yield Finding(
        HOST_LOW,
        Severity.ERROR,
        "The engine's peak would bring this host's memory below its floor",
        evidence=(figures, *_others(snapshot)),
        cause="GPU and system share this memory: when it runs out the host hangs."
        if machine.device == "cuda"
        else "The kernel ends the engine, or another process, when memory runs out.",
        remedies=(*_make_room(snapshot), _plan_smaller(snapshot)),
    )


def _low_point(plan: PlanSummary) -> tuple[str, ...]:
    if plan.low_point_bytes is None:
        return ()
    return (f"{gib(plan.low_point_bytes)} stay available then, with nothing else running",)


def _free_bytes(snapshot: Snapshot) -> int | None:
    """What could be free at the start: without the page cache, with what engines give back."""
    machine, system, gpu = snapshot.machine, snapshot.system, snapshot.gpu
    back = returned_bytes(snapshot)
    if machine is None or back is None:
        return None
    if machine.unified:
        now = system.memory.available_bytes if system else None
    else:
        now = gpu.gpus[0].free_bytes if gpu and gpu.gpus else None
    return None if now is None else now + back


def _others(snapshot: Snapshot) -> tuple[str, ...]:
    known = [each.memory_bytes for each in staying(snapshot) if each.memory_bytes]
    return (f"other engines hold {gib(sum(known))}",) if known else ()


def _make_room(snapshot: Snapshot) -> tuple[Remedy, ...]:
    others = staying(snapshot)
    return tuple(map(how_to_end, others)) if others else (WHO,)


def _smaller_share(snapshot: Snapshot, plan: PlanSummary, free: int) -> tuple[Remedy, ...]:
    """The share that would pass the check; whether the model still fits, the plan tells."""
    share = floor(100 * (free - CONTEXT_BYTES) / plan.total_bytes) / 100
    if share < 0.05 or snapshot.request is None:
        return ()
    flag = f"--set gpu_memory_utilization={share:.2f}"
    return (
        Remedy(
            f"Or start with a share of at most {share:.2f}, if that fits.",
            f"sparkwell plan {snapshot.request.model} {flag}",
        ),
    )


def _plan_smaller(snapshot: Snapshot) -> Remedy:
    model = snapshot.request.model if snapshot.request else "MODEL"
    return Remedy("Or take a model that needs less.", f"sparkwell plan {model} --explain")


CHECKS = (
    Check(NO_FIT, "Does the model fit, by the plan?", plan_does_not_fit, ABOUT),
    Check(STARTUP, "Is as much free now as the engine wants to find?", memory_startup_check),
    Check(PAGE_CACHE, "Does the page cache stand in an old engine's way?", page_cache_counted),
    Check(HOST_LOW, "Does enough stay available for the host?", host_memory_low),
)
