"""What a Compose file is asked for, and the machine that it is for."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import UsageError
from sparkwell.engines.compose.corrections import CHANGES
from sparkwell.hardware.machine import Machine

LOOPBACK = "127.0.0.1"
DEFAULT_PROFILE, GUIDE = "balanced", "guide"


@dataclass(frozen=True, slots=True)
class ComposeWish:
    """What a file is asked for. No models: all services of the guides.

    ``hardware`` None is this machine where it has an NVIDIA GPU, else a DGX Spark. ``profile``
    None is the host's own setting, else balanced. ``without`` are the corrections that are left
    out. ``publish`` is the address that ports are published on, ``image`` one for all vLLM
    services. ``token`` says that .env beside the file has HF_TOKEN, or will have it.
    """

    models: tuple[str, ...] = ()
    hardware: str | None = None
    profile: str | None = None
    flags: Mapping[str, FlagValue] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    publish: str = LOOPBACK
    image: str | None = None
    token: bool = False
    force: bool = False

    @property
    def exact(self) -> bool:
        """Whether nothing of the guides' is corrected."""
        return self.without >= CHANGES.keys()

    @property
    def plans(self) -> bool:
        """Whether flags are planned, rather than the guides'."""
        return "flags" not in self.without


@dataclass(frozen=True, slots=True)
class Place:
    """The machine that a file is for. ``hardware`` None and ``here`` mean this one.

    ``fallback`` says that nobody named it: this machine has no NVIDIA GPU.
    """

    machine: Machine
    hardware: str | None
    here: bool
    fallback: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What there is to say about the machine."""
        said = f"This machine has no NVIDIA GPU, so the file is for {self.machine.name}."
        return (f"{said} --hardware names another.",) if self.fallback else ()


def check_address(text: str) -> str:
    """An address to publish ports on; raises UsageError for what is none."""
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        raise UsageError(
            f"--publish takes an IP address of this machine, not {text!r}.",
            hint="127.0.0.1 is this machine alone, 0.0.0.0 everybody who can reach it.",
        ) from None
