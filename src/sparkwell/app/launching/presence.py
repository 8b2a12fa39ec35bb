"""Whether an image or a model of Ollama is on this machine: asked before others leave for it.

A start finds out too, and says more. But it does so when others have left, or worse, it fetches
gigabytes while nothing serves.
"""

from collections.abc import Mapping
from functools import partial

from sparkwell.app.quickly import Quickly
from sparkwell.app.service import ModelService
from sparkwell.catalog.ollama import OllamaName
from sparkwell.core.errors import NotReadyError, SparkwellError
from sparkwell.drivers.compose import images
from sparkwell.drivers.ollama.api import OllamaApi, ServerGoneError
from sparkwell.drivers.ollama.plan import Kept
from sparkwell.drivers.ollama_store import find_files
from sparkwell.engines.ollama.state import key_of

_ANSWER_S = 5.0


class Presence:
    """Asks Docker and Ollama, quickly: None where the answer is not there at once."""

    def __init__(
        self, environ: Mapping[str, str], ollama_port: int, kept: Kept, quickly: Quickly | None
    ) -> None:
        self._environ = environ
        self._ollama_port = ollama_port
        self._kept = kept
        self._quickly = quickly or Quickly()

    def image(self, name: str) -> bool | None:
        """Whether Docker has an image; None where it does not answer in time."""
        question = partial(images.is_present, name, environ=self._environ)
        return self._quickly.ask(f"Whether the image {name} is here", question)

    def model(self, name: OllamaName) -> bool | None:
        """Whether Ollama has a model: by its files, else by its server.

        No is also said where nobody takes connections: a start then has nothing but the files.
        """
        return self._quickly.ask(f"Whether {name} is here", partial(self._has, name))

    async def _has(self, name: OllamaName) -> bool:
        if _has_files(name, self._kept):
            return True
        try:
            stored = await OllamaApi(self._ollama_port, quick_s=_ANSWER_S).tags()
        except ServerGoneError:
            return False
        return name.key in {key_of(each.name) for each in stored}


def presence_of(models: ModelService, quickly: Quickly | None = None) -> Presence:
    """What can be asked with this host's settings."""
    settings = models.settings
    kept = Kept(models.environ, (settings.folders.ollama,))
    return Presence(models.environ, settings.engines.ollama_port, kept, quickly)


def not_here(model: str) -> NotReadyError:
    """A model in Ollama would have to be downloaded first."""
    return NotReadyError(
        f"The model {model} is not loaded, and a request cannot start it: it is not on this "
        "machine.",
        hint=f"`sparkwell pull {model}` fetches it.",
    )


def _has_files(name: OllamaName, kept: Kept) -> bool:
    try:
        return find_files(name, kept.environ, kept.folders).gguf.exists()
    except (SparkwellError, OSError):
        return False
