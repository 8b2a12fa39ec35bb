"""What a check has found, as values: pre-flight, doctor and monitor all speak in these."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters.

    ``error``: it will not work, or it endangers the host. ``warning``: it may work, but somebody
    should look. ``info``: worth knowing, nothing to do. ``ok``: looked at, and well.
    """

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Remedy:
    """One way out. ``command`` is what to type; ``fix`` names what ``--fix`` does by itself."""

    text: str
    command: str | None = None
    fix: str | None = None

    def to_json(self) -> dict[str, object]:
        """The remedy as a JSON object; its keys are stable."""
        return {"text": self.text, "command": self.command, "fix": self.fix}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says.

    ``id`` is the check's: it names the trouble that is looked for, also where all is well.
    ``evidence`` are the figures and lines that it rests on, ``cause`` is why it is so.
    ``remedies`` stand in the order in which to try them. ``about`` is the model, or the log,
    that it is about; None for the host. No text holds a secret.
    """

    id: str
    severity: Severity
    title: str
    evidence: tuple[str, ...] = ()
    cause: str | None = None
    remedies: tuple[Remedy, ...] = ()
    about: str | None = None

    def to_json(self) -> dict[str, object]:
        """The finding as a JSON object; its keys are stable."""
        return {
            "id": self.id,
            "severity": self.severity.value,
            "title": self.title,
            "evidence": list(self.evidence),
            "cause": self.cause,
            "remedies": [remedy.to_json() for remedy in self.remedies],
            "about": self.about,
        }


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether something will not work."""
    return any(finding.severity is Severity.ERROR for finding in findings)


def fixes(findings: Iterable[Finding]) -> tuple[str, ...]:
    """The names of the safe fixes that the findings offer, each once, in their order."""
    offered = (remedy.fix for finding in findings for remedy in finding.remedies)
    return tuple(dict.fromkeys(name for name in offered if name))
