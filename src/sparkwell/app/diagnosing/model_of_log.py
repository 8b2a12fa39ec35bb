"""Which model of the catalog a log is about, by what its engine says when it begins. Pure."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from sparkwell.catalog import Catalog
from sparkwell.checks.logs.parts import LogDigest

BEGINNING = 400
"""Lines in which an engine says what it was started with."""
_NAMED = re.compile(
    r"""['"](?:model|model_tag)['"]: ?['"]([^'"]+)"""  # non-default args: {'model': '…'
    r"""|\bmodel=['"]([^'"]+)"""  # Initializing a V1 LLM engine … with config: model='…'
    r"""|--model[= ]([^\s'"]+)"""
    r"""|\bvllm serve ([^\s'"-][^\s'"]*)"""
    r"""|'served_model_name': \[?'([^']+)"""
)
_IN_CACHE = re.compile(r"models--([\w.-]+?)--([\w.-]+)")


def model_of(log: LogDigest, catalog: Catalog) -> str | None:
    """The recipe that the log names first, by name or repository; None where there is none."""
    for line in log.lines[:BEGINNING]:
        for match in _NAMED.finditer(line.text):
            for name in _names(next(filter(None, match.groups()))):
                if recipe := catalog.find(name):
                    return recipe.name
    return None


def _names(said: str) -> Iterator[str]:
    """What a word may mean: a name or repository, a folder in a cache, a folder of that name."""
    yield said
    if cached := _IN_CACHE.search(said):
        yield f"{cached[1]}/{cached[2]}"
    yield PurePosixPath(said).name
