"""The name that a client says, and what it is told of other names where there is no such model.

It hears of those that its own /v1/models lists, and of no others.
"""

from collections.abc import Collection, Sequence
from difflib import get_close_matches

from sparkwell.catalog.ollama import is_ollama
from sparkwell.core.errors import UnknownModelError
from sparkwell.gateway.backend import Backend, Model

DEFAULT = "default"
"""The model that a client means who does not care which."""
_LONGEST_NAME = 80


def meant(backend: Backend, name: str, allowed: Collection[str] = ()) -> Model:
    """The model that a client means; ``allowed`` are those of its key, none: all.

    Raises UnknownModelError, or UsageError for what is no name.
    """
    try:
        return backend.resolve(name)
    except UnknownModelError as error:
        if name.lower() == DEFAULT or is_ollama(name):
            raise  # what is said of these names no other model
        raise UnknownModelError(
            error.message, hint=others(name, listed(backend, allowed))
        ) from None


def listed(backend: Backend, allowed: Collection[str] = ()) -> list[Model]:
    """What /v1/models lists for a key that is for ``allowed``, none: for all."""
    return [each for each in backend.listed() if not allowed or each.name in allowed]


def others(name: str, models: Sequence[Model]) -> str:
    """Near names of these models, else all of theirs."""
    if not models:
        return "None can be started here now; /v1/models lists those that can."
    own = {alias.lower(): each.name for each in models for alias in each.aliases}
    near = get_close_matches(name[:_LONGEST_NAME].lower(), list(own), n=3, cutoff=0.5)
    names = list(dict.fromkeys(own[alias] for alias in near))
    if names:
        return f"Did you mean {' or '.join(names)}?"
    return f"There are: {', '.join(each.name for each in models)}."
