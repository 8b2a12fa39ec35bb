"""What a start lacks, fetched: checks first, then the image, then the weights."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path

from sparkwell.app.launching.fetching import Fetching, wanted_recipe
from sparkwell.app.launching.flags import StartWish
from sparkwell.app.launching.starter import OnShare
from sparkwell.app.launching.ways import Way
from sparkwell.app.preflight.report import Asked, must_pass, preflight
from sparkwell.app.service import ModelService
from sparkwell.catalog import Recipe
from sparkwell.core.errors import EnvironmentFault
from sparkwell.drivers.compose import images

Pull = Callable[[str, OnShare], Awaitable[None]]
"""Pulls a container image unless it is here, telling how far it is."""


async def pull_image(environ: Mapping[str, str], image: str, on_share: OnShare) -> None:
    """Pull an image unless it is here; ``environ`` has Docker's own variables."""
    if not await images.is_present(image, environ=environ):
        on_share(None)
        await images.pull(image, lambda seen: on_share(seen.fraction), environ=environ)


class HostFetchers:
    """Fetches for this host. In ``token_folders`` a ``.env`` may lie, beside a wish's own."""

    def __init__(
        self, models: ModelService, pull: Pull, token_folders: Iterable[Path] = ()
    ) -> None:
        self._models = models
        self._pull = pull
        self._token_folders = tuple(token_folders)

    async def check(self, recipe: Recipe, way: Way, wish: StartWish) -> None:
        """Pre-flight; what it finds does not hold up a start that is forced."""
        asked = Asked(recipe, wish, way, token_folders=self._folders(wish))
        report = await preflight(self._models, asked)
        if not wish.force:
            must_pass(report)

    async def image(self, image: str, on_share: OnShare) -> None:
        """Pull an image unless it is here."""
        await self._pull(image, on_share)

    async def weights(self, recipe: Recipe, wish: StartWish, on_share: OnShare) -> Path:
        """Download the weights, and say where they are."""
        wanted = wanted_recipe(recipe)
        if wanted is None:
            raise EnvironmentFault(f"The weights of {recipe.name} come from nowhere.")
        fetching = Fetching(self._models.settings, self._models.environ, self._folders(wish))
        pulled = await fetching.pull(wanted, lambda seen: on_share(seen.fraction))
        return pulled.folder

    def _folders(self, wish: StartWish) -> tuple[Path, ...]:
        own = (Path(wish.folder),) if wish.folder else ()
        return (*own, *self._token_folders)
