"""What is known of a host whose memory runs out, before, at and after a start."""

from sparkwell.checks.about import About
from sparkwell.checks.diagnosis.memory.words import WHO
from sparkwell.core.findings import Remedy, Severity

ABOUT = About(
    id="host-memory-low",
    title="The host's memory ran out",
    severity=Severity.ERROR,
    symptoms=(
        "[sparkwell: the kernel ended a process of this container: out of memory]",
        "OSError: [Errno 12] Cannot allocate memory",
        "The kernel's log: Out of memory: Killed process ...; a container that exits with 137.",
        "The machine reacts slowly or not at all, ssh too, while MemAvailable falls.",
    ),
    cause="Weights that are read, pinned buffers and everything else on the host need memory "
    "beside the GPU's. On a GB10 both are the same: gpu_memory_utilization bounds what vLLM plans "
    "with, not what a start needs for moments.",
    remedies=(
        WHO,
        Remedy("Leave more to the system: see the plan's low point of available memory.",
               "sparkwell plan MODEL --explain"),
        Remedy("Start with a smaller share of the memory; the KV cache gets smaller.",
               "sparkwell up MODEL --set gpu_memory_utilization=0.70"),
        Remedy("Batch fewer tokens: what a start needs for moments gets smaller.",
               "sparkwell up MODEL --set max_num_batched_tokens=2048"),
    ),
    reference="vllm issues 46307 and 56824; open-gpu-kernel-modules issue 1358",
)  # fmt: skip
