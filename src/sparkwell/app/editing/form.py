"""The form for a model: its fields, with what holds where the file says nothing."""

from collections.abc import Mapping
from dataclasses import replace

from sparkwell.app.editing.fields import text_of
from sparkwell.app.editing.file import Written
from sparkwell.app.editing.subject import FLAGS, Subject, changed
from sparkwell.app.editing.trial import Trial, try_out
from sparkwell.app.service import ModelService
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import SparkwellError
from sparkwell.engines.vllm.texts import default_in_words
from sparkwell.web.services import Field, RecipeForm


def form_of(models: ModelService, written: Written, subject: Subject) -> RecipeForm:
    """The form. A default is what the recipe, the profile or vLLM says where nothing is typed.

    A profile of the file that a start here refuses is among the choices all the same: else a
    browser would take it out without a word.
    """
    profiles = dict.fromkeys((*subject.profiles, subject.own.profile or ""))
    return RecipeForm(
        model=subject.name,
        flags=tuple(_with_defaults(models, written, subject)),
        limits=tuple(subject.limits.values()),
        profiles=tuple(name for name in profiles if name),
        profile=subject.own.profile or "",
        file=str(written.file),
        revision=written.revision,
    )


def _with_defaults(models: ModelService, written: Written, subject: Subject) -> list[Field]:
    trial = subject.trial
    if trial is None:
        return list(subject.flags.values())
    chosen = _chosen(trial)

    def one(field: Field) -> Field:
        if field.name not in subject.own.flags:
            return _with_default(field, chosen, trial)
        own = changed(subject.own, {(FLAGS, field.name): None})
        changes = {**written.settings.models, subject.key: own}
        without = _chosen(try_out(models, changes, trial.recipe))
        return replace(_with_default(field, without, trial), source=field.source)

    return [one(field) for field in subject.flags.values()]


def _with_default(field: Field, chosen: Mapping[str, FlagValue], trial: Trial) -> Field:
    if field.name not in chosen:
        default = default_in_words(field.name, trial.version)
        return replace(field, default=default, source="vLLM" if default else "")
    default = text_of(chosen[field.name])
    return replace(field, default=default, source=trial.source(field.name))


def _chosen(trial: Trial) -> Mapping[str, FlagValue]:
    """What a start would take; the recipe's flags where that cannot be told."""
    try:
        return trial.flags()
    except SparkwellError:
        return trial.recipe.serve.flags
