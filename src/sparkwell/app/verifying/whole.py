"""The report of what was gathered: claims judged, figures side by side, nothing private in it."""

from pathlib import Path
from typing import Any

from sparkwell.app.service import ModelService
from sparkwell.app.verifying.claims import Run, with_claims
from sparkwell.app.verifying.figures import figures
from sparkwell.app.verifying.gathered import Gathered
from sparkwell.app.verifying.private import private_here, registry_of
from sparkwell.app.verifying.report import report
from sparkwell.app.verifying.scrub import scrub
from sparkwell.catalog import Recipe
from sparkwell.catalog.guide_claims import claims_for


def whole_report(
    models: ModelService,
    recipe: Recipe,
    found: Gathered,
    settings_file: Path | None,
    *,
    requests: bool,
) -> dict[str, Any]:
    """The document as it may be sent; ``settings_file`` is the one in use, None: the usual one."""
    run = Run(recipe.name, found.plan, found.started, recipe.guide.flags if recipe.guide else {})
    rows = with_claims(
        figures(found.plan, found.started, found.bench), claims_for(recipe.name), run
    )
    claims = [] if found.plan is None else models.planning.claims(found.plan)
    document = report(found, rows, claims, requests=requests)
    image = (found.instance or {}).get("image")
    hosts = (models.settings.gateway.host, *registry_of(image))
    private = private_here(models.environ, settings_file or models.paths.config_file, hosts)
    return scrub(document, private, _public(recipe, found))


def _public(recipe: Recipe, found: Gathered) -> set[str]:
    """Texts that stay as they are, whatever the user or the machine is called."""
    machine, instance = found.machine, found.instance or {}
    named = (recipe.name, recipe.repo, machine.name, machine.title, found.suite)
    return {each for each in (*named, instance.get("engine_version")) if each}
