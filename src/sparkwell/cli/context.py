"""What every command starts from: folders, settings, catalog, made when they are asked for.

Imports are made then, too: `sparkwell ps` needs neither the catalog nor pydantic.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sparkwell.app.paths import Paths, find_paths

if TYPE_CHECKING:
    from sparkwell.app.planning.planning import Planning
    from sparkwell.app.service import ModelService
    from sparkwell.app.settings.config import Settings
    from sparkwell.catalog import Catalog
    from sparkwell.drivers.environments import EnvironmentStore


class Context:
    """The objects behind one call of the command line."""

    def __init__(
        self,
        environ: Mapping[str, str],
        config_file: Path | None,
        recipes: tuple[str, ...],
        system: bool,
    ) -> None:
        self.environ = environ
        self.config_file = config_file
        self.recipes = recipes
        self.system = system

    @cached_property
    def paths(self) -> Paths:
        """The folders of this user, or of the system."""
        return find_paths(self.environ, system=self.system)

    @cached_property
    def settings(self) -> "Settings":
        """The settings; raises DocumentError."""
        from sparkwell.app.settings.config import load_settings

        if self.config_file:
            return load_settings(self.config_file, required=True)
        return load_settings(self.paths.config_file)

    @cached_property
    def catalog(self) -> "Catalog":
        """All recipes; files that could not be read are complained about on stderr, once."""
        from sparkwell.app.models import load_models

        catalog = load_models(self.paths, self.settings, self.recipes)
        _tell_left_out("Recipe", catalog.problems)
        _tell_left_out("Overlay", self.overlay_problems)
        return catalog

    @cached_property
    def overlay_problems(self) -> tuple[str, ...]:
        """The overlays that could not be read, a message each."""
        from sparkwell.catalog.tuned_files import load_tuned

        return load_tuned([self.paths.tuned]).problems

    @cached_property
    def models(self) -> "ModelService":
        """The models of this host."""
        from sparkwell.app.service import ModelService

        return ModelService(self.paths, self.settings, self.catalog, self.environ)

    @cached_property
    def planning(self) -> "Planning":
        """The planner for this host."""
        from sparkwell.app.planning.planning import Planning

        return Planning(self.paths, self.catalog, self.environ, self.settings.model_folders)

    @cached_property
    def environments(self) -> "EnvironmentStore":
        """The installed engine environments."""
        from sparkwell.drivers.environments import EnvironmentStore

        return EnvironmentStore(self.paths.engines, self.environ)

    @property
    def global_options(self) -> list[str]:
        """The global options of this call, for a command that starts another one."""
        config = ["--config", str(self.config_file.absolute())] if self.config_file else []
        recipes = [
            word for folder in self.recipes for word in ("--recipes", str(Path(folder).absolute()))
        ]
        return [*config, *recipes, *(["--system"] if self.system else [])]


def _tell_left_out(what: str, problems: Iterable[str]) -> None:
    for problem in problems:
        click.echo(click.style(f"{what} left out: ", fg="yellow") + problem, err=True)


pass_context = click.make_pass_decorator(Context)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
