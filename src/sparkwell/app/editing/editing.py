"""The editing that the dashboard asks for: what may be edited, what it would do, and saving it.

Each question reads sparkwell.yaml anew, so that what was written by hand meanwhile counts.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from sparkwell.app.composing.service import DigestOf
from sparkwell.app.editing.file import Written, read_written, write_over
from sparkwell.app.editing.form import form_of
from sparkwell.app.editing.preview import Draft, previewed
from sparkwell.app.editing.subject import Subject, judged, subject_of
from sparkwell.app.editing.text import edited
from sparkwell.app.models import host_changes
from sparkwell.app.served import Served
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import Settings
from sparkwell.core.errors import ConflictError, DocumentError
from sparkwell.web.services import Preview, RecipeEdit, RecipeForm


class Editing:
    """Recipe editing for the dashboard. ``file`` is this host's sparkwell.yaml.

    ``adopt`` is called in the event loop after each save, with what the file says then: the next
    start goes by it. ``runs`` tells whether a model runs now, ``digest_of`` is asked for the
    digest of an image that this host's Docker has.
    """

    def __init__(
        self,
        models: ModelService,
        file: Path,
        *,
        adopt: Callable[[Settings], None],
        runs: Callable[[str], bool] = lambda _model: False,
        digest_of: DigestOf = lambda _image: None,
    ) -> None:
        self._models = models
        self._file = file
        self._adopt = adopt
        self._runs = runs
        self._digest_of = digest_of
        self._one_at_a_time = asyncio.Lock()
        self._saving: set[asyncio.Task[Preview]] = set()

    async def recipe(self, model: str) -> RecipeForm:
        """What of a model may be edited, and its values now.

        Raises UnknownModelError, and DocumentError for a settings file that does not load.
        """
        return await asyncio.to_thread(self._form, self._models.served(model))

    async def preview(self, model: str, edit: RecipeEdit) -> Preview:
        """Validate an edit and plan it; changes nothing. Raises as ``recipe``."""
        served = self._models.served(model)
        runs = self._runs(served.name)
        return await asyncio.to_thread(self._preview, served, edit, runs)

    async def save(self, model: str, edit: RecipeEdit) -> Preview:
        """Write an edit down unless it has problems.

        Raises ConflictError when the file is not the one of ``edit.revision``, EnvironmentFault
        when it cannot be written, and as ``recipe``; the file is then as it was. A browser that
        goes away does not leave a save half done.
        """
        task = asyncio.create_task(self._save(self._models.served(model), edit))
        self._saving.add(task)
        task.add_done_callback(self._saving.discard)
        return await asyncio.shield(task)

    async def _save(self, served: Served, edit: RecipeEdit) -> Preview:
        runs = self._runs(served.name)
        async with self._one_at_a_time:
            preview, settings = await asyncio.to_thread(self._write, served, edit, runs)
            if settings is not None:
                self._adopt(settings)
        return preview

    # ── in a thread: a plan takes tens of milliseconds ──────────────────────────────────────

    def _form(self, served: Served) -> RecipeForm:
        return form_of(self._models, *self._read(served))

    def _preview(self, served: Served, edit: RecipeEdit, runs: bool) -> Preview:
        return self._previewed(self._drafted(served, edit), runs)

    def _write(
        self, served: Served, edit: RecipeEdit, runs: bool
    ) -> tuple[Preview, Settings | None]:
        """What the edit does, and what the file says now; None where nothing was written."""
        draft = self._drafted(served, edit)
        draft.before.must_be(edit.revision)
        preview = self._previewed(draft, runs)
        if preview.problems or draft.text is None or draft.text == draft.before.text:
            return preview, None
        return preview, write_over(draft.before, draft.text, self._must_be_meant)

    def _previewed(self, draft: Draft, runs: bool) -> Preview:
        return previewed(self._models, draft, runs, self._digest_of)

    def _drafted(self, served: Served, edit: RecipeEdit) -> Draft:
        written, subject = self._read(served)
        problems, changes = judged(subject, edit)
        text = None
        try:
            written.must_be(edit.revision)
            text = edited(written.text, subject.key, changes, str(self._file))
        except (ConflictError, DocumentError) as error:
            problems[""] = str(error)
        return Draft(written, subject, changes, text, problems)

    def _read(self, served: Served) -> tuple[Written, Subject]:
        written = read_written(self._file)
        self._must_be_meant(written.settings)
        return written, subject_of(self._models, written.settings, served)

    def _must_be_meant(self, settings: Settings) -> None:
        """Raise DocumentError or UsageError for models and flags that there are not."""
        host_changes(settings, self._models.catalog)
