"""What of a model may be edited, what somebody typed, and what it would do, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sparkwell.web.values import Json


@dataclass(frozen=True, slots=True)
class Field:
    """One setting that a person may change here; ``value`` and ``default`` are as typed.

    ``low`` and ``high`` are the ends of its range, ``words`` values outside of it that mean
    something. ``source`` says whose value it is: "recipe", "sparkwell.yaml", "profile".
    """

    name: str
    kind: Literal["bool", "int", "float", "text", "choice"]
    purpose: str
    value: str = ""
    default: str = ""
    expected: str = ""
    choices: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class RecipeForm:
    """What of a model may be edited: typed flags, the profile and limits.

    Never the image, mounts or the environment: they mean root on the host and stay in files.
    ``revision`` names the state of the file, so that a save does not undo another one.
    """

    model: str
    flags: tuple[Field, ...]
    limits: tuple[Field, ...]
    profiles: tuple[str, ...]
    profile: str = ""
    file: str = "sparkwell.yaml"
    revision: str = ""


@dataclass(frozen=True, slots=True)
class RecipeEdit:
    """What somebody typed; an empty text leaves the value to the recipe or the profile."""

    profile: str
    flags: Mapping[str, str]
    limits: Mapping[str, str]
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What an edit would do. ``problems`` are sentences by field ("" is the whole form).

    ``changes`` is the difference in the file; ``plan``, ``compose`` are None where there is none.
    ``notes`` are sentences on what the edit leaves as it is, and what is to be done after it.
    """

    problems: Mapping[str, str] = field(default_factory=dict)
    plan: Json | None = None
    compose: str | None = None
    changes: str = ""
    notes: tuple[str, ...] = ()
