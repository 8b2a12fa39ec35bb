"""A flag that this version of vLLM does not have, or a value that it does not take."""

from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.flags.flag_removed import is_later, is_removed
from sparkwell.checks.diagnosis.flags.told import (
    Complaint,
    Refused,
    complaints,
    unrecognized,
    version_said,
)
from sparkwell.checks.logs.find import logs, name_of, quoted
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity
from sparkwell.engines.vllm.explain import FlagFacts
from sparkwell.engines.vllm.flags import near_names

LONGEST = 120
"""Characters of a complaint that a title shows."""

ABOUT = About(
    id="flag-unknown",
    title="vLLM does not know a flag, or does not take its value",
    severity=Severity.ERROR,
    symptoms=(
        "vllm serve: error: unrecognized arguments: --max-modellen 32000",
        "vllm serve: error: argument --kv-cache-dtype: invalid choice: 'fp9'",
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for CacheConfig",
    ),
    cause="vLLM reads its whole command line before anything else, and ends at the first thing "
    "that it does not take: a misspelt name, a flag of a newer version, a value of the wrong kind.",
    remedies=(
        Remedy("See the flags of the version that runs, with what they take.",
               "sparkwell flags"),
        Remedy("Check flags before a start: `--set` refuses what the version does not take.",
               "sparkwell preflight MODEL"),
    ),
    reference="the arguments of vLLM 0.10.0 to 0.33.0; vllm/utils/argparse_utils.py",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log with flags that the version lacks, and one with a wrong value."""
    for log in logs(snapshot):
        refused, line = unrecognized(log, snapshot)
        unknown = [each for each in refused if not (each.facts and is_removed(each.facts))]
        if unknown and line is not None:
            evidence = (*quoted(log, line), *map(_why, unknown))
            yield _finding(log, evidence, _names(unknown), tuple(map(_instead, unknown)))
        for complaint in complaints(log, snapshot):
            yield _of_value(log, complaint, version_said(log, snapshot))


def _finding(
    log: LogDigest, evidence: tuple[str, ...], title: str, first: tuple[Remedy, ...]
) -> Finding:
    finding = ABOUT.finding(*evidence, about=name_of(log), model=log.model)
    return replace(finding, title=title, remedies=(*first, *finding.remedies))


def _names(unknown: list[Refused]) -> str:
    return f"vLLM does not know {', '.join(each.name for each in unknown)}"


def _why(refused: Refused) -> str:
    facts = refused.facts
    if not refused.name.startswith("-"):
        return f"{refused.name}: stands alone, without a flag before it"
    if facts is None:
        return f"{refused.name}: no version of vLLM from 0.10.0 to 0.33.0 has it"
    if is_later(facts):
        return f"{refused.name}: new in {facts.first}; this is {facts.version}"
    return f"{refused.name}: vLLM has it from {facts.first} on, the engine of this log does not"


def _instead(refused: Refused) -> Remedy:
    facts = refused.facts
    if not refused.name.startswith("-"):
        return Remedy(f"Take {refused.name} out, or put its flag before it.")
    if facts is None:
        bare = refused.name.lstrip("-").replace("-", "_")
        return Remedy(f"{refused.name}: {near_names(bare)}")
    return Remedy(
        f"Leave {refused.name} out, or take an image with vLLM {facts.first} or newer.",
        f"sparkwell flags {facts.name}",
    )


def _of_value(log: LogDigest, complaint: Complaint, version: str | None) -> Finding:
    said = complaint.said if len(complaint.said) <= LONGEST else complaint.said[:LONGEST] + "…"
    facts = complaint.facts
    takes = (_takes(facts, version),) if facts and facts.takes else ()
    return _finding(log, complaint.evidence, f"vLLM does not take a value: {said}", takes)


def _takes(facts: FlagFacts, version: str | None) -> Remedy:
    """What the flag takes: in that version, else in the newest that was read."""
    asked = f" --engine-version {version}" if version else ""
    return Remedy(
        f"{facts.name} takes {facts.takes} in vLLM {facts.version}.",
        f"sparkwell flags {facts.name}{asked}",
    )


CHECK = Check(ABOUT.id, "Does this version know the flags, and take their values?", look, ABOUT)
