"""The moments in which CUDA's memory can run out: how they are known, and why it happens then."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sparkwell.checks.logs.find import Found, find
from sparkwell.checks.logs.parts import LogDigest, LogLine
from sparkwell.core.phases import Phase
from sparkwell.engines.vllm.log import read_line

_WARMUP = re.compile(r"CUDA out of memory occurred when warming up (?:sampler|pooler)")
_SERVES = re.compile(r"Application startup complete")
_TRACEBACK_LINES = 120


@dataclass(frozen=True, slots=True)
class Moment:
    """When it came: words of the title, why it comes then, words of the traceback, the phases."""

    words: str
    cause: str
    frames: re.Pattern[str]
    phases: tuple[Phase, ...] = ()


FIRST = Moment(
    "before anything was loaded",
    "Not even CUDA's own context found room: something else holds the memory. On a GB10 that can "
    "be the page cache, which the driver does not push out for it.",
    re.compile(r"MemorySnapshot|mem_get_info|in init_device|cuDevicePrimaryCtxRetain"),
    (Phase.LAUNCH, Phase.INIT),
)
WEIGHTS = Moment(
    "while weights were loaded",
    "The weights need more than was free. The startup check looks at the share, not at them.",
    re.compile(r"in (?:load_model|load_weights|create_weights|process_weights_after_loading)\b"),
    (Phase.WEIGHTS,),
)
PROFILE = Moment(
    "while the engine measured its memory",
    "The trial run of a full batch needs more than the weights left: its size is that of "
    "max_num_batched_tokens.",
    re.compile(r"in (?:determine_available_memory|profile_run|_dummy_run)\b"),
    (Phase.COMPILE, Phase.PROFILE),
)
CACHE = Moment(
    "while the KV cache was laid out",
    "The share was measured when more was free: another process has taken memory since, or what "
    "the driver holds was not counted.",
    re.compile(r"in (?:initialize_kv_cache|_allocate_kv_cache_tensors|initialize_from_config)\b"),
)
GRAPHS = Moment(
    "while CUDA graphs were captured",
    "Graphs come on top of the budget before vLLM 0.20, and there is one for each batch size up "
    "to a bound that follows from max_num_seqs.",
    re.compile(r"in (?:capture_model|_capture_cudagraphs|capture_graphs?)\b"),
    (Phase.GRAPHS,),
)
SAMPLER = Moment(
    "in the last warm-up",
    "The sampler is tried with max_num_seqs requests at once, each with a row of the vocabulary.",
    _WARMUP,
    (Phase.WARMUP,),
)
WAKE = Moment(
    "while a sleeping engine woke up",
    "Waking up lays out the KV cache again. What was freed is gone to somebody else, or, on a "
    "GB10, lies in pinned buffers of the same memory.",
    re.compile(r"in (?:wake_up|create_and_map)\b"),
)
SERVING = Moment(
    "while requests were served",
    "What requests need beyond the measured peak came out of what was left beside the budget.",
    re.compile(r"in (?:execute_model|run_busy_loop|step_with_batch_queue|sample_tokens)\b"),
    (Phase.READY, Phase.CANARY),
)
UNKNOWN = Moment("", "", re.compile(r"(?!)"))
_MOMENTS = (SAMPLER, WAKE, GRAPHS, CACHE, PROFILE, WEIGHTS, FIRST, SERVING)


def moment_of(log: LogDigest, found: Found) -> Moment:
    """By the traceback, else by how far the start had come."""
    if find(log, _WARMUP):
        return SAMPLER
    before = [each for each in log.lines if each.number < found.line.number]
    trace = list(_traceback(before))
    by_frame = (each for each in _MOMENTS if any(each.frames.search(one.text) for one in trace))
    return next(by_frame, None) or _by_phase(before)


def _traceback(before: list[LogLine]) -> Iterator[LogLine]:
    """The lines of the traceback that ends here."""
    for each in reversed(before[-_TRACEBACK_LINES:]):
        yield each
        if "Traceback (most recent call last)" in each.text:
            return


def _by_phase(before: Iterable[LogLine]) -> Moment:
    phase = None
    for each in before:
        if _SERVES.search(each.text):
            phase = Phase.READY
        elif mark := read_line(each.text):
            phase = mark.phase
    return next((each for each in _MOMENTS if phase in each.phases), UNKNOWN)
