"""What an edit would do: the difference in the file, the plan, the Compose file."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from sparkwell.app.composing.service import DigestOf
from sparkwell.app.editing.file import Written
from sparkwell.app.editing.subject import FLAGS, Subject, changed
from sparkwell.app.editing.text import Changes
from sparkwell.app.editing.trial import try_out
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import ModelSettings
from sparkwell.core.errors import ConflictError, SparkwellError, UsageError
from sparkwell.web.services import Preview


@dataclass(frozen=True, slots=True)
class Draft:
    """The file as it was read, and as the edit would have it; None where it has problems."""

    before: Written
    subject: Subject
    changes: Changes = field(default_factory=dict)
    text: str | None = None
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def own(self) -> ModelSettings:
        """What the file would say of the model."""
        return changed(self.subject.own, self.changes)

    @property
    def difference(self) -> str:
        """The difference in the file, as `diff -u` has it."""
        name = self.before.file.name
        before, after = self.before.text.splitlines(), (self.text or "").splitlines()
        lines = difflib.unified_diff(before, after, name, name, lineterm="")
        return "".join(f"{line}\n" for line in lines)


def previewed(models: ModelService, draft: Draft, runs: bool, digest_of: DigestOf) -> Preview:
    """The plan and the Compose file of a draft; why there is none is a note.

    A plan that does not fit is an answer and no problem. ``runs`` tells whether the model runs.
    """
    if draft.problems:
        return Preview(draft.problems)
    shown = Preview(changes=draft.difference, notes=tuple(_notes(draft, runs)))
    subject = draft.subject
    if subject.trial is None:
        return shown
    everything = {**draft.before.settings.models, subject.key: draft.own}
    trial = try_out(models, everything, subject.trial.recipe)
    try:
        shown = replace(shown, plan=trial.document())
    except ConflictError as error:  # a way to make room that its engine cannot follow
        return Preview({"back_end": str(error)})
    except UsageError as error:
        return Preview({_culprit(models, draft): str(error)})
    except SparkwellError as error:
        shown = _with_note(shown, f"There is no plan: {error}")
    try:
        return replace(shown, compose=trial.compose(digest_of))
    except SparkwellError as error:
        return _with_note(shown, f"There is no Compose file: {error}")


def _culprit(models: ModelService, draft: Draft) -> str:
    """The changed flag without which it can be planned; "" where that is none of them alone."""
    subject = draft.subject
    for path in draft.changes:
        if path[0] != FLAGS or subject.trial is None:
            continue
        own = changed(draft.own, {path: subject.own.flags.get(path[-1])})
        everything = {**draft.before.settings.models, subject.key: own}
        try:
            try_out(models, everything, subject.trial.recipe).plan()
        except SparkwellError:
            continue
        return path[-1]
    return ""


def _with_note(shown: Preview, note: str) -> Preview:
    return replace(shown, notes=(*shown.notes, note))


def _notes(draft: Draft, runs: bool) -> Iterator[str]:
    subject = draft.subject
    left = [name for name in subject.own.flags if name not in subject.flags]
    if left:
        yield (
            f"{draft.before.file.name} also says {', '.join(left)} of {subject.name}: these stay "
            "in the file as they are."
        )
    if subject.trial is None:
        yield "Ollama divides its memory itself: there is no plan, and no Compose file."
    if draft.text == draft.before.text:
        yield "Nothing is changed."
    elif runs:
        yield (
            f"{subject.name} runs with what it was started with. `sparkwell restart "
            f"{subject.name}` takes the new settings."
        )
