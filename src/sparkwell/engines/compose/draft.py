"""A standalone service while it is being made: as a guide has it, then corrected step by step."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sparkwell.catalog.recipe import FlagValue, Recipe
from sparkwell.engines.compose.service import Service
from sparkwell.engines.vllm.launch import written

DOWNLOAD_DIR, REMOTE_CODE = "download_dir", "trust_remote_code"
OWN = (DOWNLOAD_DIR, REMOTE_CODE)
"""Flags of the guides that no plan is about."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A service whose command is still in parts.

    ``recipe`` is None for Ollama, which has no command. ``program`` and ``model`` begin the
    command line, ``names`` are those that the model is served under where that is not itself.
    ``probe`` is the command that tells in the container whether the service answers.
    """

    service: Service
    probe: tuple[str, ...]
    recipe: Recipe | None = None
    program: tuple[str, ...] = ()
    model: str = ""
    names: tuple[str, ...] = ()
    flags: Mapping[str, FlagValue] = field(default_factory=dict)

    @property
    def written(self) -> Service:
        """The service with its command."""
        if self.recipe is None:
            return self.service
        names = ("--served-model-name", *self.names) if self.names else ()
        command = (*self.program, self.model, *names, *written(_as_texts(self.flags)))
        return replace(self.service, command=command)

    def with_container(self, **changes: object) -> "Draft":
        """The same with other values in the service's container."""
        container = replace(self.service.container, **changes)  # type: ignore[arg-type]
        return self.with_service(container=container)

    def with_service(self, **changes: object) -> "Draft":
        """The same with other values in the service."""
        return replace(self, service=replace(self.service, **changes))  # type: ignore[arg-type]

    def with_environment(self, more: Mapping[str, str]) -> "Draft":
        """The same with more variables."""
        return self.with_service(environment={**self.service.environment, **more})


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the corrections of one service depend on.

    ``image`` is the one for the machine, ``digest`` the registry's where it is known. ``planned``
    are the flags for machine and image, with a ``reasons`` sentence each; None: nothing was
    planned. ``checkpoint`` is the folder of weights that are on this host. ``token`` says that
    .env has or will have HF_TOKEN. ``default`` is the one vLLM service of the file that a plain
    `docker compose up` starts. ``context`` is Ollama's, in tokens.
    """

    image: str
    address: str = "127.0.0.1"
    digest: str | None = None
    planned: Mapping[str, FlagValue] | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    checkpoint: str | None = None
    token: bool = False
    default: bool = True
    context: int = 32_768


def _as_texts(flags: Mapping[str, FlagValue]) -> dict[str, FlagValue]:
    """Shares with two digits, as the guides write them: 0.90."""
    return {
        name: f"{value:.2f}" if isinstance(value, float) and round(value, 2) == value else value
        for name, value in flags.items()
    }
