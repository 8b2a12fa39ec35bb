"""Findings in words, shared by `top` and `status`: what is amiss, the worst first, what to do."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sparkwell.cli.top.words import counted, plain

Part = Mapping[str, Any]
NOUNS = {"error": "error", "warning": "warning", "info": "note"}
SEVERITIES = tuple(NOUNS)
"""Those that are shown, the worst first."""


def to_show(findings: Iterable[Part] | None) -> list[Part]:
    """The findings that say more than that all is well: errors, warnings, then the others."""
    told = [each for each in findings or () if each.get("severity") != "ok"]
    return sorted(told, key=lambda each: SEVERITIES.index(severity(each)))


def troubles(findings: Iterable[Part] | None) -> list[Part]:
    """The errors and warnings."""
    return [each for each in to_show(findings) if severity(each) != "info"]


def severity(finding: Part) -> str:
    """How bad it is; what only a newer daemon knows is worth knowing."""
    told = str(finding.get("severity"))
    return told if told in SEVERITIES else "info"


def title(finding: Part) -> str:
    """What is amiss, with the model's name where the daemon tells it."""
    words, model = plain(finding.get("title") or finding.get("id")), finding.get("model")
    return f"{plain(model)}: {words}" if model and str(model) not in words else words


def first_command(finding: Part) -> str | None:
    """What to type first about it; None when there is nothing to type."""
    return _first(finding, "command")


def first_advice(finding: Part) -> str | None:
    """What to do first about it, in words; None when nobody knows."""
    return _first(finding, "text")


def _first(finding: Part, key: str) -> str | None:
    told = (each.get(key) for each in finding.get("remedies") or ())
    return next((plain(each) for each in told if each), None)


def tally(findings: Iterable[Part]) -> list[tuple[str, str]]:
    """How many findings there are: each severity that there is, and the words for it."""
    counts = Counter(map(severity, findings))
    return [(each, counted(counts[each], NOUNS[each])) for each in SEVERITIES if counts[each]]
