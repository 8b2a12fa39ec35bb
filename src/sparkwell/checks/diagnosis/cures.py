"""The guides' sections about troubles: the finding that each leads to, and what its cures do."""

from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from sparkwell.core.documents import parse_document

FILE = "cures.yaml"
Verdict = Literal["cures", "helps in part", "only looks", "not needed", "no effect", "harmful"]


class Part(BaseModel):
    """A part of the file; the file says at its top what each field is."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Cure(Part):
    """One cure, and what it does. ``instead`` is what to type with Sparkwell."""

    does: str
    verdict: Verdict
    why: str
    source: str
    command: str | None = None
    instead: str | None = None


class Given(Part):
    """Where a section of a guide gives a cure."""

    line: PositiveInt
    cure: str


class Section(Part):
    """One section about a trouble; ``findings`` are ids, the likeliest first."""

    guide: str
    line: PositiveInt
    title: str
    symptom: str
    findings: tuple[str, ...] = Field(min_length=1)
    cures: tuple[Given, ...] = Field(min_length=1)


class Cures(Part):
    """The whole file."""

    cures: dict[str, Cure]
    sections: tuple[Section, ...]

    @model_validator(mode="after")
    def _each_is_there_and_used(self) -> "Cures":
        given = {each.cure for section in self.sections for each in section.cures}
        if wrong := given ^ self.cures.keys():
            raise ValueError(f"given by no section, or not described: {', '.join(sorted(wrong))}")
        return self


@cache
def cures() -> Cures:
    """The file, read once."""
    text = files(__package__).joinpath(FILE).read_text(encoding="utf-8")
    return parse_document(text, Cures, FILE)
