"""What a fix did."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fixed:
    """What a fix did. ``done`` is False when it could not, and ``text`` says why."""

    fix: str
    done: bool
    text: str

    def to_json(self) -> dict[str, object]:
        """The result as a JSON object; its keys are stable."""
        return {"fix": self.fix, "done": self.done, "text": self.text}
