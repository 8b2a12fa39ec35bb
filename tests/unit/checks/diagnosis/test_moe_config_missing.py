"""Kernels for experts that nobody tuned."""

import pytest
from tests.unit.checks.diagnosis.ask import asked

from sparkwell.checks.diagnosis.platform.moe_config_missing import CHECK
from sparkwell.core.findings import Severity

LINE = (
    "(EngineCore pid=7) WARNING 11-03 09:17:39 [fused_moe.py:686] Using default MoE config. "
    "Performance might be sub-optimal! Config file not found at /x/configs/{}"
)
GB10 = "E=128,N=768,device_name=NVIDIA_GB10,dtype=fp8_w8a8,block_shape=[128,128].json"


@pytest.mark.parametrize(
    ("file", "severity"),
    [
        (GB10, Severity.WARNING),
        ("E=128,N=384,device_name=NVIDIA_L40S,dtype=fp8_w8a8.json", Severity.INFO),
        ("unreadable", Severity.INFO),
    ],
)
def test_on_a_gb10_it_is_a_warning(file: str, severity: Severity) -> None:
    [finding] = asked(CHECK, LINE.format(file))
    assert finding.severity is severity


def test_the_shape_is_in_the_title() -> None:
    [finding] = asked(CHECK, LINE.format(GB10))
    assert finding.title.endswith(": 128 experts of size 768")


def test_a_configuration_that_was_found_is_well() -> None:
    found = "INFO 11-03 09:17:39 [fused_moe.py:670] Using configuration from /x/E=128.json for MoE"
    assert asked(CHECK, found) == []
