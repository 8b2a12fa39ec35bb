"""Other engines on this host: who they are, what they hold, how they end."""

from collections.abc import Iterator

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


def two_engines(snapshot: Snapshot) -> Iterator[Finding]:
    """No engine that Sparkwell does not manage shares the memory."""
    if snapshot.engines is None:
        return
    strangers = [each for each in snapshot.engines if not each.ours]
    if not strangers:
        yield ok(TWO, "No other engine runs", *(_line(each) for each in snapshot.engines))
        return
    idle = [each for each in strangers if each.loaded is False]
    busy = [each for each in strangers if each.loaded is not False]
    if busy:
        yield _warning(busy)
    if idle:
        yield info(TWO, "An engine without a model runs", *map(_line, idle))


def staying(snapshot: Snapshot) -> list[Engine]:
    """Engines that hold memory and that this start does not end."""
    ends = snapshot.request.ends if snapshot.request else ()
    running = [each for each in snapshot.engines or () if each.loaded is not False]
    return [each for each in running if not (each.ours and each.model in ends)]


def returned_bytes(snapshot: Snapshot) -> int | None:
    """What comes back before the start: of engines that it ends. None when one does not tell."""
    ends = snapshot.request.ends if snapshot.request else ()
    ending = [each for each in snapshot.engines or () if each.ours and each.model in ends]
    told = [each.memory_bytes for each in ending if each.memory_bytes is not None]
    return sum(told) if len(told) == len(ending) else None


def how_to_end(engine: Engine) -> Remedy:
    """How its memory comes back."""
    name = _title(engine)
    if engine.ours and engine.model:
        return Remedy(f"Stop {engine.model}.", f"sparkwell down {engine.model}")
    if engine.container:
        return Remedy(f"Stop {name}, if nobody needs it.", f"docker stop {engine.container}")
    if engine.kind == "ollama":
        return Remedy(f"Let {name} unload its models, or stop it.", "sudo systemctl stop ollama")
    return Remedy(f"End {name}, if nobody needs it.", f"kill {engine.pid}")


def _warning(busy: list[Engine]) -> Finding:
    titles = ", ".join(map(_title, busy))
    verb = "s run" if len(busy) > 1 else " runs"
    return Finding(
        TWO,
        Severity.WARNING,
        f"Another engine{verb} that Sparkwell does not manage: {titles}",
        evidence=tuple(map(_line, busy)),
        cause="What it holds is not in the plan; and when it gives memory back while vLLM measures "
        "its own, vLLM ends with an error.",
        remedies=tuple(map(how_to_end, busy)),
    )


def _title(engine: Engine) -> str:
    where = f"container {engine.container}" if engine.container else f"process {engine.pid}"
    return f"{_NAMES[engine.kind]} ({where})"


def _line(engine: Engine) -> str:
    held = "memory unknown" if engine.memory_bytes is None else gib(engine.memory_bytes)
    model = f", {engine.model}" if engine.model else ""
    return f"{_title(engine)}{model}: {held}"


CHECKS = (Check(TWO, "Does another engine share the memory?", two_engines),)
