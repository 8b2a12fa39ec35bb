"""How fast a model serves: one request alone, all together, and how busy the GPU is meanwhile."""

from collections.abc import Iterator

from sparkwell.checks import serving_about as about
from sparkwell.checks.say import ok
from sparkwell.checks.serving_changes import LARGER_BATCH, PREFIX_CACHING, remedy
from sparkwell.checks.serving_limits import enough, limit, loaded
from sparkwell.checks.serving_parts import Serving, ServingCheck
from sparkwell.checks.serving_queue import one_at_a_time
from sparkwell.checks.serving_say import below, line, percent
from sparkwell.core.findings import Finding, Remedy, Severity

SINGLE, THROUGHPUT, GPU = "slow-single-stream", "throughput-below-plan", "gpu-underused"
_THE_PLAN = "the plan"


def single_stream_slow(serving: Serving) -> Iterator[Finding]:
    """One request alone is as fast as the guide and the plan say."""
    window, plan = serving.window, serving.planned.single_tokens_per_s
    speed, least = window.single_tokens_per_s, limit("single-slow", serving.model)
    if not enough(window) or speed is None:
        return
    share = limit("plan-share", serving.model).value
    meets_plan = plan is not None and speed >= share * plan
    if speed >= least.value and (plan is None or meets_plan):
        return
    evidence = (
        *((line("one request alone", f"{speed:.2f} tok/s", f"{least.value:g} tok/s or more",
                least.says),) if speed < least.value else ()),
        *_against_plan("one request alone", speed, plan, share),
        *(each.evidence for each in serving.slowed_by),
        *_gpu(serving),
    )  # fmt: skip
    known = meets_plan and not serving.slowed_by
    yield _as_planned(evidence) if known else _slow(serving, evidence)


def _as_planned(evidence: tuple[str, ...]) -> Finding:
    """Slower than the guide wants, and yet all that this machine gives."""
    return Finding(
        SINGLE,
        Severity.INFO,
        "One request alone is slow, as the plan expects of this model here",
        evidence=evidence,
        cause="Each token reads all active weights once: the memory's bandwidth is the limit, and "
        "no flag changes it.",
        remedies=(
            Remedy("Send requests at once: together they get many times that."),
            Remedy("Or take a model with fewer active bytes.", "sparkwell recommend"),
        ),
    )


def _slow(serving: Serving, evidence: tuple[str, ...]) -> Finding:
    return Finding(
        SINGLE,
        Severity.WARNING,
        "One request alone is slower than it should be",
        evidence=evidence,
        cause=" ".join(each.cause for each in serving.slowed_by) or _UNKNOWN_CAUSE,
        remedies=(
            *(each.remedy for each in serving.slowed_by),
            Remedy("See what the engine chose: quantization, kernels, eager mode.",
                   f"sparkwell logs {serving.model} --grep 'quantization|enforce_eager'"),
            Remedy("See what the plan rests on.", f"sparkwell plan {serving.model} --explain"),
        ),
    )  # fmt: skip


_UNKNOWN_CAUSE = (
    "Something else uses the machine, a kernel that does not fit the GPU was chosen, or CUDA "
    "graphs are off."
)


def throughput_below_plan(serving: Serving) -> Iterator[Finding]:
    """Requests that run together get what the plan says for so many."""
    window, plan = serving.window, serving.planned.tokens_per_s
    speed, share = window.output_tokens_per_s, limit("plan-share", serving.model).value
    if not loaded(window) or speed is None or plan is None or (window.running or 0.0) < 2:
        return
    if speed >= share * plan:
        yield ok(THROUGHPUT, "Throughput is as planned", *_against_plan("together", speed, plan))
        return
    yield Finding(
        THROUGHPUT,
        Severity.WARNING,
        about.THROUGHPUT.title,
        evidence=(
            *_against_plan("together", speed, plan, share),
            *below(("run on average", window.running), ("tokens a prompt", window.prompt_tokens)),
            *_gpu(serving),
        ),
        cause=about.THROUGHPUT.cause,
        remedies=(
            *remedy(serving, PREFIX_CACHING, "Cache the beginnings of prompts:"),
            *remedy(serving, LARGER_BATCH, "Read more of the prompts in one step, where prefill "
                    "is what takes the time:"),
            Remedy("See what the plan rests on.", f"sparkwell plan {serving.model} --explain"),
        ),
    )  # fmt: skip


def gpu_underused(serving: Serving) -> Iterator[Finding]:
    """The GPU is as busy under load as the guide expects."""
    window = serving.window
    least, most = limit("gpu-low", serving.model), limit("gpu-high", serving.model)
    if not loaded(window) or window.gpu_used is None:
        return
    if one_at_a_time(serving) and window.gpu_used < least.value:
        return  # said already, by the check of what comes at once
    used = line("GPU in use", percent(window.gpu_used), f"{percent(least.value)} or more",
                least.says)  # fmt: skip
    if window.gpu_used > most.value:
        title = "The GPU is busy nearly all the time"
        typical = line("GPU in use", percent(window.gpu_used),
                       f"{percent(most.value)} at most is typical", most.says)  # fmt: skip
        yield ok(GPU, title, typical)
    elif window.gpu_used >= least.value:
        yield ok(GPU, "The GPU is as busy as expected", used)
    else:
        yield _underused(serving, used)


def _underused(serving: Serving, used: str) -> Finding:
    few = (serving.window.running or 0.0) < 2
    return Finding(
        GPU,
        Severity.INFO if few else Severity.WARNING,
        about.GPU.title,
        evidence=(used, *below(("run on average", serving.window.running))),
        cause=about.GPU.cause,
        remedies=(
            Remedy("Send more requests at once.")
            if few
            else Remedy("See whether eager mode is on: CUDA graphs spare the processor.",
                        f"sparkwell logs {serving.model} --grep 'quantization|enforce_eager'"),
        ),
    )  # fmt: skip


def _against_plan(
    what: str, speed: float, plan: float | None, share: float | None = None
) -> tuple[str, ...]:
    if plan is None:
        return ()
    wanted = f"{plan:.2f} tok/s planned"
    least = f", {percent(share)} of it or more wanted" if share is not None else ""
    return (line(what, f"{speed:.2f} tok/s", wanted + least, _THE_PLAN),)


def _gpu(serving: Serving) -> tuple[str, ...]:
    used = serving.window.gpu_used
    return (f"GPU in use: {percent(used)}",) if used is not None else ()


CHECKS = (
    ServingCheck(SINGLE, "Is one request alone as fast as it should be?", single_stream_slow),
    ServingCheck(THROUGHPUT, "Is throughput as planned?", throughput_below_plan),
    ServingCheck(GPU, "Is the GPU busy under load?", gpu_underused),
)
