"""What was compiled while an engine stood still, by the files that a compiler left then. Pure."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from sparkwell.bench.results import Repeat

SLACK_S = 0.2
"""Files are dated by the kernel's coarse clock, and a token is seen some time after it was made."""
KERNELS = frozenset({".cubin", ".hsaco", ".so"})
"""What is loaded and run. DeepGEMM leaves one of them for each kernel, Triton too, FlashInfer one
for each module; sources and steps between, which lie beside them, would count a kernel twice."""
GRAPHS = "torch_compile_cache"
"""Of vLLM's folder for torch.compile each file counts, as many have no ending; locks do not."""
Span = tuple[float, float]
Written = tuple[str, float]
"""A file's path below the cache, and the Unix time at which it was written."""


def silent_at(repeat: Repeat) -> Span | None:
    """The Unix times of its longest silence, with some slack; None where they are not known."""
    silence = repeat.figures.silence
    if silence is None or silence.began_s is None or repeat.began_at is None:
        return None
    began = repeat.began_at + silence.began_s - repeat.began_s
    return began - SLACK_S, began + silence.seconds + SLACK_S


def compiled_in(span: Span, files: Iterable[Written]) -> int:
    """How many of the files a compiler left in that time."""
    return sum(span[0] <= at <= span[1] and is_compiled(path) for path, at in files)


def is_compiled(path: str) -> bool:
    """Whether a file of the cache, by its path there, is what a compiler leaves to be run."""
    found = PurePosixPath(path)
    return found.suffix in KERNELS or (GRAPHS in found.parts and found.suffix != ".lock")
