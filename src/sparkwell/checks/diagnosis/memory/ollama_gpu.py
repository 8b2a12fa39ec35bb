"""Ollama runs a model, or a part of it, on the CPU."""

import re
from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.memory.ollama_words import context_of, shorter
from sparkwell.checks.diagnosis.memory.words import NUMBER, WHOLE
from sparkwell.checks.engines import how_to_end, line, others
from sparkwell.checks.logs.find import Found, find, find_last, logs, name_of, quoted
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_LOADED = re.compile(
    rf"\boffloaded (?P<layers>{WHOLE})/(?P<all>{WHOLE}) layers to GPU"
    rf"|^loaded \S+ in {NUMBER} s, .{{0,40}}?\b(?P<percent>{WHOLE})% of it on the GPU"
)
_NO_GPU = re.compile(
    r"no compatible GPUs were discovered|msg=\"inference compute\" id=\S+ library=cpu\b"
    r"|entering low vram mode.{0,40}total vram\"?=\"0 B\""
)
_HELD = re.compile(r"gpu VRAM usage didn't recover within timeout")
_GPU = re.compile(r"\blibrary=(?:CUDA|cuda|ROCm|rocm|Vulkan|Metal|metal)\b")

ABOUT = About(
    id="ollama-not-on-gpu",
    title="Ollama runs the model on the CPU, or a part of it",
    severity=Severity.WARNING,
    symptoms=(
        'msg="offloaded 20/49 layers to GPU"',
        "loaded qwen3:32b in 30.0 s, 20.00 GiB, 0% of it on the GPU",
        "`ollama ps` shows 100% CPU, or 60%/40% CPU/GPU; answers are several times slower.",
        'msg="no compatible GPUs were discovered"',
    ),
    cause="Ollama puts as many layers on the GPU as it believes to have memory for. Other "
    "engines, the page cache and a long context leave it less.",
    remedies=(
        Remedy("Load the model for fewer tokens.", "sparkwell up MODEL --set num_ctx=8192"),
        Remedy("Unload other models first.", "ollama ps; ollama stop OTHER"),
        Remedy("Where no GPU was found: see whether the driver answers, in the container too.",
               "nvidia-smi; docker exec ollama nvidia-smi"),
    ),
    reference="ollama, ml/backend/ggml/ggml.go and discover/gpu.go; ollama issues 7745, 10765",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """The last load of each log: earlier ones may have been tries."""
    if snapshot.machine is not None and snapshot.machine.device == "cpu":
        return  # there is no GPU to be on
    for log in logs(snapshot):
        last, none = find_last(log, _LOADED), _without_gpu(log)
        if last and not _whole(last):
            yield _partly(snapshot, log, last, none)
        elif none and not last:
            yield _no_gpu(log, none)


def _whole(last: Found) -> bool:
    """Whether all of the model is on the GPU; one that has no layers is not there yet."""
    if last["percent"]:
        return int(last["percent"]) >= 100
    return int(last["layers"]) >= int(last["all"])


def _without_gpu(log: LogDigest) -> Found | None:
    return None if find(log, _GPU) else find(log, _NO_GPU)


def _partly(snapshot: Snapshot, log: LogDigest, last: Found, none: Found | None) -> Finding:
    why = none or find_last(log, _HELD)
    in_the_way = others(snapshot, log.model)
    said = ABOUT.finding(
        *quoted(log, *([why.line] if why else []), last.line), *map(line, in_the_way),
        about=name_of(log), model=log.model,
    )  # fmt: skip
    if none:
        return replace(said, title="Ollama runs the model on the CPU: it found no GPU",
                       remedies=(said.remedies[2],))  # fmt: skip
    less = shorter(log, context_of(snapshot, log))
    room = tuple(map(how_to_end, in_the_way)) or said.remedies[1:2]
    return replace(said, title=f"Ollama put {_share(last)} on the GPU", remedies=(less, *room))


def _share(last: Found) -> str:
    if last["percent"]:
        return f"{last['percent']}% of the model"
    return f"{last['layers']} of {last['all']} layers"


def _no_gpu(log: LogDigest, none: Found) -> Finding:
    said = ABOUT.finding(*quoted(log, none.line), about=name_of(log), model=log.model)
    return replace(said, title="Ollama found no GPU", remedies=(said.remedies[2],))


CHECK = Check(ABOUT.id, "Does Ollama run the model on the GPU?", look, ABOUT)
