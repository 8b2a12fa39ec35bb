"""Why an engine of this machine stood still: whether it compiled kernels meanwhile."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sparkwell.bench.compiled import Span, Written, compiled_in, silent_at
from sparkwell.bench.results import Repeat
from sparkwell.bench.stalls import stalled
from sparkwell.bench.suites import Case
from sparkwell.drivers import compile_cache
from sparkwell.drivers.routing import COMPOSE, PROCESS
from sparkwell.engines.vllm.containers import CACHE


@dataclass(frozen=True, slots=True)
class CompileCache:
    """The folder for what an engine compiles: of this host, or of the container of that name."""

    folder: str
    container: str | None = None

    def written(self, since: float) -> list[Written] | None:
        """Its files from that Unix time on; None where that is not known."""
        if self.container is not None:
            return compile_cache.in_container(self.container, self.folder, since)
        return compile_cache.in_folder(Path(self.folder), since)


def cache_of(instance: Mapping[str, Any], folder: Path) -> CompileCache | None:
    """An instance's, as status tells of it; ``folder`` is this host's. None for other engines."""
    if instance["engine"] != "vllm":
        return None
    if instance.get("driver") == COMPOSE and instance.get("container"):
        return CompileCache(CACHE, str(instance["container"]))
    return CompileCache(str(folder)) if instance.get("driver") == PROCESS else None


def explained(case: Case, repeats: Sequence[Repeat], cache: CompileCache | None) -> list[Repeat]:
    """The repeats of a case; those with a stall know what was compiled then, as far as can be told.

    The cache is looked at only where there is a stall of which that is not known yet.
    """
    unknown = [at for at in stalled(case, repeats) if repeats[at].compiled is None]
    spans = dict(_spans(repeats, unknown))
    if cache is None or not spans:
        return list(repeats)
    files = cache.written(min(began for began, _ in spans.values()))
    if files is None:
        return list(repeats)
    return [
        replace(each, compiled=compiled_in(spans[at], files)) if at in spans else each
        for at, each in enumerate(repeats)
    ]


def _spans(repeats: Sequence[Repeat], places: Iterable[int]) -> Iterable[tuple[int, Span]]:
    known = ((at, silent_at(repeats[at])) for at in places)
    return ((at, span) for at, span in known if span is not None)
