"""The KV cache is smaller than one request of the longest length needs."""

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.memory.words import (
    NUMBER,
    WHOLE,
    page_cache_too,
    plan_with,
    up_with,
)
from sparkwell.checks.logs.find import Found, find, logs, name_of, quoted
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_NEEDS = re.compile(
    rf"with the models?'s max seq len \((?P<length>{WHOLE})\), \(?(?P<needed>{NUMBER}) GiB KV\s+"
    r"cache is needed, which is larger than the available KV cache\s+memory "
    rf"\((?P<available>{NUMBER}) GiB\)"
)
_OLDER = re.compile(
    rf"model's max seq len \((?P<length>{WHOLE})\) is larger than the maximum number of tokens "
    rf"that can be stored in KV cache \((?P<fits>{WHOLE})\)"
)
_BEGINS = re.compile(r"To serve at least one request with the models?'s max seq len\b")
"""A terminal may have cut the line anywhere behind this, figures too."""
_ESTIMATE = re.compile(rf"estimated maximum model length is (?P<fits>{WHOLE})")
_EIGHT_BITS = re.compile(r"kv_cache_dtype\W{1,4}(?:fp8|int8)")
BLOCK_TOKENS = 16
_ROUNDED_GIB = 0.005  # the log's figures are rounded to two decimals

ABOUT = About(
    id="kv-cache-too-small",
    title="The KV cache is too small for one request of the longest length",
    severity=Severity.ERROR,
    symptoms=(
        ("ValueError: To serve at least one request with the models's max seq len (40960), (10.00 "
        "GiB KV cache is needed, which is larger than the available KV cache memory (6.10 GiB)."),
        ("The model's max seq len (40960) is larger than the maximum number of tokens that can be "
        "stored in KV cache (24976)."),
    ),
    cause="The KV cache gets what weights, activations and CUDA graphs leave of total x "
    "gpu_memory_utilization. It must hold at least one request of max_model_len tokens.",
    remedies=(
        Remedy("Shorten the longest request to what fits.",
               "sparkwell up MODEL --set max_model_len=8192"),
        Remedy("Or store keys and values in 8 bits: twice as many tokens fit.",
               "sparkwell up MODEL --set kv_cache_dtype=fp8"),
        Remedy("See where the memory goes, and what a larger share would give.",
               "sparkwell plan MODEL --explain"),
    ),
    reference="vllm/v1/core/kv_cache_utils.py::check_enough_kv_cache_memory, 0.10 to 0.33",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log that ended so, with the largest length that fits."""
    for log in logs(snapshot):
        if found := find(log, _NEEDS, _OLDER, _BEGINS):
            said = ABOUT.finding(*quoted(log, found.line), about=name_of(log), model=log.model)
            helps = _fits(log, found) != 0 and _eight_bits_help(log)
            others = said.remedies[1:] if helps else said.remedies[2:]
            cached = page_cache_too(snapshot, log)
            yield replace(said, remedies=(*cached, *_shorter(log, found), *others))


def _eight_bits_help(log: LogDigest) -> bool:
    """Not where they are 8 bits already, nor where 0.10 falls back to its older engine."""
    old = (log.version or "").startswith("0.10.")
    return not old and find(log, _EIGHT_BITS) is None


def _shorter(log: LogDigest, found: Found) -> Iterator[Remedy]:
    """Shorten it: to the engine's own estimate, else to what the two figures give."""
    fits = _fits(log, found)
    asked = f", {int(found['length']):,} were asked for" if "length" in _names(found) else ""
    if fits:
        text = f"Shorten the longest request: {fits:,} tokens fit{asked}."
        yield up_with(log, text, f"max_model_len={fits}")
    elif fits == 0:
        yield plan_with(log, "Not one block fits: see where the memory goes.")
    else:
        yield ABOUT.finding(model=log.model).remedies[0]


def _fits(log: LogDigest, found: Found) -> int | None:
    """So many tokens fit; None where the log does not tell."""
    said = _estimated(log, found)
    return _computed(found) if said is None else said


def _names(found: Found) -> Collection[str]:
    """The figures that the pattern has."""
    return found.match.re.groupindex


def _estimated(log: LogDigest, found: Found) -> int | None:
    """What the engine says that fits: in the same line, or in a later one of a text in pieces."""
    if "fits" in _names(found):
        return int(found["fits"])
    said = find(log, _ESTIMATE)
    return int(said["fits"]) if said else None


def _computed(found: Found) -> int | None:
    """So many tokens fit, in whole blocks, where each token needs the same."""
    if "needed" not in _names(found):
        return None
    needed, available = float(found["needed"]), float(found["available"])
    share = max(0.0, available - _ROUNDED_GIB) / (needed + _ROUNDED_GIB)
    return int(int(found["length"]) * share) // BLOCK_TOKENS * BLOCK_TOKENS


CHECK = Check(ABOUT.id, "Does one request of the longest length fit the KV cache?", look, ABOUT)
