"""What a check knows of its trouble whatever the host: for `doctor explain` and docs/doctor.md."""

from dataclasses import dataclass, replace

from sparkwell.core.findings import Finding, Remedy, Severity

MODEL = "MODEL"
"""Stands in remedies for a model whose name is not known."""


@dataclass(frozen=True, slots=True)
class About:
    """One trouble, in general. ``id`` is the check's.

    ``severity`` is the worst that its findings have. ``symptoms`` are what a person sees: wordings
    of logs, or what the machine does. ``remedies`` stand in the order in which to try them; each
    says what it changes. ``reference`` says where this is known from.
    """

    id: str
    title: str
    severity: Severity
    symptoms: tuple[str, ...]
    cause: str
    remedies: tuple[Remedy, ...]
    reference: str

    def finding(
        self, *evidence: str, about: str | None = None, model: str | None = None
    ) -> Finding:
        """The finding as it is in general; where ``model`` is known, remedies name it.

        A check that knows more (figures, a better remedy) replaces parts of it.
        """
        remedies = tuple(_named(each, model or MODEL) for each in self.remedies)
        return Finding(
            self.id, self.severity, self.title, evidence, self.cause, remedies, about or model
        )


def _named(remedy: Remedy, model: str) -> Remedy:
    """The remedy with the model's name in its words."""
    command = remedy.command and remedy.command.replace(MODEL, model)
    return replace(remedy, text=remedy.text.replace(MODEL, model), command=command)
