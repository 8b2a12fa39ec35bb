"""The checks of a model that serves, asked of its log: the same that the monitor asks."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.running.steady import served, steady
from sparkwell.checks.logs.find import logs, name_of, quoted
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.serving import interpret
from sparkwell.checks.serving_cache import FULL
from sparkwell.checks.serving_limits import limits, loaded
from sparkwell.checks.serving_parts import Serving
from sparkwell.checks.serving_prefix import GOOD_ORDER, PREFIX
from sparkwell.checks.serving_queue import GROWING, LOW_BATCHING
from sparkwell.checks.serving_say import percent
from sparkwell.checks.serving_speed import SINGLE
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_REFERENCE = "vllm/v1/metrics/loggers.py::LoggingStatLogger.log, 0.10 to 0.33"
_NOTHING_FOUND = 0.01
_STEADY = "Avg generation throughput: … tokens/s, Running: … reqs, Waiting: … reqs"

SLOW = About(
    id=SINGLE,
    title="One request alone is slower than it should be",
    severity=Severity.WARNING,
    symptoms=("A lone request gets fewer tokens/s than the plan, or the guides, say.",),
    cause="CUDA graphs are off, a kernel that does not fit the GPU was chosen, other weights than "
    "the planned ones were loaded, or the GPU lowers its clock.",
    remedies=(
        Remedy("See what the engine chose: quantization, kernels, eager mode.",
               "sparkwell logs MODEL --grep 'quantization|enforce_eager|MoE config'"),
        Remedy("See what this machine's bandwidth allows.", "sparkwell plan MODEL --explain"),
        Remedy("See whether the GPU lowers its clock.", "nvidia-smi -q -d PERFORMANCE"),
    ),
    reference="Measured: gpt-oss-120b on a DGX Spark 59 tok/s, 26 with --enforce-eager",
)  # fmt: skip
ALONE = About(
    id=LOW_BATCHING,
    title="Requests come one at a time",
    severity=Severity.INFO,
    symptoms=("Running: 1 reqs in line after line, though many requests come.",),
    cause="A step reads all active weights, for one request as for many: those that run together "
    "share that reading.",
    remedies=(Remedy("Send requests at once: together they get many times the tokens/s."),),
    reference=_REFERENCE,
)
COLD = About(
    id=PREFIX,
    title="The prefix cache does not help",
    severity=Severity.WARNING,
    symptoms=("Prefix cache hit rate: 0.0%", "Prompts repeat, and are computed again."),
    cause="What is cached counts from the first token on: behind the first difference nothing is "
    "found. Where no prompts repeat there is nothing to find, and nothing to mend.",
    remedies=(
        Remedy(f"Put the fixed part of the prompt first and what changes last: {GOOD_ORDER}"),
        Remedy("Switch it on where it is off.",
               "sparkwell down MODEL && sparkwell up MODEL --set enable_prefix_caching=true"),
    ),
    reference=_REFERENCE,
)  # fmt: skip
QUEUE = About(
    id=GROWING,
    title="The queue grows: more requests come than are served",
    severity=Severity.WARNING,
    symptoms=("Waiting: … reqs rises from line to line.", "The first token takes ever longer."),
    cause="As many run as --max-num-seqs or the KV cache let run, and more come meanwhile than are "
    "done.",
    remedies=(
        Remedy("See what is in the way, and what each flag would give.", "sparkwell top"),
        Remedy("Let more run at once, where the KV cache has room.",
               "sparkwell down MODEL && sparkwell up MODEL --set max_num_seqs=N"),
        Remedy("Send fewer requests at once, or take a faster model.", "sparkwell recommend"),
    ),
    reference=_REFERENCE,
)  # fmt: skip


def look(id_: str, snapshot: Snapshot) -> Iterator[Finding]:
    """What a log tells of serving, where the snapshot has no readings of that model."""
    known = {each.model for each in snapshot.serving or ()}
    for log in logs(snapshot):
        serving = served(log) if name_of(log) not in known else None
        if serving and log.engine in (None, "vllm"):
            found = (*interpret(serving), *_finds_nothing(serving))
            yield from (
                _with_line(each, log) for each in found if each.id == id_ and _holds(each, serving)
            )


def _holds(finding: Finding, serving: Serving) -> bool:
    """A log has no plan beside it: what is slow without a reason may have to be so."""
    if finding.severity is Severity.OK:
        return False
    return bool(serving.slowed_by) if finding.id == SINGLE else True


def _with_line(finding: Finding, log: LogDigest) -> Finding:
    *_, last = steady(log)
    evidence = (*finding.evidence, *quoted(log, last.line))
    return replace(finding, evidence=evidence, about=name_of(log))


def _finds_nothing(serving: Serving) -> Iterator[Finding]:
    """Whether prompts repeat a log does not say: that none was found is worth knowing."""
    window, requests = serving.window, serving.window.requests or 0.0
    off = serving.flags.get("enable_prefix_caching") is False
    if off or not loaded(window) or requests < limits().evidence.prompts:
        return
    if window.prefix_hit is not None and window.prefix_hit < _NOTHING_FOUND:
        found = f"{percent(window.prefix_hit)} of the prompt tokens of {requests:.0f} requests"
        yield Finding(
            PREFIX,
            Severity.INFO,
            "The prefix cache finds next to nothing",
            evidence=(f"found in the cache: {found}",),
            cause=COLD.cause,
            remedies=COLD.remedies[:1],
            about=serving.model,
        )


def _check(id_: str, asks: str, about: About | None = None) -> Check:
    return Check(id_, asks, partial(look, id_), about)


CHECKS = (
    _check(FULL, "Does the KV cache hold what runs?"),
    _check(GROWING, "Does the engine keep up with what comes?", QUEUE),
    _check(LOW_BATCHING, "Do requests run together?", ALONE),
    _check(SINGLE, "Is one request alone as fast as it should be?", SLOW),
    _check(PREFIX, "Are prompts that repeat cached?", COLD),
)
