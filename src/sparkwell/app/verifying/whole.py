"""The report of what was gathered: claims judged, figures side by side, nothing private in it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sparkwell.app.guides.check import claims_of
from sparkwell.app.preflight.scope import Asked, find_way
from sparkwell.app.service import ModelService
from sparkwell.app.verifying.claims import Run, with_claims
from sparkwell.app.verifying.figures import figures
from sparkwell.app.verifying.gathered import Gathered
from sparkwell.app.verifying.private import private_here, registry_of
from sparkwell.app.verifying.report import KIND, report
from sparkwell.app.verifying.scrub import Private, scrub
from sparkwell.catalog import Recipe
from sparkwell.catalog.guide_claims import claims_for


def whole_report(
    models: ModelService,
    recipe: Recipe,
    found: Gathered,
    private: Private,
    *,
    requests: bool,
) -> dict[str, Any]:
    """The document as it may be sent, without what ``private_to`` found, and the run's registry."""
    run = Run(recipe.name, found.plan, found.started, recipe.guide.flags if recipe.guide else {})
    rows = with_claims(
        figures(found.plan, found.started, found.bench), claims_for(recipe.name), run
    )
    claims = [] if found.plan is None else claims_of(models.planning, found.plan)
    document = report(found, rows, claims, requests=requests)
    registry = registry_of((found.instance or {}).get("image"))
    without = replace(private, hosts=(*private.hosts, *registry))
    return scrub(document, without, _public(recipe, found))


def private_to(models: ModelService, recipe: Recipe, settings_file: Path | None) -> Private:
    """What a report goes without; ``settings_file`` is the one in use, None: the usual one.

    To be asked before minutes are spent: a folder may be gone afterwards.
    """
    file = settings_file or models.paths.config_file
    return private_here(models.environ, file, _hosts(models, recipe))


def _hosts(models: ModelService, recipe: Recipe) -> Iterator[str]:
    """Those of the settings, and the registries that an image may come from."""
    settings, way = models.settings, find_way(models, Asked(recipe))
    yield from (settings.gateway.host, *settings.gateway.names)
    for origin in settings.gateway.cors_origins:
        yield urlsplit(origin).hostname or ""
    named = (each.image for each in settings.models.values())
    images = (*settings.containers.images.values(), *named, recipe.serve.image)
    for image in (*images, way.image if way else None):
        yield from registry_of(image)


def _public(recipe: Recipe, found: Gathered) -> set[str]:
    """Texts that stay as they are, whatever the user or the machine is called."""
    machine, instance = found.machine, found.instance or {}
    named = (recipe.name, recipe.repo, machine.name, machine.title, found.suite, KIND)
    run = (instance.get(each) for each in ("engine", "engine_version", "driver"))
    return {each for each in (*named, *(step.name for step in found.steps), *run) if each}
