"""An instance's log in Ollama: the lines that its driver writes, and their reading.

Ollama's own log is one for all models and tells little of one of them, so the driver writes what
it does. Both sides stand here, so that they stay the same words. A line that is not understood
says nothing.
"""

import re
from collections.abc import Callable

from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.core.units import GIB, file_size
from sparkwell.engines.ollama.answers import Loaded

Facts = tuple[tuple[str, float], ...]
_ERROR = "error: "
_IMAGE = "fetching the image of Ollama's server"


def answers(version: str, where: str) -> str:
    """The server is there."""
    return f"Ollama {version} answers at {where}"


def starting_server() -> str:
    """Somebody else brings the server up."""
    return "starting Ollama's server"


def fetching_image(fraction: float | None) -> str:
    """The image of the server's container is being pulled."""
    return _IMAGE if fraction is None else f"{_IMAGE}: {100 * fraction:.0f}%"


def pulling(name: str, fraction: float | None, total_bytes: int) -> str:
    """The model is being downloaded by the server."""
    if fraction is None:
        return f"pulling {name}"
    return f"pulling {name}: {100 * fraction:.0f}% of {file_size(total_bytes)}"


def pulled(name: str, seconds: float) -> str:
    """The model is on the server's disk."""
    return f"pulled {name} in {seconds:.1f} s"


def loading(name: str, num_ctx: int) -> str:
    """The server reads the model into memory."""
    return f"loading {name} with a context of {num_ctx} tokens"


def loaded(name: str, seconds: float, state: Loaded | None) -> str:
    """The model is in memory."""
    said = [f"loaded {name} in {seconds:.1f} s"]
    if state and state.size_bytes:
        said.append(f"{state.size_bytes / GIB:.2f} GiB")
        if state.vram_bytes is not None:
            said.append(f"{100 * state.vram_bytes / state.size_bytes:.0f}% of it on the GPU")
    if state and state.context_length:
        said.append(f"context {state.context_length}")
    return ", ".join(said)


def kept_again(name: str) -> str:
    """Somebody else's request had given it an end."""
    return f"{name} was to be unloaded soon; it is kept in memory again"


def unloaded(name: str) -> str:
    """The memory is free again."""
    return f"unloaded {name}"


def unloaded_by_others(name: str) -> str:
    """It has gone, and Sparkwell has not asked for it."""
    return (
        f"{name} is no longer in memory: Ollama made room for another model, or somebody unloaded "
        "it or loaded it with other settings"
    )


def server_gone(where: str) -> str:
    """The server does not take connections any more."""
    return f"Ollama's server at {where} has gone, and every model in it"


def failed(reason: str) -> str:
    """The start has come to nothing."""
    return _ERROR + " ".join(reason.split())


def read_line(line: str) -> PhaseMark | None:
    """What a line of the driver's says about the way of a start, or None."""
    for pattern, mark in _MARKS:
        if found := pattern.match(line):
            return mark(found)
    return None


def read_error(line: str) -> str | None:
    """The reason in the line that says why a start has failed, or None."""
    return line.removeprefix(_ERROR) if line.startswith(_ERROR) else None


def _says(phase: Phase, fraction: float | None = None) -> Callable[[re.Match[str]], PhaseMark]:
    return lambda _found: PhaseMark(phase, fraction)


def _image(found: re.Match[str]) -> PhaseMark:
    return PhaseMark(Phase.PULL, int(found[1]) / 100 if found[1] else None)


def _pulling(found: re.Match[str]) -> PhaseMark:
    return PhaseMark(Phase.DOWNLOAD, int(found[1]) / 100 if found[1] else None)


def _pulled(found: re.Match[str]) -> PhaseMark:
    return PhaseMark(Phase.DOWNLOAD, 1.0, (("download_s", float(found[1])),))


def _loaded(found: re.Match[str]) -> PhaseMark:
    facts: list[tuple[str, float]] = [("load_s", float(found[1]))]
    if found[2]:
        facts.append(("held_gib", float(found[2])))
    if found[3]:
        facts.append(("gpu_share", float(found[3]) / 100))
    if found[4]:
        facts.append(("max_model_len", float(found[4])))
    return PhaseMark(Phase.WEIGHTS, 1.0, tuple(facts))


_MARKS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], PhaseMark]], ...] = (
    (re.compile(r"starting Ollama's server$"), _says(Phase.PULL)),
    (re.compile(rf"{_IMAGE}(?:: (\d{{1,3}})%)?$"), _image),
    (re.compile(r"pulling \S+(?:: (\d{1,3})% of .*)?$"), _pulling),
    (re.compile(r"pulled \S+ in (\d+\.\d) s$"), _pulled),
    (re.compile(r"loading \S+ with a context of \d+ tokens$"), _says(Phase.WEIGHTS, 0.0)),
    (
        re.compile(
            r"loaded \S+ in (\d+\.\d) s(?:, (\d+\.\d\d) GiB)?(?:, (\d{1,3})% of it on the GPU)?"
            r"(?:, context (\d+))?$"
        ),
        _loaded,
    ),
)
