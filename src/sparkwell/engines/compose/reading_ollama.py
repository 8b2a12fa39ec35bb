"""What a Compose service serves with Ollama: its folder, its port, its settings. Pure."""

import re
from dataclasses import dataclass

from sparkwell.engines.compose.reading import ComposeService
from sparkwell.engines.compose.reading_fields import Left, Port
from sparkwell.engines.ollama import PORT, server_environment

_IMAGE = re.compile(r"(?:^|/)ollama(?::|@|$)")
_DATA = ("/root/.ollama", "/home/ollama/.ollama")
_OWN = frozenset({"OLLAMA_HOST", "OLLAMA_MODELS", "NVIDIA_VISIBLE_DEVICES"})


@dataclass(frozen=True, slots=True)
class OllamaService:
    """A service that runs Ollama. ``folder`` is the host's folder that its models lie in.

    ``port`` is the one that is published; None for each that the service does not say.
    """

    folder: str | None
    port: Port | None
    own: tuple[str, ...] = ()
    left: tuple[Left, ...] = ()


def read_ollama(service: ComposeService) -> OllamaService | None:
    """What the service serves with Ollama; None for one that runs something else."""
    if not _IMAGE.search(service.image or ""):
        return None
    folder, left = _folder(service)
    other = [
        Left(each.line, ("ports",), f"port {each.inner} is not the one that Ollama listens on")
        for each in service.ports
        if each.inner != PORT
    ]
    own = [name for name, value in service.environment.items() if _is_own(name, value)]
    variables = [_variable(service, name) for name in service.environment if name not in own]
    within = (*left, *other, *variables)
    return OllamaService(
        folder=folder,
        port=next((each for each in service.ports if each.inner == PORT), None),
        own=tuple(own),
        left=tuple(each.within("services", service.name) for each in within),
    )


def _is_own(name: str, value: str | None) -> bool:
    """Whether Sparkwell's own Ollama has it as well, the guides' 30 minutes among them."""
    return name in _OWN or (value is not None and server_environment().get(name) == value)


def _variable(service: ComposeService, name: str) -> Left:
    why = "Sparkwell's Ollama has no setting for it"
    remedy = None
    if name in server_environment():
        why = f"Sparkwell's Ollama has {server_environment()[name]} there"
    if name == "OLLAMA_CONTEXT_LENGTH":
        remedy = "models.ollama/NAME.flags.num_ctx sets it for one model."
    return Left(service.lines[name], ("environment", name), why, remedy)


def _folder(service: ComposeService) -> tuple[str | None, list[Left]]:
    """The mount of Ollama's data; OLLAMA_MODELS may name another folder in the container."""
    models = service.environment.get("OLLAMA_MODELS")
    data = (*_DATA, *([models] if models else []))
    folder: str | None = None
    left: list[Left] = []
    for volume in service.volumes:
        if volume.has_secret:
            left.append(Left(volume.line, ("volumes",), "holds a secret, which is not taken over"))
        elif volume.target.rstrip("/") not in data:
            why = "folders of the host are mounted into vLLM's containers, not into Ollama's"
            left.append(Left(volume.line, ("volumes", volume.target), why))
        elif volume.is_named:
            why = f"{volume.source} is a volume of Docker's own, no folder of this machine"
            remedy = f"`docker volume inspect {volume.source}` says where it lies."
            left.append(Left(volume.line, ("volumes", volume.target), why, remedy))
        else:
            folder = (volume.source or "").rstrip("/") or "/"
    return folder, left
