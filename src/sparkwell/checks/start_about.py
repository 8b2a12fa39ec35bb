"""What is known of the troubles before a start that no log tells, whatever the host."""

from sparkwell.checks.about import About
from sparkwell.core.findings import Remedy, Severity

SEE_THE_PLAN = Remedy("See the whole plan.", "sparkwell plan MODEL --explain")
ASK_THE_DRIVER = Remedy("See what the driver says.", "nvidia-smi")
REBOOT = Remedy("A driver that was updated works again after a restart.", "sudo reboot")
ON_THE_CPU = Remedy("Serve a small model on the CPU instead.", "sparkwell demo")
ENGINE_MISSING = About(
    id="engine-missing",
    title="The engine environment is not installed",
    severity=Severity.ERROR,
    symptoms=("`sparkwell up` says that the engine is not installed.",),
    cause="A start as a process needs the engine in an environment of its own; in a container it "
    "comes with the image.",
    remedies=(
        Remedy("Install it.", "sparkwell engine install vllm"),
        Remedy("Or run it in a container.", "sparkwell up MODEL --driver compose"),
    ),
    reference="docs/engines.md",
)
GPU_MISSING = About(
    id="gpu-missing",
    title="There is no GPU for an engine that needs one, or it does not answer",
    severity=Severity.ERROR,
    symptoms=(
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver",
        "Failed to initialize NVML: Driver/library version mismatch",
    ),
    cause="The machine has none, its driver is not loaded, or the driver was updated while the old "
    "one is in use.",
    remedies=(
        ASK_THE_DRIVER,
        REBOOT,
        Remedy("See what it would take on a machine with one.",
               "sparkwell plan MODEL --hardware dgx-spark"),
        ON_THE_CPU,
    ),
    reference="NVML's return codes",
)  # fmt: skip
DRIVER_REGRESSION = About(
    id="driver-regression",
    title="The driver is newer than the line that is known to be good on a GB10",
    severity=Severity.WARNING,
    symptoms=("CUDA graphs that fail to be captured, on a GB10 with a driver 590.",),
    cause="Reported by users, not confirmed here.",
    remedies=(
        Remedy("Should the start fail while graphs are captured, start without them: slower, but "
               "it tells whether the driver is the cause.",
               "sparkwell up MODEL --set enforce_eager=true"),
        Remedy("If so, go back to the line 580.",
               "sudo apt-get install -y nvidia-driver-580-open && sudo reboot"),
    ),
    reference="conselara's notes on the DGX Spark; a report of users",
)  # fmt: skip
IMAGE_MISSING = About(
    id="image-missing",
    title="The container image is not here, or none is known for the model",
    severity=Severity.ERROR,
    symptoms=("No such image", "manifest unknown"),
    cause="An image that is known is pulled by the start; an error is only that no image is known, "
    "or that its registry does not give it.",
    remedies=(
        Remedy("See what the registry says.", "docker pull IMAGE"),
        Remedy("Name another one.", "sparkwell up MODEL --image IMAGE"),
    ),
    reference="docs/images.md",
)
WEIGHTS_MISSING = About(
    id="weights-missing",
    title="The weights are not here, or not whole",
    severity=Severity.ERROR,
    symptoms=("`sparkwell models MODEL` says what is to be downloaded.",),
    cause="Nobody has downloaded them yet, which is only worth knowing; an error is that a "
    "checkpoint which comes with Sparkwell is not whole.",
    remedies=(
        Remedy("Download them beforehand; `sparkwell up` does it too.", "sparkwell pull MODEL"),
    ),
    reference="docs/download.md",
)
IN_MEMORY = About(
    id="cache-in-memory",
    title="The folder for weights is in memory, not on a disk",
    severity=Severity.WARNING,
    symptoms=("`df` shows the folder on tmpfs; memory is gone though no engine runs.",),
    cause="What lies there takes memory from the engine, and is gone after a restart.",
    remedies=(
        Remedy("Keep weights elsewhere: folders.models in sparkwell.yaml.",
               "sparkwell config show"),
    ),
    reference="tmpfs(5)",
)  # fmt: skip
NO_FIT = About(
    id="plan-does-not-fit",
    title="The model does not fit on this machine, by the plan",
    severity=Severity.ERROR,
    symptoms=("The start would end while weights are loaded or the KV cache is made.",),
    cause="Weights, activations and one sequence of the longest context need more than the engine "
    "may use of this machine's memory.",
    remedies=(
        SEE_THE_PLAN,
        Remedy("Keep the KV cache in FP8: half the bytes for each token.",
               "sparkwell plan MODEL --set kv_cache_dtype=fp8"),
        Remedy("Take a model that fits.", "sparkwell recommend"),
    ),
    reference="docs/planning.md; how exact plans are: docs/accuracy.md",
)  # fmt: skip
NOT_LOOKED_AT = About(
    id="not-looked-at",
    title="Some things could not be looked at",
    severity=Severity.INFO,
    symptoms=("A part of the snapshot is missing; its line says why.",),
    cause="A program did not answer in time, or this user may not see it. What is not known leads "
    "to no finding, so a trouble there is not found either.",
    remedies=(Remedy("Look again as root, where rights are what lacks.", "sudo sparkwell doctor"),),
    reference="Sparkwell's own: doctor/collect.py",
)
ABOUTS: tuple[About, ...] = (WEIGHTS_MISSING, IN_MEMORY, NO_FIT, NOT_LOOKED_AT)
"""Those whose checks do not name them."""
