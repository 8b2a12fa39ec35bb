"""Editing what of a model may be edited: flags, profile and limits."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from urllib.parse import quote

from aiohttp import web

from sparkwell.core.errors import UsageError
from sparkwell.web.fragments import Fragments
from sparkwell.web.recipe_values import Field, Preview, RecipeEdit, RecipeForm
from sparkwell.web.rendering import Renderer, is_part
from sparkwell.web.services import Services
from sparkwell.web.shield import form_of

Texts = Mapping[str, str]


class Recipes:
    """The routes of /models/NAME/recipe."""

    def __init__(
        self, services: Services, render: Renderer, fragments: Fragments, prefix: str
    ) -> None:
        self._services = services
        self._render = render
        self._fragments = fragments
        self._prefix = prefix

    def routes(self) -> list[web.RouteDef]:
        """What is to be added to the application."""
        return [
            web.get("/models/{model:.+}/recipe", self.show),
            web.post("/models/{model:.+}/recipe/preview", self.preview),
            web.post("/models/{model:.+}/recipe/save", self.save),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """GET: the form, with the values in force and what they would do."""
        form = await self._services.recipe(request.match_info["model"])
        edit = RecipeEdit(form.profile, _values(form.flags), _values(form.limits), form.revision)
        return self._page(request, form, await self._services.preview(form.model, edit))

    async def preview(self, request: web.Request) -> web.Response:
        """POST preview: what the edit would do. Nothing is changed."""
        form, edit = await self._asked(request)
        preview = await self._services.preview(form.model, edit)
        if is_part(request):
            return self._render.page(request, "parts/preview.html", preview=preview, saved=False)
        return self._page(request, _filled(form, edit), preview)

    async def save(self, request: web.Request) -> web.Response:
        """POST save: written down unless something is wrong with it."""
        form, edit = await self._asked(request)
        preview = await self._services.save(form.model, edit)
        if not preview.problems:
            where = f"{self._prefix}/models/{quote(form.model)}/recipe?saved"
            return web.Response(status=303, headers={"Location": where})
        return self._page(request, _filled(form, edit), preview)

    async def _asked(self, request: web.Request) -> tuple[RecipeForm, RecipeEdit]:
        form = await self._services.recipe(request.match_info["model"])
        posted = {key: str(value) for key, value in (await form_of(request)).items()}
        return form, read_edit(form, posted)

    def _page(self, request: web.Request, form: RecipeForm, preview: Preview) -> web.Response:
        return self._render.page(
            request,
            "recipe.html",
            page="models",
            form=form,
            preview=preview,
            saved="saved" in request.query,
            parts=self._fragments.of("other"),
        )


def read_edit(form: RecipeForm, posted: Texts) -> RecipeEdit:
    """The edit that a form was sent with.

    Raises UsageError for any field that the form does not have: images, mounts and the
    environment cannot be smuggled in.
    """
    flags, limits = _part(form.flags, "flag.", posted), _part(form.limits, "limit.", posted)
    known = {f"flag.{name}" for name in flags} | {f"limit.{name}" for name in limits}
    unknown = posted.keys() - known - {"profile", "revision", "_token"}
    if unknown:
        names = ", ".join(sorted(unknown))
        raise UsageError(
            f"{names} cannot be changed here.",
            hint="Images, mounts and the environment stay in files: they mean root on the host.",
        )
    return RecipeEdit(posted.get("profile", ""), flags, limits, posted.get("revision", ""))


def _part(fields: Iterable[Field], prefix: str, posted: Texts) -> dict[str, str]:
    return {each.name: posted.get(prefix + each.name, "").strip() for each in fields}


def _values(fields: Iterable[Field]) -> dict[str, str]:
    return {each.name: each.value for each in fields}


def _filled(form: RecipeForm, edit: RecipeEdit) -> RecipeForm:
    """The form as it was sent, so that nobody has to type again."""

    def typed(fields: Iterable[Field], texts: Texts) -> tuple[Field, ...]:
        return tuple(replace(each, value=texts[each.name]) for each in fields)

    flags, limits = typed(form.flags, edit.flags), typed(form.limits, edit.limits)
    return replace(form, flags=flags, limits=limits, profile=edit.profile)
