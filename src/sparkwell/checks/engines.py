"""Other engines on this host: who they are, what they hold, how they end."""

from collections.abc import Iterable, Iterator

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.host_parts import Engine
from sparkwell.checks.say import gib, info, ok
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

TWO = "two-engines"
_NAMES = {
    "vllm": "vLLM",
    "ollama": "Ollama",
    "llama.cpp": "llama.cpp",
    "sglang": "SGLang",
    "tensorrt-llm": "TensorRT-LLM",
}

ABOUT = About(
    id=TWO,
    title="Another engine runs that Sparkwell does not manage",
    severity=Severity.WARNING,
    symptoms=(
        "A model that fitted yesterday is refused, or the host runs out of memory.",
        "AssertionError: Error in memory profiling.",
    ),
    cause="What it holds is not in the plan; and when it gives memory back while vLLM measures "
    "its own, vLLM ends with an error.",
    remedies=(
        Remedy("See which engines run.", "ps -eo pid,rss,args | grep -E '[v]llm|[o]llama|[l]lama'"),
        Remedy("Stop it, if nobody needs it.", "docker stop CONTAINER"),
        Remedy("Or let Sparkwell serve that model too: then both are in one plan.",
               "sparkwell import docker-compose.yml"),
    ),
    reference="vllm issues 35920 and 56830",
)  # fmt: skip
END_ORPHAN = "end-orphan"


def two_engines(snapshot: Snapshot) -> Iterator[Finding]:
    """No engine that Sparkwell does not manage shares the memory.

    One that serves nobody is memory-held-by-orphan's. Where nothing of ours runs or is to start,
    a single other engine is in nobody's way.
    """
    if snapshot.engines is None:
        return
    strangers = [each for each in snapshot.engines if not each.ours and not each.orphan]
    if not strangers:
        yield ok(TWO, "No other engine runs", *map(line, snapshot.engines))
        return
    idle = [each for each in strangers if each.loaded is False]
    busy = [each for each in strangers if each.loaded is not False]
    if busy and _is_alone(snapshot, busy):
        title = f"{_title(busy[0])} runs; Sparkwell does not manage it, and nothing else runs"
        yield info(TWO, title, line(busy[0]))
    elif busy:
        yield _warning(busy)
    if idle:
        yield info(TWO, "An engine without a model runs", *map(line, idle))


def staying(snapshot: Snapshot) -> list[Engine]:
    """Engines that hold memory and that this start does not end."""
    ends = snapshot.request.ends if snapshot.request else ()
    running = [each for each in snapshot.engines or () if each.loaded is not False]
    return [each for each in running if each.orphan or not (each.ours and each.model in ends)]


def returned_bytes(snapshot: Snapshot) -> int | None:
    """What comes back before the start: of engines that it ends. None when one does not tell."""
    ends = snapshot.request.ends if snapshot.request else ()
    ours = [each for each in snapshot.engines or () if each.ours and not each.orphan]
    ending = [each for each in ours if each.model in ends]
    told = [each.memory_bytes for each in ending if each.memory_bytes is not None]
    return sum(told) if len(told) == len(ending) else None


def how_to_end(engine: Engine) -> Remedy:
    """How its memory comes back."""
    name = _title(engine)
    if engine.orphan and engine.pid is not None and engine.container is None:
        return Remedy(f"End {name}: nobody can reach it.", f"kill {engine.pid}", END_ORPHAN)
    if engine.ours and engine.model:
        return Remedy(f"Stop {engine.model}.", f"sparkwell down {engine.model}")
    if engine.container:
        return Remedy(f"Stop {name}, if nobody needs it.", f"docker stop {engine.container}")
    if engine.kind == "ollama":
        return Remedy(f"Let {name} unload its models, or stop it.", "sudo systemctl stop ollama")
    return Remedy(f"End {name}, if nobody needs it.", f"kill {engine.pid}")


def line(engine: Engine) -> str:
    """One engine as evidence: who it is, and what it holds."""
    held = "memory unknown" if engine.memory_bytes is None else gib(engine.memory_bytes)
    model = f", {engine.model}" if engine.model else ""
    orphan = ", whose parent is gone" if engine.orphan else ""
    return f"{_title(engine)}{model}{orphan}: {held}"


def others(snapshot: Snapshot, model: str | None) -> list[Engine]:
    """Engines that hold memory beside this model's own: those that nobody needs first."""
    found = [each for each in staying(snapshot) if each.orphan or not model or each.model != model]
    return sorted(found, key=lambda each: not each.orphan)


def total_held(engines: Iterable[Engine]) -> int | None:
    """Bytes that they hold together; None where none of them tells."""
    told = [each.memory_bytes for each in engines if each.memory_bytes is not None]
    return sum(told) if told else None


def _is_alone(snapshot: Snapshot, busy: list[Engine]) -> bool:
    ours = any(each.ours for each in snapshot.engines or ())
    return snapshot.request is None and not ours and len(busy) == 1


def _warning(busy: list[Engine]) -> Finding:
    titles = ", ".join(map(_title, busy))
    verb = "s run" if len(busy) > 1 else " runs"
    return Finding(
        TWO,
        Severity.WARNING,
        f"Another engine{verb} that Sparkwell does not manage: {titles}",
        evidence=tuple(map(line, busy)),
        cause=ABOUT.cause,
        remedies=tuple(map(how_to_end, busy)),
    )


def _title(engine: Engine) -> str:
    where = f"container {engine.container}" if engine.container else f"process {engine.pid}"
    return f"{_NAMES[engine.kind]} ({where})"


CHECKS = (Check(TWO, "Does another engine share the memory?", two_engines, ABOUT),)
