"""What can we serve? Recipes: what each model is, needs, and is good for, with sources.

May import core. ``catalog`` reads the YAML files, ``local`` folders of checkpoints and GGUF files
(headers only); everything else takes and returns values. ``described`` has what the planner takes.
"""

from sparkwell.catalog.catalog import Catalog, load_catalog
from sparkwell.catalog.recipe import Recipe
from sparkwell.catalog.shape import ModelShape

__all__ = ["Catalog", "ModelShape", "Recipe", "load_catalog"]
