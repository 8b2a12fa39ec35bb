"""GPU, driver, image and kernels; in the order in which they are heard."""

from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.platform import (
    capability_warning,
    docker_without_gpu,
    driver_too_old,
    engine_core_died,
    fp8_cutlass,
    image_wrong,
    model_unsupported,
    moe_config_missing,
    nccl_failure,
    nvml_no_memory,
    quantization_mismatch,
    sm121_unsupported,
    torchvision_mismatch,
)

CHECKS: tuple[Check, ...] = (
    docker_without_gpu.CHECK,
    image_wrong.CHECK,
    driver_too_old.CHECK,
    torchvision_mismatch.CHECK,
    model_unsupported.CHECK,
    sm121_unsupported.CHECK,
    fp8_cutlass.CHECK,
    nccl_failure.CHECK,
    quantization_mismatch.CHECK,
    moe_config_missing.CHECK,
    capability_warning.CHECK,
    nvml_no_memory.CHECK,
    engine_core_died.CHECK,
)
