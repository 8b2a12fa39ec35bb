"""What the pages say that neither the catalog nor the planner knows; from YAML beside this file."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from packaging.version import Version

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Trouble:
    """A symptom, why it comes and what mends it.

    ``tags`` say on which pages it stands: "spark" on all models of a DGX Spark, "host" on the
    page of the machine, others on models of a kind (``figures.tags_of``).
    """

    symptom: str
    cause: str
    remedy: str
    source: str
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Metric:
    """What one figure of vLLM's /metrics tells, and its name from a version on."""

    tells: str
    names: Mapping[str, str]

    def name(self, version: str) -> str:
        """Its name in that version; empty where there is none yet."""
        known = [(Version(since), name) for since, name in self.names.items()]
        older = [name for since, name in sorted(known) if since <= Version(version)]
        return older[-1] if older else ""


@cache
def load(name: str) -> Any:
    """A YAML file of this folder."""
    return yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))


def words(page: str, paragraph: str, /, **values: object) -> str:
    """A paragraph of texts.yaml with its figures."""
    return str(load("texts")[page][paragraph]).format(**values)


def troubles(tags: frozenset[str]) -> list[Trouble]:
    """The troubles of pages with any of these tags, in the order of the file."""
    every = (Trouble(**{**entry, "tags": frozenset(entry["tags"])}) for entry in load("troubles"))
    return [trouble for trouble in every if trouble.tags & tags]


def metrics() -> list[Metric]:
    """The metrics worth watching."""
    return [Metric(**entry) for entry in load("metrics")]
