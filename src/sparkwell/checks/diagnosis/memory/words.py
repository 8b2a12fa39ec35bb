"""What several checks of memory need: common remedies, and figures of a log."""

import re
from math import floor

from sparkwell.checks.about import MODEL
from sparkwell.checks.logs.find import find
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.run_parts import Run
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.errors import UsageError
from sparkwell.core.findings import Remedy
from sparkwell.engines.vllm.rules import rules_for

DROP_PAGE_CACHE = "drop-page-cache"
DROP_COMMAND = "sudo sh -c 'sync; echo 3 > /proc/sys/vm/drop_caches'"
DROP = Remedy(
    "Drop the page cache just before the start: cached files are read again, nothing is lost.",
    DROP_COMMAND,
    DROP_PAGE_CACHE,
)
WHO = Remedy("See what holds memory.", "ps -eo rss,pid,user,args --sort=-rss | head")
TOTAL_OF_A_SPARK_GIB = (110.0, 130.0)
"""What engines see of a GB10's 128 GB; no GPU with memory of its own has a total in between."""

NUMBER, WHOLE = r"\d{1,15}(?:\.\d{1,9})?", r"\d{1,9}"
"""Numbers in patterns: what was found can be computed with, whatever somebody wrote there."""

_SHARE = re.compile(
    r"'gpu_memory_utilization': (?P<args>0?\.\d{1,9}|1\.0)"
    r"|(?:--gpu[-_]memory[-_]utilization[ =])(?P<flag>0?\.\d{1,9}|1\.0)"
    r"|[Dd]esired (?:GPU|CPU) memory utilization(?: is)? \((?P<said>0?\.\d{1,9}|1\.0)"
)
_DEFAULT_SHARE = 0.9
_MOST_OF_A_SPARK = 0.85
_TOTAL = re.compile(
    rf"total capacity of (?P<whole>{NUMBER}) GiB"
    rf"|on device[^(]{{0,20}}\({NUMBER}/(?P<said>{NUMBER}) GiB\)"
)


def named(log: LogDigest) -> str:
    """The log's model as a command takes it."""
    return log.model or MODEL


def up_with(log: LogDigest, text: str, flag: str) -> Remedy:
    """Start again with another value of a flag ("max_model_len=4096")."""
    return Remedy(text, f"sparkwell up {named(log)} --set {flag}")


def plan_with(log: LogDigest, text: str, flag: str = "") -> Remedy:
    """Ask the plan first, with another value of a flag, or as it is."""
    options = f"--set {flag}" if flag else "--explain"
    return Remedy(text, f"sparkwell plan {named(log)} {options}")


def page_cache_too(snapshot: Snapshot, log: LogDigest) -> tuple[Remedy, ...]:
    """Dropping the page cache, where this engine takes it for used memory on this machine."""
    unified = snapshot.machine is not None and snapshot.machine.unified
    return (DROP,) if unified and counts_page_cache(log.version) else ()


def run_of(snapshot: Snapshot, log: LogDigest) -> Run | None:
    """The run that wrote the log, where it is known."""
    return next((each for each in snapshot.runs or () if each.id == log.instance), None)


def share_of(snapshot: Snapshot, log: LogDigest) -> float | None:
    """The gpu_memory_utilization in force, as the log or its run says it."""
    if found := find(log, _SHARE):
        return float(found["args"] or found["flag"] or found["said"])
    run = run_of(snapshot, log)
    given = run.flags.get("gpu_memory_utilization") if run else None
    return given if isinstance(given, float) else None


def smaller_share(snapshot: Snapshot, log: LogDigest, step: float = 0.05) -> str:
    """A flag for a share that is smaller by one step, at least 0.1; 0.85 at most on a GB10."""
    less = down((share_of(snapshot, log) or _DEFAULT_SHARE) - step)
    most = _MOST_OF_A_SPARK if _is_spark(snapshot, log) else 1.0
    return f"gpu_memory_utilization={max(0.1, min(less, most)):.2f}"


def _is_spark(snapshot: Snapshot, log: LogDigest) -> bool:
    if snapshot.machine is not None:
        return bool(snapshot.machine.unified)
    total = find(log, _TOTAL)
    return total is not None and shares_memory(float(total["whole"] or total["said"]))


def fewer(snapshot: Snapshot, log: LogDigest, flag: str, most: int) -> str:
    """A flag that counts something: at most so many, and half of those in force."""
    found = find(log, re.compile(rf"'{flag}': ({WHOLE})\b"))
    run = run_of(snapshot, log)
    given = int(found[1]) if found else (run.flags.get(flag) if run else None)
    half = given // 2 if isinstance(given, int) else most
    return f"{flag}={max(1, min(most, half))}"


def down(share: float) -> float:
    """A share, floored to hundredths; the tiny error of floats does not count."""
    return floor(100 * share + 1e-6) / 100


def shares_memory(total_gib: float) -> bool:
    """Whether a GPU with this total is a GB10, whose memory is the system's."""
    low, high = TOTAL_OF_A_SPARK_GIB
    return low < total_gib < high


def counts_page_cache(version: str | None) -> bool | None:
    """Whether that vLLM takes cached files for used memory on a GB10; None is not known."""
    if version is None:
        return None
    try:
        return rules_for(version).free_memory == "cuda"
    except UsageError:
        return None
