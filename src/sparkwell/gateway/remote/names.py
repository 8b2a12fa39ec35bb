"""What a client's name for a model means, looked up in a worker's copy of what the daemon knows."""

from collections.abc import Mapping

from sparkwell.catalog.ollama import is_ollama
from sparkwell.core.errors import UnknownModelError
from sparkwell.core.launch import Endpoint
from sparkwell.engines.ollama import split_size
from sparkwell.gateway.backend import Model
from sparkwell.gateway.naming import DEFAULT
from sparkwell.gateway.remote.faults import error_of
from sparkwell.gateway.remote.messages import Models

_LONGEST_NAME = 80


class Names:
    """The models that may be named, with the same errors as the daemon's own look-up.

    Which names there are instead is said by ``gateway.naming``, by whose key it is.
    """

    def __init__(self, known: Models) -> None:
        self._known = known
        self._by_alias: Mapping[str, Model] = {
            alias.lower(): model for model in known.models for alias in (model.name, *model.aliases)
        }
        self.loaded = [
            (each.model, Endpoint(uds=each.uds, port=each.port)) for each in known.loaded
        ]

    def resolve(self, name: str) -> Model:
        """The model that a client means; raises UnknownModelError or UsageError."""
        plain = name.lower()
        if plain == DEFAULT:
            return self._default()
        found = self._by_alias.get(plain)
        if found is not None:
            return found
        if is_ollama(name):
            return self._of_ollama(plain)
        raise self._unknown(name)

    def listed(self) -> list[Model]:
        """The models that /v1/models lists, as the daemon does."""
        named = {each.name: each for each in self._known.models}
        return [named[name] for name in self._known.listed if name in named]

    def _default(self) -> Model:
        if self._known.no_default is not None:
            raise error_of(self._known.no_default)
        return self._by_alias[(self._known.default or "").lower()]

    def _of_ollama(self, plain: str) -> Model:
        """Of Ollama's models only those that run or that the settings name."""
        name = str(split_size(plain)[0])
        found = self._by_alias.get(name.lower())
        if found is None:
            raise UnknownModelError(
                f"There is no model {name!r}.", hint=f"`sparkwell up {name}` serves it."
            )
        return found

    def _unknown(self, name: str) -> UnknownModelError:
        """In the words of the catalog."""
        said = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
        return UnknownModelError(f"There is no model {said!r}.")
