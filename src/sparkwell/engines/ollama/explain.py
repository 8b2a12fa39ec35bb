"""Ollama's own errors as ours: what it means and what to do next.

The wordings are Ollama's, of its published sources and of reports by users. One that is not known
is passed on word for word.
"""

from dataclasses import dataclass

from sparkwell.core.errors import EnvironmentFault, SparkwellError, UnknownModelError
from sparkwell.engines.ollama.answers import read_error
from sparkwell.engines.ollama.server import CONTAINER

LOG = (
    f"The server's own log has more: `docker logs {CONTAINER}` for Sparkwell's, else "
    "`docker logs ollama` or `journalctl -u ollama`."
)


class ModelMissingError(EnvironmentFault):
    """The server does not have that model."""


@dataclass(frozen=True, slots=True)
class _Wording:
    """``needles`` stand in Ollama's text, any of them; ``said`` is what it means."""

    needles: tuple[str, ...]
    said: str
    hint: str


_MEMORY = "Stop another model, or take a shorter context (--set num_ctx=8192) or a smaller model."
_WORDINGS = (
    _Wording(
        ("requires more system memory",),
        "there is not enough memory for it, as Ollama counts",
        f"{_MEMORY} Ollama counts the page cache as used: `sync; echo 3 | sudo tee "
        "/proc/sys/vm/drop_caches` frees it.",
    ),
    _Wording(
        ("out of memory", "cudaMalloc failed", "failed to allocate", "unable to allocate"),
        "the memory ran out while it was loading",
        _MEMORY,
    ),
    _Wording(
        ("no space left on device",),
        "the disk with Ollama's models is full",
        "Free some space there (`ollama rm MODEL`), then run the command again: what is "
        "downloaded is kept.",
    ),
    _Wording(
        ("newer version of Ollama",),
        "this model needs a newer Ollama",
        "Take a newer image (setting containers.images.ollama), or update Ollama.",
    ),
    _Wording(
        ("no such host", "dial tcp", "i/o timeout", "TLS handshake", "max retries exceeded"),
        "Ollama's server cannot reach where the model comes from",
        "Check the network of the server or container; the next try goes on where this one ended.",
    ),
    _Wording(
        ("permission denied", "read-only file system"),
        "Ollama's server may not write where its models lie",
        "The folder that is mounted as /root/.ollama (setting folders.ollama) must be writable.",
    ),
    _Wording(
        ("maximum pending requests exceeded", "server busy"),
        "Ollama's server has too much to do",
        "Try again in a moment.",
    ),
    _Wording(("runner process has terminated", "llama runner"), "its engine process died", LOG),
)


def explain(doing: str, status: int, text: str) -> SparkwellError:
    """The error for an answer that is none; ``doing`` says what was asked: "pulling qwen3:8b".

    ``status`` is HTTP's, 200 for an error in the middle of a stream. A model that the library
    does not have is an UnknownModelError, one that the server does not have a ModelMissingError.
    """
    said = read_error(text) or " ".join(text.split())[:300] or "nothing"
    if "file does not exist" in said and doing.startswith("pulling"):
        return UnknownModelError(
            f"Ollama failed at {doing}: there is no such model where it comes from ({said}).",
            hint="https://ollama.com/library lists the names and tags.",
        )
    for known in _WORDINGS:
        if any(needle in said for needle in known.needles):
            return EnvironmentFault(
                f"Ollama failed at {doing}: {known.said} ({said}).", hint=known.hint
            )
    if status == 404:
        return ModelMissingError(
            f"Ollama failed at {doing}: {said}.", hint="`ollama list` shows what it has."
        )
    answer = f"answered {status}" if status != 200 else "broke off"
    return EnvironmentFault(f"Ollama {answer} at {doing}: {said}.", hint=LOG)
