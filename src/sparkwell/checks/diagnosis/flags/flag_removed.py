"""A flag that older versions of vLLM took, and this one does not."""

from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.flags.told import unrecognized, version_said
from sparkwell.checks.logs.find import logs, name_of, quoted
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity
from sparkwell.engines.vllm.explain import FlagFacts
from sparkwell.engines.vllm.history import parse_version

ABOUT = About(
    id="flag-removed",
    title="vLLM no longer takes a flag",
    severity=Severity.ERROR,
    symptoms=("vllm serve: error: unrecognized arguments: --swap-space 16 --disable-log-requests",),
    cause="Flags come and go with versions; a Compose file that was written for an older image "
    "does not start with a newer one.",
    remedies=(
        Remedy("See which flag it was, and what to do instead.", "sparkwell flags NAME"),
        Remedy("Take the Compose file over: it shows what it does not take, and why.",
               "sparkwell import FILE"),
    ),
    reference="the arguments of vLLM 0.10.0 to 0.33.0, read in the sources of 30 versions",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log, naming every such flag, since when, and what to do instead."""
    for log in logs(snapshot):
        refused, line = unrecognized(log, snapshot)
        gone = [each.facts for each in refused if each.facts and is_removed(each.facts)]
        if not gone or line is None:
            continue
        finding = ABOUT.finding(
            *quoted(log, line), *map(_since, gone), about=name_of(log), model=log.model
        )
        version = version_said(log, snapshot)
        names = ", ".join(f"--{each.name.replace('_', '-')}" for each in gone)
        yield replace(
            finding,
            title=f"vLLM{f' {version}' if version else ''} no longer takes {names}",
            remedies=tuple(map(_instead, gone)),
        )


def is_removed(facts: FlagFacts) -> bool:
    """Whether the version that was asked for is one of those that no longer take it."""
    return facts.removed_in is not None and facts.exists is not True and not is_later(facts)


def is_later(facts: FlagFacts) -> bool:
    """Whether the flag came only after that version."""
    return parse_version(facts.first) > parse_version(facts.version)


def _since(facts: FlagFacts) -> str:
    return f"{facts.name}: taken up to {facts.last}, gone in {facts.removed_in}"


def _instead(facts: FlagFacts) -> Remedy:
    words = facts.instead or "Leave it out."
    return Remedy(f"{facts.name}: {words}", f"sparkwell flags {facts.name}")


CHECK = Check(ABOUT.id, "Does this version still take the flags?", look, ABOUT)
