"""Findings as a daemon tells them, read again; and the error of a start that has some."""

from collections.abc import Iterable, Mapping
from typing import Any

from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.findings import Finding, Remedy, Severity

_WORST_FIRST = (Severity.ERROR, Severity.WARNING)


class StartFailedError(EnvironmentFault):
    """A model did not start; ``findings`` say why, where that was found."""

    def __init__(
        self, message: str, *, hint: str | None = None, findings: tuple[Finding, ...] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self.findings = findings


def told_findings(told: object) -> tuple[Finding, ...]:
    """The errors and warnings that a status has under ``findings``, the errors first.

    A daemon of another version may have none, or may write them otherwise: what is no finding is
    left out.
    """
    parts = told if isinstance(told, list) else []
    found = [_finding(each) for each in parts if isinstance(each, Mapping)]
    return tuple(each for severity in _WORST_FIRST for each in found if each.severity is severity)


def _finding(told: Mapping[str, Any]) -> Finding:
    severity = str(told.get("severity"))
    known = {each.value for each in Severity}
    return Finding(
        id=str(told.get("id") or "unknown"),
        severity=Severity(severity) if severity in known else Severity.INFO,
        title=str(told.get("title") or told.get("id") or "unknown"),
        evidence=tuple(map(str, _parts(told.get("evidence")))),
        cause=_text(told.get("cause")),
        remedies=tuple(_remedy(each) for each in _parts(told.get("remedies")) if each),
        about=_text(told.get("about")),
    )


def _remedy(told: Any) -> Remedy:
    if not isinstance(told, Mapping):
        return Remedy(str(told))
    return Remedy(str(told.get("text") or ""), _text(told.get("command")), _text(told.get("fix")))


def _parts(told: object) -> Iterable[Any]:
    return told if isinstance(told, list) else ()


def _text(told: object) -> str | None:
    return None if told is None else str(told)
