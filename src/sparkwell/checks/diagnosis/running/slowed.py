"""What an engine says in its log that makes it slower than the plan."""

import re
from collections.abc import Iterator, Mapping

from sparkwell.catalog.recipe import FlagValue
from sparkwell.checks.about import MODEL
from sparkwell.checks.logs.find import find, quoted
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.serving_parts import Slowed
from sparkwell.core.findings import Remedy

_EAGER = re.compile(r"\benforce_eager(?:=|': ?)True\b|Cudagraph is disabled under eager mode")
_ON_CPU = re.compile(r"\bdevice_config=cpu\b|\bcpu_worker\.py:|# *CPU blocks|CPU KV cache")
_DEFAULT_MOE = re.compile(r"Using default MoE config\. Performance might be sub-optimal")


def slowed_by(log: LogDigest) -> tuple[Slowed, ...]:
    """The reasons that the log names, the weightiest first; of an engine on a GPU."""
    if find(log, _ON_CPU):
        return ()
    return (*_eager(log), *_moe(log))


def slowed_by_flags(flags: Mapping[str, FlagValue], model: str) -> tuple[Slowed, ...]:
    """The reasons that stand in the flags of a run."""
    if flags.get("enforce_eager") is True:
        return (eager_mode("--enforce-eager is set", model),)
    return ()


def eager_mode(evidence: str, model: str = MODEL) -> Slowed:
    """CUDA graphs are off."""
    return Slowed(
        evidence,
        "CUDA graphs are off (--enforce-eager): the processor starts every kernel by itself. Of "
        "a mixture of experts on a DGX Spark that has cost half the tokens/s (59 to 26).",
        Remedy(
            "Start it without --enforce-eager; capturing the graphs takes some seconds and less "
            "than a GiB more.",
            f"sparkwell down {model} && sparkwell up {model} --set enforce_eager=false",
        ),
    )


def _eager(log: LogDigest) -> Iterator[Slowed]:
    if found := find(log, _EAGER):
        yield eager_mode(quoted(log, found.line)[0], log.model or MODEL)


def _moe(log: LogDigest) -> Iterator[Slowed]:
    if found := find(log, _DEFAULT_MOE):
        yield Slowed(
            quoted(log, found.line)[0],
            "The kernel for experts is not tuned for this GPU and these shapes. That costs "
            "something and is seldom all: Qwen3-30B-A3B-FP8 gave 41 to 42 tokens/s on a DGX Spark "
            "untuned.",
            Remedy(
                "A newer vLLM may have one; or tune it once (benchmark_moe.py --tune of vLLM's "
                "sources) and name its folder in VLLM_TUNED_CONFIG_FOLDER."
            ),
        )
