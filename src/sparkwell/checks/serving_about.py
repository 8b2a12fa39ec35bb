"""What is known of the troubles of a model that serves, whatever the model."""

from sparkwell.checks.about import About
from sparkwell.core.findings import Remedy, Severity

OUR_OWN = "the thresholds, and who says so: docs/interpretation.md"

KV_FULL = About(
    id="kv-cache-full",
    title="The KV cache is full: requests queue, or are set back",
    severity=Severity.WARNING,
    symptoms=("GPU KV cache usage: 99.5%", "vllm:num_preemptions_total grows"),
    cause="Each token of a running request keeps its place in the cache. When none is left the "
    "engine sets a request back and computes it again later; memory does not run out.",
    remedies=(
        Remedy("Give the engine more of the memory, where the plan allows it.",
               "sparkwell plan MODEL --set gpu_memory_utilization=0.85"),
        Remedy("Keep the cache in FP8: half the bytes for each token.",
               "sparkwell up MODEL --set kv_cache_dtype=fp8"),
        Remedy("Let fewer run at once, so that the others wait instead of being set back.",
               "sparkwell up MODEL --set max_num_seqs=32"),
    ),
    reference=OUR_OWN,
)  # fmt: skip
KV_ROOMY = About(
    id="kv-cache-underused",
    title="The KV cache has room for more requests at once",
    severity=Severity.WARNING,
    symptoms=("GPU KV cache usage stays low while requests wait",),
    cause="Fewer or shorter requests come than it was made for, which harms nothing; where "
    "requests wait all the same, no more of them may run at once (--max-num-seqs).",
    remedies=(
        Remedy("Send more requests at once: each costs little beside the others."),
        Remedy("Where requests wait, let more run at once.",
               "sparkwell up MODEL --set max_num_seqs=128"),
    ),
    reference=OUR_OWN,
)  # fmt: skip
TTFT = About(
    id="ttft-high",
    title="The first token takes long",
    severity=Severity.WARNING,
    symptoms=("Seconds pass before an answer begins",
              "vllm:time_to_first_token_seconds has a high 95th percentile"),
    cause="Requests wait for room in the KV cache, or because as many run as may; or the prompts "
    "are so long that reading them takes that time on this machine.",
    remedies=(
        Remedy("Give the engine more of the memory, where the cache is full.",
               "sparkwell plan MODEL --set gpu_memory_utilization=0.85"),
        Remedy("Let more run at once, where the cache has room.",
               "sparkwell up MODEL --set max_num_seqs=128"),
        Remedy("Put what repeats at the beginning of the prompt, so that it is read once."),
    ),
    reference=OUR_OWN,
)  # fmt: skip
LONG = About(
    id="long-contexts-together",
    title="Many long contexts run together",
    severity=Severity.WARNING,
    symptoms=("More than four requests run with 30,000 tokens or more each",),
    cause="The KV cache may not hold them all: requests then wait or are set back. Where it does, "
    "each step is slower the more there are.",
    remedies=(
        Remedy("Let fewer run at once.", "sparkwell up MODEL --set max_num_seqs=4"),
        Remedy("Keep the cache in FP8: half the bytes for each token.",
               "sparkwell up MODEL --set kv_cache_dtype=fp8"),
    ),
    reference=OUR_OWN,
)  # fmt: skip
THROUGHPUT = About(
    id="throughput-below-plan",
    title="Throughput is below the plan",
    severity=Severity.WARNING,
    symptoms=("Several requests together get fewer tokens/s than `sparkwell plan MODEL` says",),
    cause="The plan is for requests that only generate; long prompts, their prefill, and "
    "requests set back take time from it.",
    remedies=(
        Remedy("Cache the beginnings of prompts, where that is off.",
               "sparkwell up MODEL --set enable_prefix_caching=true"),
        Remedy("Read more of the prompts in one step, where prefill is what takes the time.",
               "sparkwell up MODEL --set max_num_batched_tokens=16384"),
        Remedy("See what the plan rests on.", "sparkwell plan MODEL --explain"),
    ),
    reference=OUR_OWN,
)  # fmt: skip
GPU = About(
    id="gpu-underused",
    title="The GPU is less busy than expected under load",
    severity=Severity.WARNING,
    symptoms=("nvidia-smi shows 30 % while several requests run",),
    cause="It counts the time in which any kernel runs: between them it waits for the "
    "processor, or for requests.",
    remedies=(
        Remedy("Send more requests at once."),
        Remedy("See whether eager mode is on: CUDA graphs spare the processor.",
               "sparkwell logs MODEL --grep 'quantization|enforce_eager'"),
    ),
    reference=OUR_OWN,
)  # fmt: skip

ABOUTS = (KV_FULL, KV_ROOMY, TTFT, LONG, THROUGHPUT, GPU)
"""Those that no log tells so that a diagnosis would have them."""
