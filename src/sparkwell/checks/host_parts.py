"""Parts of a snapshot: the host itself. None is "not known"."""

from dataclasses import dataclass, field
from typing import Literal

from sparkwell.hardware.facts import MemoryFacts

EngineKind = Literal["vllm", "ollama", "llama.cpp", "sglang", "tensorrt-llm"]
Role = Literal["cache", "state", "images"]


@dataclass(frozen=True, slots=True)
class System:
    """The system: memory in bytes, kernel release, architecture as ``uname -m`` says it.

    ``root``: this user is root.
    """

    memory: MemoryFacts = field(default_factory=MemoryFacts)
    kernel: str | None = None
    architecture: str | None = None
    root: bool = False


@dataclass(frozen=True, slots=True)
class Port:
    """A TCP port that is wanted. ``problem`` is why it cannot be listened on, None when it can.

    ``holder`` is who listens there ("nginx"), ``pid`` its process, ``container`` its container;
    all None where nobody does, or where the system does not tell this user. ``ours``: it is
    this Sparkwell's own daemon.
    """

    address: str
    port: int
    problem: str | None = None
    holder: str | None = None
    pid: int | None = None
    container: str | None = None
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that a start writes to.

    ``role`` says what for: weights, Sparkwell's own files, container images. Where it does not
    exist, ``writable`` says whether it could be made, and ``free_bytes`` and ``filesystem`` are
    those of the nearest folder above it that exists.
    """

    role: Role
    path: str
    exists: bool
    writable: bool
    free_bytes: int | None = None
    filesystem: str | None = None


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that runs. ``ours``: an instance of this Sparkwell, whose ``model`` is known.

    ``memory_bytes`` is resident memory and, where NVML tells it, the GPU's, of its whole process
    tree; on a GB10 that can be less than what is really gone. A ``loaded`` of False is a server
    that holds no model (Ollama between requests); None is not known. An ``orphan`` serves nobody:
    it has outlived its API server, or the run of ours that it belongs to has ended; None is not
    known. ``started_at`` is when its process began, in Unix seconds: a number alone may be
    another process by now.
    """

    kind: EngineKind
    ours: bool = False
    pid: int | None = None
    container: str | None = None
    model: str | None = None
    memory_bytes: int | None = None
    loaded: bool | None = None
    orphan: bool | None = None
    started_at: float | None = None
