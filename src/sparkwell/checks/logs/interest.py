"""Which lines of a log may matter, by their words. Pure.

Generous: a newer release has to find new things in a digest that was saved before.
"""

import re
from enum import Enum, auto

from sparkwell.checks.logs.written import bare, begin

SEARCHED = 2_000
"""Bytes of a line in which words are looked for: what is shown of it."""
_SAMPLE = 96


class Kind(Enum):
    """What a line is to whoever keeps lines."""

    PLAIN = auto()
    """Nothing to be kept between the log's beginning and its end."""
    SEVERE = auto()
    """Tells of errors."""
    TRACEBACK = auto()
    """Begins a traceback; tells of an error too."""
    INDENTED = auto()
    """Part of what the line before began: of a traceback, of a message of several lines."""
    NOTABLE = auto()
    """Tells of warnings, settings, memory, phases."""
    STEADY = auto()
    """vLLM's figures every ten seconds."""
    ASKED = auto()
    """What somebody asked or was answered."""
    ACCESS = auto()
    """One request at Ollama; its status decides."""


# Whole words in lower case; those of one stem in one line.
_SEVERE = frozenset(
    b"""
    abort aborted aborting aborts bad broken cannot corrupt corrupted crash crashed crashing
    critical dead deadlock denied deny died die dies disabled disk errno error errors exceed
    exceeded exceeds exceeding exception exceptions exhausted exit exited exiting exits
    expected fail failed failing fails failure failures fatal fault forbidden gated hang
    hanging hung illegal impossible incompatible incorrect insufficient interrupted invalid
    kill killed killing less larger longer greater leaked leak lost mismatch mismatched
    missing no not occurred oom overflow panic panicked panics permission refused refusing
    reject rejected reset segfault segmentation shortage shutdown shutting sigabrt sigbus
    sigill sigint sigkill signal sigsegv sigterm stalled stuck terminate terminated
    terminating termination timed timeout timeouts too traceback unable unauthorized
    unavailable unexpected unhandled unhealthy unknown unrecognised unrecognized unreachable
    unsupported violation
    """.split()
)
_NOTABLE = frozenset(
    b"""
    activation address already architecture arch args arguments attention autotune autotuner
    available backend backends batch batched block blocks cache cached cacheblend capability
    capacity capture captured capturing chunked compilation compile compiled compiles compiling
    compute concurrency config configuration container context core cores cuda cudagraph
    cudagraphs cudnn cublas cutlass default defaults deprecated deprecation device devices
    distributed download downloaded downloading driver drivers dtype eager enforce engine
    enginecore estimated expert experts fallback falling fetching flag flags flash
    flashattention flashinfer found fp fused gb gib gguf gloo gpu gpus graph graphs hicache
    host ignore ignored ignoring image images init initialization initialize initialized
    initializing kernel kernels kv launch launched launching layers length library limit
    limits linear listening llama load loaded loading loads longest marlin max maximum mb
    mib memory model modelopt moe msg nccl non num nvlink nvml nvrtc offload offloaded
    offloading only optimized optimization option options overhead overridden override
    overriding parallel parallelism peak perf performance platform port preempt preempted
    preemption preemptions prefetch prefetching prefill prefix profiling profile ptx ptxas
    pynccl pytorch quantization quantized quantize ram ray recommended recommend release
    removed reserved resolved restart restarted restarting revision rope runner runners
    running safetensors sampling scheduler selected server serve serving shard shards shared
    shm sleep sleeping slow slower sm sparkwell sparse speculative spill start started starting
    startup stop stopped stopping suboptimal sub supported supports swap symm system
    template throttle throttled throttling throughput tokenizer tokenizers took takes torch
    torchvision total transformers triton trust tune tuned ulimit unquantized upgrade used
    using usage utilization uvicorn version versions vllm vram wake waking warmup warming
    warn warning warnings weight weights worker workers workspace xformers yarn
    """.split()
)
_WORDS = _SEVERE | _NOTABLE
# What is in names of exceptions: "torch.OutOfMemoryError", "DeprecationWarning".
_STEMS = (b"rror", b"xception", b"arning")
_LETTERS = bytes(
    code + 32 if 65 <= code <= 90 else code if 97 <= code <= 122 else 32 for code in range(256)
)
_TEXT = bytes((*range(0x20, 0x7F), 0x09, 0x0A, 0x0D, 0x1B))
_NEVER_UTF8 = re.compile(rb"[\xc0\xc1\xf5-\xff]")
_ASKED = (b"Received request ", b"Generated response ", b" details: prompt: ", b" JSON body: ")
_CALM = re.compile(r"INFO|DEBUG|time=\S{1,40} level=(?:INFO|DEBUG)")


def kind_of(raw: bytes) -> Kind:
    """What a line is."""
    searched = raw[:SEARCHED]
    if not searched.isascii() and _is_garbage(searched[:_SAMPLE]):
        return Kind.PLAIN
    if _says_what_was_asked(searched):
        return Kind.ASKED
    words = searched.translate(_LETTERS).split()
    if _WORDS.isdisjoint(words) and not any(stem in searched for stem in _STEMS):
        return _by_form(searched)
    return _by_words(bare(raw), words)


def is_severe_status(raw: bytes) -> bool:
    """Whether a line of Ollama's about one request tells of one that failed."""
    parts = raw[:SEARCHED].split(b"|", 2)
    return len(parts) == 3 and parts[1].strip()[:1] in {b"4", b"5"}


def _by_form(searched: bytes) -> Kind:
    """Without a word that matters: a line of a traceback, Ollama's access line, or nothing."""
    if b"[GIN]" in searched:
        return Kind.ACCESS
    indented = b"   " in searched or searched[:1] in {b" ", b"\t"} or b"\t" in searched
    return _indented(bare(searched)) if indented else Kind.PLAIN


def _indented(text: str) -> Kind:
    words = text[begin(text) :]
    return Kind.INDENTED if words.startswith(("  ", "\t")) and words.strip() else Kind.PLAIN


def _by_words(text: str, words: list[bytes]) -> Kind:
    start = begin(text)
    said = text[start:]
    if said.startswith("Traceback (most recent call last)"):
        return Kind.TRACEBACK
    if "Avg prompt throughput:" in said:
        return Kind.STEADY
    if said.startswith("[GIN]"):
        return Kind.ACCESS
    if said.startswith(("  ", "\t")):
        return _indented(text)
    return Kind.PLAIN if _is_access(said) else _by_weight(text[:start], said, words)


def _says_what_was_asked(searched: bytes) -> bool:
    if b"equest " not in searched and b"Generated" not in searched:
        return False
    beginning = searched[:300]
    return any(words in beginning for words in _ASKED)


def _is_access(said: str) -> bool:
    """One request that went well, at uvicorn."""
    return said.endswith('" 200 OK') and ' - "' in said


def _by_weight(speaker: str, said: str, words: list[bytes]) -> Kind:
    if _CALM.search(speaker):
        return Kind.NOTABLE
    severe = "rror" in said or "xception" in said or not _SEVERE.isdisjoint(words)
    return Kind.SEVERE if severe else Kind.NOTABLE


def _is_garbage(sample: bytes) -> bool:
    """No text: more than a third is not printable, and it is no UTF-8."""
    if 3 * len(sample.translate(None, _TEXT)) < len(sample):
        return False
    if _NEVER_UTF8.search(sample):
        return True
    try:
        sample[: _SAMPLE - 4].decode()
    except UnicodeDecodeError:
        return True
    return False
