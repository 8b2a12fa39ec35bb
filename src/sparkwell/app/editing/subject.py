"""A model as an object of editing: what may be edited of it, what is said of it, what was typed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sparkwell.app.editing.fields import (
    flag_fields,
    limit_fields,
    ollama_fields,
    text_of,
    typed,
    typed_flag,
)
from sparkwell.app.editing.flags import why_not
from sparkwell.app.editing.text import Changes, Path
from sparkwell.app.editing.trial import Trial, try_out
from sparkwell.app.served import Served
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import ModelSettings, Settings
from sparkwell.catalog import Recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.catalog.tuned import goal_of
from sparkwell.core.errors import UsageError
from sparkwell.planner.profile_names import PROFILES
from sparkwell.web.services import Field, RecipeEdit

FLAGS, PROFILE = "flags", "profile"
_ON_CPU = frozenset({"balanced", "guide"})
_ROOT = "Images, mounts and the environment mean root on this host, so they stay in files."
_LONGEST_NAME = 60
_FROM_FILE = "sparkwell.yaml"


@dataclass(frozen=True, slots=True)
class Subject:
    """One model. ``key`` is how the file names it, ``own`` what the file says of it.

    ``trial`` has the recipe under these settings; None for a model in Ollama. ``flags`` and
    ``limits`` are the fields that there are, with the values of the file.
    """

    name: str
    key: str
    own: ModelSettings
    trial: Trial | None
    flags: Mapping[str, Field]
    limits: Mapping[str, Field]
    profiles: tuple[str, ...]


def subject_of(models: ModelService, settings: Settings, served: Served) -> Subject:
    """The model as these settings have it. Raises SparkwellError for settings without a sense."""
    keys = (given for given in settings.models if models.served(given).name == served.name)
    key = next(keys, served.name)
    own = settings.models.get(key, ModelSettings())
    trial = try_out(models, settings.models, served.recipe) if served.recipe else None
    flags = flag_fields(trial.version) if trial else ollama_fields()
    limits = limit_fields(
        text_of(models.settings.switching.idle_s),
        models.settings.switching.back_end if trial else None,
    )
    said = {name: value for name, value in own if name in own.model_fields_set}
    profiles = _profiles(trial, trial.recipe) if trial else ()
    return Subject(
        served.name, key, own, trial, _filled(flags, own.flags), _filled(limits, said), profiles
    )


def judged(subject: Subject, edit: RecipeEdit) -> tuple[dict[str, str], Changes]:
    """Sentences by field on what cannot be meant, and the changes that can."""
    problems = dict(_refused(subject, edit))
    changes: dict[Path, FlagValue | None] = {}
    for path, field, text, now in _texts(subject, edit):
        try:
            value = _value(subject, path, field, text)
        except UsageError as error:
            problems[field.name] = str(error)
            continue
        if value != now:
            changes[path] = value
    return problems, changes


def changed(own: ModelSettings, changes: Changes) -> ModelSettings:
    """What is said of the model once the changes are made."""
    said: dict[str, Any] = own.model_dump(exclude_unset=True)
    flags = dict(own.flags)
    for path, value in changes.items():
        place = flags if path[0] == FLAGS else said
        if value is None:
            place.pop(path[-1], None)
        else:
            place[path[-1]] = value
    return ModelSettings.model_validate({**said, FLAGS: flags})


def _profiles(trial: Trial, recipe: Recipe) -> tuple[str, ...]:
    """Those that a start of it takes: on a CPU nothing is computed, but flags are measured."""
    untuned = (name for name in PROFILES if goal_of(name) is None)
    there = (name for name in untuned if name != "guide" or recipe.guide)
    usual = (name for name in there if not trial.on_cpu or name in _ON_CPU)
    return (*usual, *trial.tuned_profiles)


def _filled(fields: Mapping[str, Field], values: Mapping[str, Any]) -> dict[str, Field]:
    """With the values of the file. A word that this version does not take can stay, or go."""

    def filled(field: Field) -> Field:
        text = text_of(values.get(field.name))
        if not text:
            return field
        listed = dict.fromkeys((*field.choices, text)) if field.choices else ()
        return replace(field, value=text, source=_FROM_FILE, choices=tuple(listed))

    return {name: filled(field) for name, field in fields.items()}


def _texts(
    subject: Subject, edit: RecipeEdit
) -> Iterator[tuple[Path, Field, str, FlagValue | None]]:
    """Each field that was sent and says something new: path, field, text, the value now."""
    for name, field in subject.flags.items():
        yield from _new((FLAGS, name), field, edit.flags, subject.own.flags.get(name))
    for name, field in subject.limits.items():
        now = getattr(subject.own, name) if name in subject.own.model_fields_set else None
        yield from _new((name,), field, edit.limits, now)
    field = _profile_field(subject)
    yield (PROFILE,), field, edit.profile.strip(), subject.own.profile


def _new(
    path: Path, field: Field, texts: Mapping[str, str], now: FlagValue | None
) -> Iterator[tuple[Path, Field, str, FlagValue | None]]:
    """Nothing for what was left as it is: the file has it, so it was taken once."""
    text = texts.get(field.name, field.value).strip(" \t\r\n")
    if text != field.value:
        yield path, field, text, now


def _value(subject: Subject, path: Path, field: Field, text: str) -> FlagValue | None:
    if not text:
        return None
    if path[0] == FLAGS and subject.trial:
        return typed_flag(field, text, subject.trial.version)
    return typed(field, text)


def _profile_field(subject: Subject) -> Field:
    words = (
        f"one of {', '.join(subject.profiles)}" if subject.profiles else "nothing for this model"
    )
    return Field(PROFILE, "choice", "", expected=words, choices=subject.profiles)


def _refused(subject: Subject, edit: RecipeEdit) -> Iterator[tuple[str, str]]:
    """What was sent and is no field of the form."""
    for name in edit.flags.keys() - subject.flags.keys():
        yield name, _why_no_flag(subject, name)
    for name in edit.limits.keys() - subject.limits.keys():
        shown = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
        yield name, f"{shown!r} cannot be changed from the dashboard. {_ROOT}"


def _why_no_flag(subject: Subject, name: str) -> str:
    if subject.trial:
        return why_not(name, subject.trial.version)
    return (
        f"A model in Ollama takes {', '.join(subject.flags)} alone, not {name[:_LONGEST_NAME]!r}."
    )
